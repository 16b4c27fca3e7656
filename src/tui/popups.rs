//! What lies over the panes: the help and the question that wants a capital Y. Both draw what they are given and decide nothing;
//! over a terminal too small for a frame they draw without one.

pub mod confirm;
pub mod help;

pub use confirm::Confirm;
