-- Whether the room is one of two people. Such a room is in no list.
ALTER TABLE rooms ADD COLUMN direct BOOLEAN NOT NULL DEFAULT FALSE;
