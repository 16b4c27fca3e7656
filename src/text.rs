//! Text that people read: remote text made safe, widths in cells, durations and counts.

pub mod human;
pub mod sanitise;
pub mod width;
