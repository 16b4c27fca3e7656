//! What the command line says.

pub mod items;
