//! What a Flask deployment brings along and expects to find.

pub mod chat_data;
pub mod cookies;
pub mod export;
pub mod import;
pub mod plan;
pub mod templates;
