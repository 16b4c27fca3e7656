//! Where servers are and how they are reached: URLs by kombu's rules, transport options, TLS, and the dialling of a Redis,
//! which may be a broker, a result backend, or both. It speaks no Celery.

pub mod http;
pub mod options;
pub mod redis;
pub mod tls;
pub mod url;

pub use crate::server::redis::Neighbour;
pub use http::HttpUrl;
pub use options::{FanoutPrefix, TransportOptions};
