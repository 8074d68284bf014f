//! What a Flask deployment brings along and expects to find.

pub mod chat_data;
pub mod cookies;
pub mod database;
pub mod export;
pub mod import;
pub mod mapping;
pub mod plan;
pub mod proposal;
pub mod queue;
pub mod source;
pub mod sql;
pub mod templates;
