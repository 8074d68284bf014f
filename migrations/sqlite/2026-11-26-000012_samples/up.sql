-- Numbers about the server over time, one row a span of time. There are no names in them.
CREATE TABLE samples (
    at     BIGINT NOT NULL PRIMARY KEY, -- the end of the span, in microseconds since 1970-01-01 UTC
    sample TEXT NOT NULL  -- sealed: when how much was sent is nobody's business
);
