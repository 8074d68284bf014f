-- Who stands behind a user: a user without an account is a guest.
CREATE TABLE accounts (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    key_blind BLOB NOT NULL UNIQUE,  -- of what the name looks like
    account TEXT NOT NULL  -- sealed: name, role, password hash, second factor
);

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,  -- keyed
    user_id BLOB NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    session TEXT NOT NULL  -- sealed: times, browser, address
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE invites (
    id BLOB NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,  -- keyed
    invite TEXT NOT NULL  -- sealed: role, uses left, end, who made it
);

-- Mutes and bans, of the whole server (room 0) or of a room.
CREATE TABLE sanctions (
    room_id BIGINT NOT NULL,
    person BLOB NOT NULL,  -- blind index of an account's id or of a guest's name
    sanction TEXT NOT NULL,  -- sealed: until when, by whom, why
    PRIMARY KEY (room_id, person)
);

CREATE TABLE address_bans (
    id BLOB NOT NULL PRIMARY KEY,
    person BLOB NOT NULL,  -- whose ban brought it
    ban TEXT NOT NULL  -- sealed: network, until when
);

CREATE TABLE blocks (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    person BLOB NOT NULL,
    block TEXT NOT NULL,  -- sealed: whom
    PRIMARY KEY (user_id, person)
);

-- What a person has set for a room.
CREATE TABLE room_preferences (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    room_id BIGINT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    preferences TEXT NOT NULL,  -- sealed: muted
    PRIMARY KEY (user_id, room_id)
);

CREATE TABLE reports (
    id BLOB NOT NULL PRIMARY KEY,
    report TEXT NOT NULL  -- sealed: message, who reported it, why, what came of it
);

-- Who did what to whom, and why. Each entry's mac covers the one before it.
CREATE TABLE audit_log (
    seq BIGINT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL,  -- sealed
    mac BLOB NOT NULL
);

-- One row for each fact that the nodes of an installation must agree on.
CREATE TABLE state (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,  -- grows with each change
    value TEXT NOT NULL  -- sealed, or empty
);
