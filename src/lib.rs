//! umbel: a terminal dashboard and interactive invoker for Celery.
//!
//! The map of the house (ARCHITECTURE.md has the arrows):
//!
//! * [`protocol`] what Celery says on the wire; pure
//! * [`broker`], [`backend`] the two links, behind traits; [`client`] the actor that owns them
//! * [`cluster`] what has been heard of workers, queues and tasks; [`call`] the life of one call; both pure
//! * [`commands`] and [`tui`] the two faces; [`cli`] and [`config`] what the user asked for
//! * [`demo`] a pretend cluster that speaks the real protocol
//!
//! This file is the composition root: the only place that picks concrete brokers and backends.

pub mod backend;
pub mod broker;
pub mod call;
pub mod cli;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod demo;
pub mod error;
pub mod protocol;
pub mod schema;
pub mod text;
pub mod tui;
