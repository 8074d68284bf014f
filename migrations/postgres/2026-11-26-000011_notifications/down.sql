DROP TABLE push_subscriptions;
DROP TABLE notification_settings;
