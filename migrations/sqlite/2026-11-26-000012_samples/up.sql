-- Numbers about the server over time, one row a span of time. There are no names in them, and nothing that rows do not show anyway.
CREATE TABLE samples (
    at       INTEGER NOT NULL PRIMARY KEY, -- the end of the span, in microseconds since 1970-01-01 UTC
    messages INTEGER NOT NULL, -- that were sent in it
    total    INTEGER NOT NULL, -- positions of all rooms together: what the next span is counted from after a restart
    people   INTEGER NOT NULL, -- who were here in it
    accounts INTEGER NOT NULL,
    rooms    INTEGER NOT NULL, -- the public one and groups
    bytes    INTEGER NOT NULL  -- of the database
);
