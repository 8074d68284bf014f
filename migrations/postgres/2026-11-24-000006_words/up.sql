-- Which messages have a word: a blind index under the room's own key. No two rooms have the same number for a word.
CREATE TABLE words (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    word    BIGINT NOT NULL,  -- keyed hash of a word, of a word's beginning, or of who wrote the message
    seq     BIGINT NOT NULL,
    PRIMARY KEY (room_id, word, seq)
);
