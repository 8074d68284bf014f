DROP INDEX rooms_key_blind;
ALTER TABLE rooms DROP COLUMN key_blind;
