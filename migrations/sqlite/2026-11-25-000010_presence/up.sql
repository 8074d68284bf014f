-- When people were here last, and whether they want it to be seen.
CREATE TABLE presence (
    user_id  BLOB NOT NULL PRIMARY KEY,
    presence TEXT NOT NULL  -- sealed
) WITHOUT ROWID;

-- Who has blocked somebody.
CREATE INDEX blocks_person ON blocks (person);
