//! What a worker tells of itself: `conf`, `report`, `stats`. All workers of the demo run one application with the result backend `rpc://`.

use super::build::{number, object, texts};
use super::worker::{Pool, Worker};
use crate::protocol::Json;

const BROKER: &str = "memory://demo//";
const BACKEND: &str = "rpc://";
const MODULES: [&str; 2] = ["celery.app.builtins", "demo.tasks"];

/// The settings that differ from the defaults; with `with_defaults`, some of those too.
pub(super) fn conf(arguments: &Json) -> Json {
    let mut settings = changed();
    if arguments.get("with_defaults").and_then(Json::as_bool) == Some(true) {
        settings.extend(defaults());
    }
    let named = |(name, value): (&str, Json)| (name.to_owned(), value);
    Json::Object(settings.into_iter().map(named).collect())
}

/// Versions, transport and result backend in words.
pub(super) fn report() -> String {
    format!(
        "\nsoftware -> celery:5.7.0 (collider) kombu:5.7.0 py:3.11.7\n\
         \x20           billiard:4.3.2 memory:N/A\n\
         platform -> system:Linux arch:64bit, ELF\n\
         \x20           kernel version:6.1.0-generic imp:CPython\n\
         loader   -> celery.loaders.app.AppLoader\n\
         settings -> transport:memory results:{BACKEND}\n\
         \n\
         broker_url: '{BROKER}'\n\
         result_backend: '{BACKEND}'\n\
         deprecated_settings: None\n\
         task_track_started: True\n\
         include: \n    ('{}', '{}')\n",
        MODULES[0], MODULES[1],
    )
}

impl Worker {
    pub(super) fn stats(&self) -> Json {
        let totals = self.desk.totals.iter();
        let totals = totals.map(|(task, count)| (task.0.clone(), Json::from(*count)));
        object([
            ("total", Json::Object(totals.collect())),
            ("pid", Json::from(self.profile.pid)),
            ("clock", Json::Text(self.desk.clock.to_string())),
            ("uptime", Json::from(self.outbox.time.uptime().as_secs())),
            ("pool", self.pool()),
            ("broker", broker()),
            ("prefetch_count", number(self.prefetch())),
            ("rusage", object([("maxrss", Json::from(66_636))])),
        ])
    }

    fn pool(&self) -> Json {
        let processes = Json::List(self.processes().map(Json::from).collect());
        let slots = number(self.profile.pool.slots());
        match self.profile.pool {
            Pool::Prefork(_) => object([
                (
                    "implementation",
                    "celery.concurrency.prefork:TaskPool".into(),
                ),
                ("max-concurrency", slots),
                ("processes", processes),
                ("max-tasks-per-child", "N/A".into()),
                ("put-guarded-by-semaphore", Json::Bool(false)),
                ("timeouts", Json::List(vec![Json::from(0), Json::from(0)])),
            ]),
            Pool::Solo => object([
                ("implementation", "celery.concurrency.solo:TaskPool".into()),
                ("max-concurrency", slots),
                ("processes", processes),
                ("max-tasks-per-child", Json::Null),
                ("put-guarded-by-semaphore", Json::Bool(true)),
                ("timeouts", Json::List(Vec::new())),
            ]),
        }
    }
}

fn broker() -> Json {
    object([
        ("hostname", "demo".into()),
        ("userid", Json::Null),
        ("virtual_host", "/".into()),
        ("port", Json::Null),
        ("ssl", Json::Bool(false)),
        ("transport", "memory".into()),
        ("transport_options", object([])),
        ("heartbeat", number("0.0")),
    ])
}

fn changed() -> Vec<(&'static str, Json)> {
    vec![
        ("broker_url", BROKER.into()),
        ("result_backend", BACKEND.into()),
        ("deprecated_settings", Json::Null),
        ("task_track_started", Json::Bool(true)),
        ("include", texts(MODULES)),
    ]
}

/// Some of the two hundred, the awkward ones among them.
fn defaults() -> Vec<(&'static str, Json)> {
    vec![
        ("accept_content", texts(["json"])),
        ("enable_utc", Json::Bool(true)),
        ("timezone", Json::Null),
        ("control_exchange", "celery".into()),
        ("result_serializer", "json".into()),
        ("result_expires", Json::from(86_400)),
        ("result_backend_max_retries", number("Infinity")),
        ("task_default_queue", "celery".into()),
        ("task_default_routing_key", "********".into()),
        ("task_ignore_result", Json::Bool(false)),
        ("task_routes", Json::Null),
        ("task_serializer", "json".into()),
        ("task_protocol", Json::from(2)),
        ("worker_prefetch_multiplier", Json::from(4)),
    ]
}
