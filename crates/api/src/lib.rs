//! The local HTTP API of a node: HTTP/1.1 and JSON on a socket of the data folder, and on a loopback
//! port when asked.
//!
//! [`Server`] serves a [`bruit::Node`]; [`types`] are the bodies both sides speak. Every request
//! passes one middleware, the guard, before it reaches a handler, and every route stands in one table
//! ([`routes`](routes())), so that a new one cannot escape it. The dashboard is a few files among them.

pub mod endpoint;
mod error;
mod gateways;
mod guard;
mod handlers;
mod logbook;
mod metrics;
pub mod openapi;
mod rate;
mod routes;
mod series;
mod server;
mod session;
pub mod text;
mod token;
mod tokens;
pub mod types;
mod ui;

pub use endpoint::Endpoint;
pub use error::ApiError;
pub use gateways::GatewayCounts;
pub use logbook::{BadFilter, LogBook};
pub use routes::{Access, RouteInfo, routes};
pub use server::{Dashboard, Limits, Options, ServeError, Server};
pub use token::Token;
pub use tokens::{Tokens, TokensError};
