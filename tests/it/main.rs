//! Tests against the real server: the binary, started on a free port in an empty folder, spoken to as clients do.
//!
//! With `TEST_POSTGRES` (the URL of a server, without a database) they run on PostgreSQL, else on SQLite.

mod abuse;
mod accounts;
mod admin;
mod attachments;
mod backup;
mod chat;
mod client;
mod damage;
mod described;
mod direct;
mod doctor;
mod emit;
mod export;
mod flask_cookies;
mod flask_import;
mod flask_sql_import;
mod history;
mod hostile;
mod http;
mod keys;
mod life;
mod limits;
mod metrics;
mod moderation;
mod namespaces;
mod notifications;
mod pages;
mod presence;
mod push_service;
mod resume;
mod retention;
mod rights;
mod search;
mod server;
mod start;
mod storage;
mod tidy;
mod tls;
