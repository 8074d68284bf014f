-- What a connection leaves behind, so that its page is found again. owner: keyed hash of the session or of the browser's cookie.
CREATE TABLE tickets (
    id     BLOB NOT NULL PRIMARY KEY,
    owner  BLOB NOT NULL,
    ticket TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_owner ON tickets (owner);
