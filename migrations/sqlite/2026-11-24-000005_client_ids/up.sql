-- What a sender called a message: sending it again brings the first one's ack.
CREATE TABLE client_ids (
    id   BLOB NOT NULL PRIMARY KEY,  -- blind index of the sender and their id
    sent TEXT NOT NULL  -- sealed: which message it was
) WITHOUT ROWID;
