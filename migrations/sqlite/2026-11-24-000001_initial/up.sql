-- Sealed columns (TEXT) hold "<key generation>.<Fernet token>"; blind columns (BLOB) hold an HMAC of the normalized value.
CREATE TABLE data_keys (
    purpose    TEXT    NOT NULL,
    room_id    BIGINT  NOT NULL,  -- 0 where the purpose is not bound to a room
    generation INTEGER NOT NULL,
    sealed     TEXT    NOT NULL,  -- under the master key
    PRIMARY KEY (purpose, room_id, generation)
);

CREATE TABLE users (
    id            BLOB   NOT NULL PRIMARY KEY,
    name_blind    BLOB   NOT NULL,
    profile       TEXT   NOT NULL,  -- sealed: name, public key, time of joining
    last_active   TEXT   NOT NULL,  -- sealed
    message_count BIGINT NOT NULL
);
CREATE INDEX users_name_blind ON users (name_blind);

CREATE TABLE rooms (
    id         BIGINT NOT NULL PRIMARY KEY,
    name_blind BLOB   NOT NULL UNIQUE,
    profile    TEXT   NOT NULL,  -- sealed: name, creator, time of creation, password hash
    last_seq   BIGINT NOT NULL
);

CREATE TABLE memberships (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    member  TEXT   NOT NULL,  -- sealed: name, time of joining
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;

CREATE INDEX memberships_user_id ON memberships (user_id);

CREATE TABLE messages (
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq     BIGINT NOT NULL,
    body    TEXT   NOT NULL,  -- sealed: sender, text, time of sending
    PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
