-- When people were here last, and whether they want it to be seen.
CREATE TABLE presence (
    user_id  BYTEA NOT NULL PRIMARY KEY,
    presence TEXT NOT NULL  -- sealed
);

-- Who has blocked somebody.
CREATE INDEX blocks_person ON blocks (person);
