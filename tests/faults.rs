//! Hard times: servers killed, frozen, cut off in the middle of a publish; workers killed. Nothing is sent twice, nothing known is
//! lost, and what is not known is called unknown.

#[path = "faults/backend.rs"]
mod backend;
#[path = "faults/broker.rs"]
mod broker;
#[path = "faults/publish.rs"]
mod publish;
#[path = "faults/redis.rs"]
mod redis_broker;
#[path = "faults/sentinel.rs"]
mod sentinel;
#[path = "faults/stage.rs"]
mod stage;
#[path = "support/support.rs"]
mod support;
#[path = "faults/workers.rs"]
mod workers;
