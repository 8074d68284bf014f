//! What a Flask deployment brings along and expects to find.

pub mod chat_data;
pub mod import;
pub mod templates;
