-- What accounts want to be told of while they look at no page.
CREATE TABLE notification_settings (
    user_id  BYTEA NOT NULL PRIMARY KEY,
    settings TEXT NOT NULL  -- sealed
);

-- Browsers in which an account gets notifications.
CREATE TABLE push_subscriptions (
    id           BYTEA NOT NULL PRIMARY KEY,  -- blind index of the address at the push service
    user_id      BYTEA NOT NULL,
    subscription TEXT NOT NULL  -- sealed
);
CREATE INDEX push_subscriptions_user_id ON push_subscriptions (user_id);
