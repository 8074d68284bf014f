//! The rules: what people may do and what comes of it. Both edges call these functions; nothing here knows a wire.

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod deletion;
pub mod editing;
mod facts;
pub mod history;
pub mod invites;
pub mod messages;
pub mod moderation;
pub mod namespaces;
pub mod operator;
pub mod people;
pub mod pins;
mod policy;
pub mod reactions;
pub mod read_marks;
pub mod reports;
pub mod resume;
pub mod room_settings;
pub mod rooms;
pub mod search;
pub mod second_factor;
pub mod sessions;
pub mod typing;
pub mod watch;
