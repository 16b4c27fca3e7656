//! The main job on the real thing: RabbitMQ, Redis, and Celery workers of both pools and both result backends; of Celery 5.7, and
//! of every version that umbel supports when `tests/run` says so in `UMBEL_TEST_CELERY`.

#[path = "real/commands.rs"]
mod commands;
#[path = "real/commands_on_redis.rs"]
mod commands_on_redis;
#[path = "real/diagnosis.rs"]
mod diagnosis;
#[path = "real/events.rs"]
mod events;
#[path = "real/formats.rs"]
mod formats;
#[path = "real/large.rs"]
mod large;
#[path = "real/leftovers.rs"]
mod leftovers;
#[path = "real/listeners.rs"]
mod listeners;
#[path = "real/listings.rs"]
mod listings;
#[path = "real/never_poison.rs"]
mod never_poison;
#[path = "real/outcomes.rs"]
mod outcomes;
#[path = "real/preview.rs"]
mod preview;
#[path = "real/redis_broker.rs"]
mod redis_broker;
#[path = "real/refusals.rs"]
mod refusals;
#[path = "real/results.rs"]
mod results;
#[path = "real/routing.rs"]
mod routing;
#[path = "real/routing_options.rs"]
mod routing_options;
#[path = "support/support.rs"]
mod support;
#[path = "real/support_table.rs"]
mod support_table;
#[path = "real/ways.rs"]
mod ways;
#[path = "real/world.rs"]
mod world;
