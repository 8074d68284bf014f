//! What a Flask deployment brings along and expects to find.

pub mod templates;
