//! What lies over the panes: the help, the question that wants a capital Y, what differs between two calls. They draw what they are
//! given and decide nothing;
//! over a terminal too small for a frame they draw without one.

pub mod confirm;
pub mod diff;
pub mod help;

pub use confirm::Confirm;
