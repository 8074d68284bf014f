//! A Socket.IO chat server that speaks the protocol of a Flask-SocketIO app and seals everything at rest.
//!
//! ```text
//!       main ─ cli ─ server                        builds App, then attaches the edges
//!                  └ doctor                        looks at an installation, from inside and from outside
//!  EDGES  know the wire       socket/*            http/*            flask/*
//!                                └───────────┬───────┴─────────────────┘
//!  RULES  know the product             chat/*   ◄─ policy (private to chat)
//!                                   ┌────┼─────────┐
//!  MEANS                         store/* │ passwords · images · limits · pressure · push · signer · hub (trait) · outside   ◄ vault (private to store); socket/ implements hub
//!                                   └────┼─────────┘
//!  LEAVES                        types/*  error  answer  decode  config  telemetry  listener  frames  transport  tls  visitor  requests
//! ```
//! Arrows point down only; `tests/it/tidy.rs` checks it.
//!
//! The way of one message: `socket/event.rs` (its place in the connection's queue, decoding, who acts) →
//! `socket/messages.rs` → `chat/messages.rs` → `chat/policy.rs` → `store/messages.rs` → `store/vault.rs` (sealed) →
//! `store/writer.rs` (committed together with what else waits) → `hub.rs` (told in commit order) → `socket/hub.rs`.

mod answer;
pub mod app;
mod chat;
pub mod cli;
pub mod config;
mod decode;
mod doctor;
mod error;
mod flask;
mod frames;
mod http;
mod hub;
mod images;
mod limits;
mod line;
mod listener;
mod outside;
mod owed;
mod passwords;
mod pressure;
mod push;
mod requests;
mod run;
mod serve;
pub mod server;
mod signer;
mod socket;
mod store;
mod telemetry;
mod tls;
mod transport;
mod types;
mod visitor;
