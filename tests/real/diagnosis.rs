//! Every reason that umbel gives for a silent call, on workers brought into that very state, on both brokers.

#[path = "diagnosis/results.rs"]
mod results;
#[path = "diagnosis/stage.rs"]
mod stage;
#[path = "diagnosis/waiting.rs"]
mod waiting;
#[path = "diagnosis/workers.rs"]
mod workers;

pub use stage::assert_since;
