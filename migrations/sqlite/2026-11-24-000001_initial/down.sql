DROP TABLE messages;
DROP TABLE memberships;
DROP TABLE rooms;
DROP TABLE users;
DROP TABLE data_keys;
