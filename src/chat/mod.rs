//! The rules: what people may do and what comes of it. Both edges call these functions; nothing here knows a wire.

pub mod accounts;
pub mod admin;
pub mod messages;
mod policy;
pub mod rooms;
