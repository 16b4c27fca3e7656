//! What lies over the panes: the help, the question that wants a capital Y, recall. The first two draw what they are given and decide
//! nothing; over a terminal too small for a frame they draw without one.

pub mod confirm;
pub mod help;
pub mod recall;

pub use confirm::Confirm;
