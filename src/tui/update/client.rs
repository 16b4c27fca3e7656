//! What the client tells, folded into the state. Nothing heard moves the focus or touches what is being typed.

use super::{calls, focus};
use crate::backend::Results;
use crate::call::{Call, Fact};
use crate::client::{Command, Event};
use crate::clock::Now;
use crate::cluster::{Answer, Cluster, Heard};
use crate::error::{Error, Kind};
use crate::protocol::{NodeName, TaskId};
use crate::tui::effect::Outcome;
use crate::tui::state::{NoticeKind, State};

/// One event.
pub fn heard(state: &mut State, event: Event, now: Now) -> Outcome {
    let redraw = match event {
        Event::Link(name, link) => state.shared.links.apply(name, link),
        Event::Results(results) => results_known(state, results),
        Event::ResultsTrouble(error) => results_trouble(state, error, now),
        Event::Notice(notice) => {
            state.notices.problem(notice, now);
            true
        }
        Event::Heard(heard, at) => cluster_heard(state, heard, at, now),
        Event::Call(id, fact, at) => call_heard(state, &id, fact, at, now),
        Event::Revoked { id, node, answer } => {
            revoked(state, id, &node, answer, now);
            true
        }
        Event::RevokeFailed { id, reason } => {
            let text = match reason.kind {
                Kind::UnknownDelivery => format!("revoke: {}", reason.message),
                _ => format!("not revoked: {}", reason.message),
            };
            state.notices.about(NoticeKind::Problem, id, text, now);
            true
        }
        Event::Closed => closed(state, now),
    };
    Outcome {
        redraw,
        effects: Vec::new(),
    }
}

/// A command that the client did not take: nothing was done.
pub fn refused(state: &mut State, command: Command, now: Now) -> Outcome {
    let busy = "the connection is busy or gone";
    match command {
        Command::Call(order) => {
            let error = Error::new(Kind::Unsent, format!("not sent: {busy}"));
            call_heard(state, &order.signature.id, Fact::Unsent(error), now, now);
        }
        Command::Revoke { id, .. } => {
            let text = format!("not revoked: {busy}");
            state.notices.about(NoticeKind::Problem, id, text, now);
        }
        Command::Close | Command::Expect(_) | Command::WatchWorkers(_) => {
            return Outcome::default();
        }
        Command::Refresh | Command::Queue(_) => {
            state.notices.done(format!("not asked: {busy}"), now);
        }
    }
    Outcome::redraw()
}

fn results_known(state: &mut State, results: Results) -> bool {
    if !matches!(results, Results::Stored(_)) {
        state.shared.links.backend = None;
    }
    state.shared.results_trouble = None;
    state.shared.results = results;
    true
}

fn results_trouble(state: &mut State, error: Error, now: Now) -> bool {
    let hint = error
        .hint
        .as_ref()
        .map(|hint| format!("; {hint}"))
        .unwrap_or_default();
    state
        .notices
        .problem(format!("{}{hint}", error.message), now);
    state.shared.results_trouble = Some(error);
    true
}

fn cluster_heard(state: &mut State, heard: Heard, at: Now, now: Now) -> bool {
    let about_tasks = matches!(
        &heard,
        Heard::Answer {
            answer: Answer::Tasks(_),
            ..
        }
    );
    let answering = answering(&state.shared.cluster);
    let changed = state.shared.cluster.apply(heard, at);
    if changed && !about_tasks && answering == self::answering(&state.shared.cluster) {
        focus::refresh_lists(state, now);
    } else if changed {
        focus::refresh(state, now);
    }
    changed
}

/// Who answers and has told tasks: while this and the tasks stay, the list of tasks does.
fn answering(cluster: &Cluster) -> Vec<NodeName> {
    let told = cluster.answering().filter(|worker| worker.tasks.is_some());
    told.map(|worker| worker.name.clone()).collect()
}

/// What of a call can be seen beside its state.
type Seen = (
    Option<NodeName>,
    Option<u64>,
    Option<bool>,
    Option<u64>,
    bool,
);

fn seen(call: &Call) -> Seen {
    let Call {
        worker,
        pid,
        acknowledged,
        retries,
        trouble,
        ..
    } = call;
    (
        worker.clone(),
        *pid,
        *acknowledged,
        *retries,
        trouble.is_some(),
    )
}

fn call_heard(state: &mut State, id: &TaskId, fact: Fact, at: Now, now: Now) -> bool {
    let Some(call) = state.shared.calls.get_mut(id) else {
        return false;
    };
    // A deadline that passed before this was heard ended the waiting, whatever order the messages came in.
    call.tick(at);
    let refused = call.refused();
    let before = (call.state(), seen(call));
    let mut changed = call.apply(fact, at);
    changed |= before != (call.state(), seen(call));
    let ended = (call.state().is_final() && !before.0.is_final()) || (call.refused() && !refused);
    state.result.refresh(&state.shared);
    if ended {
        calls::tell(state, id, now);
    }
    changed
}

fn revoked(
    state: &mut State,
    id: TaskId,
    node: &NodeName,
    answer: Result<String, String>,
    now: Now,
) {
    let (kind, words) = match answer {
        Ok(words) => (NoticeKind::Done, words),
        Err(words) => (NoticeKind::Problem, format!("revoke failed: {words}")),
    };
    state
        .notices
        .about(kind, id, format!("{node}: {words}"), now);
}

fn closed(state: &mut State, now: Now) -> bool {
    if state.leaving {
        return false;
    }
    let text = "the connection has ended; start umbel again to go on";
    state.notices.problem(text, now);
    true
}
