-- What becomes of a message after it was sent. All of it goes with the message.
CREATE TABLE reactions (
    room_id  BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    id       BLOB  NOT NULL,  -- blind index of the person and the emoji
    reaction TEXT   NOT NULL,  -- sealed: who, which emoji, when
    PRIMARY KEY (room_id, seq, id),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
) WITHOUT ROWID;

-- What a message said before it was edited.
CREATE TABLE edits (
    room_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    number  BIGINT NOT NULL,
    edit    TEXT   NOT NULL,  -- sealed: text, since when it stood there
    PRIMARY KEY (room_id, seq, number),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE pins (
    room_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    pin     TEXT   NOT NULL,  -- sealed: by whom, when
    PRIMARY KEY (room_id, seq),
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
) WITHOUT ROWID;

-- How far a person has read a room.
CREATE TABLE read_marks (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id BLOB  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    mark    TEXT   NOT NULL,  -- sealed: position, name, when, whether others see it
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE INDEX read_marks_user_id ON read_marks (user_id);
