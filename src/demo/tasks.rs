//! The tasks of the demo: what they are called, what they take, what they do. Nothing here leaves the process.

mod fail;
mod large;
mod math;
mod progress;
mod slow;
mod text;
mod unicode;

use std::sync::Arc;
use std::time::Duration;

use super::arguments::{Arguments, Parameters};
use super::outbox::Outbox;
use super::raised::Raised;
use super::request::Request;
use crate::protocol::Json;

/// Names of the demo's own tasks, in order.
pub const NAMES: [&str; 9] = [
    "demo.fail.always",
    "demo.fail.retry",
    "demo.math.add",
    "demo.progress.count",
    "demo.result.large",
    "demo.silent.ignored",
    "demo.slow.sleep",
    "demo.text.echo",
    "demo.unicode",
];

/// A registered task.
#[derive(Debug)]
pub(super) struct Task {
    pub name: &'static str,
    pub parameters: Parameters,
    pub ignore_result: bool,
    /// Its own `queue` option.
    pub queue: Option<&'static str>,
    body: Body,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Add,
    Echo,
    Sleep,
    FailAlways,
    FailRetry,
    Count,
    Large,
    Ignored,
    Unicode,
    Accumulate,
    Nothing,
    Abstract,
}

/// What a running task can do besides returning.
pub(super) struct Context {
    pub outbox: Outbox,
    pub request: Arc<Request>,
    /// Whether its result is wanted.
    pub wanted: bool,
}

impl Context {
    /// Celery's `self.update_state(state=…, meta=…)`.
    fn update_state(&self, state: &str, meta: &Json) {
        if self.wanted {
            self.outbox.custom(&self.request, state, meta);
        }
    }
}

/// How a task ended, other than by returning.
pub(super) enum Stop {
    /// It raised.
    Raised(Raised),
    /// It asked to be run again.
    Retry {
        /// After so long.
        countdown: Duration,
        /// Why, and Celery's `Retry` on top of it.
        raised: Raised,
    },
}

impl From<Raised> for Stop {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

impl Task {
    /// Whether it is one of Celery's own.
    pub(super) fn builtin(&self) -> bool {
        self.name.starts_with("celery.")
    }

    /// Binds the arguments and runs; the answer is JSON text.
    pub(super) async fn run(&self, context: &Context) -> Result<String, Stop> {
        let request = &context.request;
        let arguments = self.parameters.bind(&request.args, &request.kwargs);
        let arguments = arguments.map_err(|text| Raised::builtin("TypeError", text, &[]))?;
        self.call(arguments, context).await
    }

    async fn call(&self, arguments: Arguments, context: &Context) -> Result<String, Stop> {
        let value = match self.body {
            Body::Add => math::add(arguments)?,
            Body::Echo => text::echo(arguments),
            Body::Sleep => slow::sleep(arguments).await?,
            Body::FailAlways => return Err(fail::always(arguments).into()),
            Body::FailRetry => fail::retry(context.request.retries)?,
            Body::Count => progress::count(arguments, context).await?,
            Body::Large => return Ok(large::large(arguments).await?),
            Body::Ignored => Json::from("nobody reads this"),
            Body::Unicode => unicode::unicode(),
            Body::Accumulate => text::accumulate(arguments)?,
            Body::Nothing => Json::Null,
            Body::Abstract => {
                let why = format!("{} is not a real task", self.parameters.function);
                return Err(Raised::builtin("NotImplementedError", why, &[]).into());
            }
        };
        Ok(value.to_wire())
    }
}

/// The task of that name.
pub(super) fn find(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

/// All tasks a worker has registered, by name.
pub(super) static TASKS: [Task; 18] = [
    builtin("celery.accumulate", "accumulate", Body::Accumulate),
    builtin("celery.backend_cleanup", "backend_cleanup", Body::Nothing),
    builtin("celery.chain", "chain", Body::Abstract),
    builtin("celery.chord", "chord", Body::Abstract),
    Task {
        ignore_result: true,
        ..builtin("celery.chord_unlock", "unlock_chord", Body::Abstract)
    },
    builtin("celery.chunks", "chunks", Body::Abstract),
    builtin("celery.group", "group", Body::Abstract),
    builtin("celery.map", "xmap", Body::Abstract),
    builtin("celery.starmap", "xstarmap", Body::Abstract),
    task(NAMES[0], "always", Body::FailAlways, &["number"], 0),
    bound(task(NAMES[1], "retry", Body::FailRetry, &[], 0)),
    task(NAMES[2], "add", Body::Add, &["x", "y"], 2),
    bound(task(NAMES[3], "count", Body::Count, &["n", "delay"], 0)),
    Task {
        queue: Some("celery"),
        ..task(NAMES[4], "large", Body::Large, &["megabytes"], 0)
    },
    Task {
        ignore_result: true,
        ..task(NAMES[5], "ignored", Body::Ignored, &[], 0)
    },
    task(NAMES[6], "sleep", Body::Sleep, &["seconds"], 1),
    open(task(NAMES[7], "echo", Body::Echo, &[], 0)),
    task(NAMES[8], "unicode", Body::Unicode, &[], 0),
];

const fn task(
    name: &'static str,
    function: &'static str,
    body: Body,
    names: &'static [&'static str],
    required: usize,
) -> Task {
    let parameters = Parameters {
        function,
        bound: false,
        names,
        required,
        open: false,
    };
    Task {
        name,
        parameters,
        ignore_result: false,
        queue: None,
        body,
    }
}

/// The task takes itself first.
const fn bound(mut task: Task) -> Task {
    task.parameters.bound = true;
    task
}

/// The task takes any arguments.
const fn open(mut task: Task) -> Task {
    task.parameters.open = true;
    task
}

const fn builtin(name: &'static str, function: &'static str, body: Body) -> Task {
    open(bound(task(name, function, body, &[], 0)))
}
