//! The timeline of a call: SENT, RECV, RUN, back, each with its time and how long it took. What is not known says `?`.

use std::time::Duration;

use crate::call::timeline::Clock;
use crate::call::{Call, CallState};
use crate::clock::Now;
use crate::text::human::countdown;
use crate::tui::panes::{remote, took};
use crate::tui::state::Shared;

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `SENT`, `RECV`, `RUN`, `...`, `back`.
    pub word: &'static str,
    /// Time of day, with the day if it is not today; or `?`.
    pub time: String,
    /// Where, or why not.
    pub what: String,
    /// How long it took.
    pub took: String,
    /// Whether it happened.
    pub known: bool,
}

/// What steps are told with.
type Around<'a> = (&'a Shared, Now);

/// The steps of `call`; `gone`: nobody knows whether it still runs.
pub fn steps(call: &Call, shared: &Shared, gone: bool, now: Now) -> Vec<Step> {
    if call.timeline.published.is_none() {
        return Vec::new();
    }
    let around = (shared, now);
    let mut steps = vec![sent(call, around)];
    if call.state() != CallState::Unsent && call.state() != CallState::NoResult {
        steps.extend([received(call, around), started(call, around)]);
        steps.extend(started_again(call, around));
        steps.extend(ending(call, around, gone));
    }
    steps
}

fn step(word: &'static str, at: Option<Now>, (shared, now): Around<'_>, what: String) -> Step {
    Step {
        word,
        time: at.map_or_else(
            || "?".to_owned(),
            |at| shared.exactly_when(at.wall, now.wall),
        ),
        what,
        took: String::new(),
        known: at.is_some(),
    }
}

fn sent(call: &Call, around: Around<'_>) -> Step {
    let (what, confirm) = match (call.state(), call.timeline.confirm_took(), call.sent()) {
        (CallState::Unsent, _, _) => ("not queued", None),
        (_, _, None) if call.trouble.is_some() => ("not confirmed", None),
        (_, Some(confirm), _) => ("broker confirmed", Some(confirm)),
        (_, None, _) => ("waiting for the broker", None),
    };
    Step {
        took: confirm.map(took).unwrap_or_default(),
        ..step("SENT", call.timeline.published, around, what.to_owned())
    }
}

fn since_sent(call: &Call, at: Option<Now>) -> Option<Duration> {
    Some(at?.mono.since(call.timeline.published?.mono))
}

fn received(call: &Call, around: Around<'_>) -> Step {
    let at = call.timeline.held;
    // What another worker did later is no news of this one.
    let first = call.first.holder.as_ref().or(call.first.worker.as_ref());
    let worker = if call.restarted() {
        first
    } else {
        call.worker.as_ref()
    };
    let worker = worker.map(|worker| remote(worker.as_str()));
    let what = match (at, worker) {
        (_, Some(worker)) => worker,
        (Some(_), None) => "at a worker".to_owned(),
        (None, None) if call.result_known() => "not reported by this cluster".to_owned(),
        (None, None) => "no worker told it yet".to_owned(),
    };
    let told = call.timeline.received.is_some();
    let within = if told { "" } else { "within " };
    Step {
        took: since_sent(call, at)
            .map(|after| format!("{within}{}", took(after)))
            .unwrap_or_default(),
        ..step("RECV", at, around, what)
    }
}

fn started(call: &Call, around: Around<'_>) -> Step {
    let at = call.timeline.started;
    let again = call.restarted();
    let pid = if again { call.first.pid } else { call.pid };
    let mut what = match (at, pid) {
        (_, Some(pid)) => format!("pid {pid}"),
        (Some(_), None) => "started".to_owned(),
        (None, None) if call.result_known() => "not reported by this cluster".to_owned(),
        (None, None) => "not known to run".to_owned(),
    };
    if !again {
        what.push_str(&retry(call));
    }
    let queued = call.timeline.queued().map(took);
    let about = Clock::about(call.timeline.queued_on());
    Step {
        took: queued
            .map(|took| format!("queued {about}{took}"))
            .unwrap_or_default(),
        ..step("RUN", at, around, what)
    }
}

/// The last start, where it is another one than the first: after a retry, or after the task was given to another worker.
fn started_again(call: &Call, around: Around<'_>) -> Option<Step> {
    let at = call.timeline.last_started;
    let worker = call.worker.as_ref();
    let on = worker.map_or_else(String::new, |worker| {
        format!(" on {}", remote(worker.as_str()))
    });
    let pid = call
        .pid
        .map_or_else(String::new, |pid| format!(" pid {pid}"));
    let what = format!("again{on}{pid}{}", retry(call));
    let restarted = call.restarted();
    restarted.then(|| step("RUN", at, around, what))
}

fn retry(call: &Call) -> String {
    let retries = call.retries.filter(|retries| *retries > 0);
    retries.map_or_else(String::new, |retries| format!(", retry {retries}"))
}

fn ending(call: &Call, around: Around<'_>, gone: bool) -> Option<Step> {
    let (shared, now) = around;
    if let Some(done) = call.timeline.done {
        let ran = call.timeline.ran().map(took);
        let total = call.timeline.total().map(took);
        return Some(Step {
            took: total
                .map(|total| format!("in all {}{total}", Clock::about(call.timeline.total_on())))
                .unwrap_or_default(),
            ..step(
                "back",
                Some(done),
                around,
                ran.map_or_else(
                    || "ran ?".to_owned(),
                    |ran| format!("ran {}{ran}", Clock::about(call.timeline.ran_on())),
                ),
            )
        });
    }
    // Once nobody waits nothing ticks fast, so nothing that counts is shown.
    if call.state() != CallState::Run {
        return None;
    }
    let usual = shared.scene(call).usual;
    let what = match call.timeline.last_started {
        _ if gone => "running ?".to_owned(),
        None => "running".to_owned(),
        Some(started) => format!("running {}", countdown(now.mono.since(started.mono))),
    };
    Some(Step {
        word: "...",
        time: what,
        what: usual.map_or_else(String::new, |usual| usual.line()),
        took: String::new(),
        known: true,
    })
}

/// `slower than 99% of 212 earlier calls`, where it is.
pub fn slower(call: &Call, shared: &Shared, now: Now) -> Option<String> {
    let usual = shared.scene(call).usual?;
    let running = call.whereabouts() == Some(CallState::Run);
    let running = call.timeline.last_started.filter(|_| running);
    let running = running.map(|started| now.mono.since(started.mono));
    usual.slower(call.timeline.ran().or(running)?)
}

/// All steps on one line: `sent 2ms ▸ queued 11ms ▸ ran 196ms ▸ 212ms in all`.
pub fn summary(call: &Call, marker: &str) -> String {
    let or_unknown = |value: Option<Duration>| value.map_or_else(|| "?".to_owned(), took);
    let timeline = &call.timeline;
    let parts = [
        format!("sent {}", or_unknown(timeline.confirm_took())),
        format!(
            "queued {}{}",
            Clock::about(timeline.queued_on()),
            or_unknown(timeline.queued())
        ),
        format!(
            "ran {}{}",
            Clock::about(timeline.ran_on()),
            or_unknown(timeline.ran())
        ),
        format!(
            "{}{} in all",
            Clock::about(timeline.total_on()),
            or_unknown(timeline.total())
        ),
    ];
    parts.join(&format!(" {marker} "))
}
