//! What is known beside a call while a command waits for it, and what that says of the call for people. It asks nobody.

use std::fmt::Write;

use super::revoke::Effect;
use crate::backend::Results;
use crate::call::diagnosis::{Advice, Diagnosis, Place, Scene, Usual, Verdict, Way, diagnose};
use crate::call::{Call, CallState};
use crate::client::{Event, LinkName};
use crate::clock::Now;
use crate::cluster::Cluster;
use crate::text::human;

/// Verdicts and advice that are printed at most; `--json` has all.
const LINES: usize = 6;

/// What the links and the workers told so far.
#[derive(Debug)]
pub struct Around {
    /// Workers and queues.
    pub cluster: Cluster,
    /// Where results are, once that is known.
    pub results: Option<Results>,
    /// How long the task took before, once history has told.
    pub usual: Option<Usual>,
    /// What a revoke of the call does, if one was sent.
    pub revoked: Option<Effect>,
    broker: Way,
    backend: Way,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            cluster: Cluster::default(),
            results: None,
            usual: None,
            revoked: None,
            broker: Way::Unknown,
            backend: Way::Unknown,
        }
    }
}

impl Around {
    /// Takes in what the client tells.
    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Link(LinkName::Broker, state) => self.broker = state.way(&self.broker),
            Event::Link(LinkName::Backend, state) => self.backend = state.way(&self.backend),
            Event::Results(results) => self.results = Some(results),
            Event::Heard(heard, at) => {
                self.cluster.apply(heard, at);
            }
            _ => {}
        }
    }

    /// Whether the workers have told who they are, or cannot.
    pub fn looked(&self) -> bool {
        self.cluster.surveyed || self.deaf()
    }

    /// Where the call is and why, and what can be done once this command has ended.
    pub fn diagnose(&self, call: &Call, now: Now) -> Diagnosis {
        let mut found = diagnose(call, &self.scene(), now);
        // Where it is not known that results are kept, nobody can be sent to wait for one.
        if found.to_caller || !matches!(self.results, Some(Results::Stored(_))) {
            found.next.retain(|advice| *advice != Advice::Wait);
        }
        found
    }

    /// As the diagnosis wants it.
    pub fn scene(&self) -> Scene<'_> {
        Scene {
            cluster: &self.cluster,
            broker: &self.broker,
            backend: &self.backend,
            results: self.results.as_ref().unwrap_or(&Results::Unknown),
            usual: self.usual,
        }
    }

    /// Where results are read, for people, if they can be.
    pub fn stored(&self) -> Option<String> {
        match &self.results {
            Some(Results::Stored(backend)) => Some(backend.address()),
            _ => None,
        }
    }

    /// Whether nothing can be asked just now.
    pub fn deaf(&self) -> bool {
        matches!(self.broker, Way::Down { .. } | Way::Blocked(_))
    }
}

/// What stands for "wait" where a result comes to nobody but the umbel that called.
const WAIT_LONGER: &str = "a longer --timeout next time: results on rpc:// come only to the umbel that called, while it runs";

/// `now:`, `why:` and `next:` of a call that was given up.
pub fn words(call: &Call, diagnosis: &Diagnosis, commands: &[String], now: Now) -> String {
    let mut text = format!("\n  now: {}", place(&diagnosis.now, now));
    if let Some(asked) = diagnosis.asked {
        let _ = write!(text, "  ({}/{} workers answered)", asked.replied, asked.of);
    }
    for (number, verdict) in diagnosis.why.iter().take(LINES).enumerate() {
        let label = if number == 0 { "why:" } else { "    " };
        let _ = write!(text, "\n  {label} {}", verdict.line());
    }
    let next = diagnosis
        .next
        .iter()
        .filter_map(|advice| command(advice, call, commands));
    let longer = diagnosis.to_caller.then(|| WAIT_LONGER.to_owned());
    let next = longer.into_iter().chain(next);
    for (number, advice) in next.take(LINES).enumerate() {
        let label = if number == 0 { "next:" } else { "     " };
        let _ = write!(text, "\n  {label} {advice}");
    }
    text
}

/// The first reason, for the progress line.
pub fn first_reason(diagnosis: &Diagnosis) -> Option<String> {
    diagnosis.first_to_tell().map(Verdict::line)
}

/// `RUN on w3@stg-7 pid 4120 since 9.2s, acknowledged`.
pub fn place(place: &Place, now: Now) -> String {
    let mut text = match place.state {
        None => "unknown".to_owned(),
        Some(CallState::Sent) => "SENT, no worker was seen to hold it".to_owned(),
        Some(state) => state.word().to_owned(),
    };
    if let Some(worker) = &place.worker {
        let was = if place.state.is_some() {
            "on"
        } else {
            "was on"
        };
        let _ = write!(text, " {was} {worker}");
    }
    if let Some(pid) = place.pid {
        let _ = write!(text, " pid {pid}");
    }
    if let (Some(since), Some(_)) = (place.since, &place.worker) {
        let since = human::duration(now.mono.since(since.mono));
        let least = if place.or_longer { " or longer" } else { "" };
        let _ = write!(text, " since {since}{least}");
    }
    match place.acknowledged {
        Some(true) => text.push_str(", acknowledged"),
        Some(false) => text.push_str(", not acknowledged yet"),
        None => {}
    }
    if let Some(told) = place.told.filter(|_| place.inferred) {
        let ago = human::duration(now.mono.since(told.mono));
        let _ = write!(text, ", last told {ago} ago");
    }
    text
}

/// Advice as a command where there is one, of those that exist.
fn command(advice: &Advice, call: &Call, commands: &[String]) -> Option<String> {
    let id = call.id();
    let umbel = |command: &str, rest: String| {
        commands
            .iter()
            .any(|known| known == command)
            .then(|| format!("umbel {command} {rest}"))
    };
    match advice {
        Advice::Wait => umbel("wait", id.to_string()),
        Advice::Revoke => umbel("revoke", id.to_string()),
        Advice::Terminate => umbel("revoke", format!("{id} --terminate")),
        // A comment, so that the line can be pasted into a shell.
        Advice::CallAgain { twice: true } => {
            umbel("again", format!("{id}   # it may then run twice"))
        }
        Advice::CallAgain { twice: false } => umbel("again", id.to_string()),
        advice => Some(advice.line()),
    }
}
