-- Files that hang on messages. Their content is sealed in files of their own; they go with their message.
CREATE TABLE attachments (
    id         BLOB   NOT NULL PRIMARY KEY,
    room_id    BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    seq        BIGINT,            -- of the message; NULL until it is sent
    owner      BLOB   NOT NULL,  -- blind index of whose quota it counts for
    bytes      BIGINT NOT NULL,
    attachment TEXT   NOT NULL,   -- sealed: who, when, name, type, size
    FOREIGN KEY (room_id, seq) REFERENCES messages (room_id, seq) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX attachments_room_id_seq ON attachments (room_id, seq);
CREATE INDEX attachments_owner ON attachments (owner, bytes);

-- Files whose attachment is gone, and which are to be removed.
CREATE TABLE discarded_files (
    id BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;
