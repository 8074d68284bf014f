-- Which messages have a word: a blind index under the room's own key. No two rooms have the same number for a word.
-- Each message of the newest block, as it comes.
CREATE TABLE recent_words (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq     BIGINT NOT NULL,
    words   BLOB  NOT NULL,  -- keyed hashes, sorted: of words, of their beginnings, of who wrote it; four bytes each
    PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;

-- 2,048 messages together, by their words.
CREATE TABLE word_blocks (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    block   BIGINT NOT NULL,
    first   BIGINT NOT NULL,  -- the first hash of this piece of the block
    entries BLOB  NOT NULL,  -- sorted: hash (four bytes), place of a message in the block (two bytes)
    PRIMARY KEY (room_id, block, first)
) WITHOUT ROWID;
