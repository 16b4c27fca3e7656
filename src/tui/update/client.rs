//! What the client tells, folded into the state. Nothing heard moves the focus or touches what is being typed.

use super::{calls, focus, overlay};
use crate::backend::Results;
use crate::call::{Call, Fact};
use crate::client::{Command, Event};
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::{NodeName, TaskId};
use crate::tui::effect::Outcome;
use crate::tui::state::calls::key_of;
use crate::tui::state::{NoticeKind, State};

/// What was heard at once. The lists are made anew once, however much of it there is.
pub fn heard_all(state: &mut State, events: Vec<Event>, now: Now) -> Outcome {
    let mut redraw = false;
    let mut lists = false;
    for event in events {
        let about_cluster = matches!(event, Event::Heard(..));
        let changed = heard(state, event, now);
        lists |= about_cluster && changed;
        redraw |= changed;
    }
    if lists {
        refresh(state, now);
    }
    Outcome {
        redraw,
        effects: Vec::new(),
    }
}

/// Time passes for the cluster; whether that changed anything.
pub fn tick(state: &mut State, now: Now) -> bool {
    let shared = &mut state.shared;
    let calls = &shared.calls;
    let mut changed = shared.cluster.tick(now);
    changed |= shared.cluster.forget_gone(now, |node| calls.mention(node));
    if changed {
        shared.news += 1;
        refresh(state, now);
    }
    changed
}

/// The cluster changed: the list of tasks is made anew only where tasks changed.
fn refresh(state: &mut State, now: Now) {
    if state.tasks.made_of(&state.shared.cluster) {
        focus::refresh_lists(state, now);
    } else {
        focus::refresh(state, now);
    }
}

/// One event; whether anything that can be seen changed.
fn heard(state: &mut State, event: Event, now: Now) -> bool {
    match event {
        Event::Link(name, link) => state.shared.links.apply(name, link),
        Event::Results(results) => results_known(state, results, now),
        Event::ResultsTrouble(error) => results_trouble(state, error, now),
        Event::Notice(notice) => {
            state.notices.problem(notice, now);
            true
        }
        Event::Heard(heard, at) => {
            let changed = state.shared.cluster.apply(heard, at);
            state.shared.news += u64::from(changed);
            changed
        }
        Event::Call(id, fact, at) => call_heard(state, &id, fact, at, now),
        Event::Revoked { id, node, answer } => {
            revoked(state, id, &node, answer, now);
            true
        }
        Event::RevokeFailed { id, reason } => {
            if reason.kind != Kind::UnknownDelivery {
                state.shared.revokes.failed(&id);
            }
            let text = match reason.kind {
                Kind::UnknownDelivery => format!("revoke: {}", reason.message),
                _ => format!("not revoked: {}", reason.message),
            };
            state.notices.about(NoticeKind::Problem, id, text, now);
            true
        }
        Event::Listed(_) => false,
        Event::Closed => closed(state, now),
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
        Command::Revoke { id, .. } | Command::Terminate { id, .. } => {
            let text = format!("not revoked: {busy}");
            state.shared.revokes.failed(&id);
            state.notices.about(NoticeKind::Problem, id, text, now);
        }
        Command::Close
        | Command::Investigate { .. }
        | Command::Expect(_)
        | Command::ListQueues
        | Command::Follow(_)
        | Command::ResultsWereAt(_)
        | Command::WatchWorkers(_) => {
            return Outcome::default();
        }
        Command::Refresh | Command::Queue(_) => {
            state.notices.done(format!("not asked: {busy}"), now);
        }
    }
    Outcome::redraw()
}

fn results_known(state: &mut State, results: Results, now: Now) -> bool {
    if !matches!(results, Results::Stored(_)) {
        state.shared.links.backend = None;
    }
    state.shared.results_trouble = None;
    state.shared.results = results;
    state.shared.news += 1;
    super::history::results_known(state, now);
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
    // A deadline that passed before this was heard ended the waiting, whatever order the messages came in.
    let Some(call) = state.shared.calls.get_mut(id) else {
        return false;
    };
    let key = key_of(call);
    let over = call.tick(at);
    if over {
        state.shared.calls.changed(&key);
        calls::tell(state, &key, now);
    }
    let Some(call) = state.shared.calls.get_mut(id) else {
        return false;
    };
    let refused = call.refused();
    let place = call.whereabouts();
    let before = (call.state(), seen(call));
    let mut changed = call.apply(fact, at);
    changed |= before != (call.state(), seen(call));
    let ended = (call.state().is_final() && !before.0.is_final()) || (call.refused() && !refused);
    let moved = call.whereabouts() != place;
    if changed {
        state.shared.calls.changed(&key);
    }
    if moved {
        overlay::asks_anew(state, &key, now);
    }
    state.result.refresh(&state.shared);
    if ended {
        calls::tell(state, &key, now);
    }
    changed || over
}

fn revoked(
    state: &mut State,
    id: TaskId,
    node: &NodeName,
    answer: Result<String, String>,
    now: Now,
) {
    let kind = match &answer {
        Ok(_) => NoticeKind::Done,
        Err(_) => NoticeKind::Problem,
    };
    let told = state.shared.revokes.said(&id, node, &answer);
    let text = match (told, answer) {
        (Some(revoke), _) => revoke.words(),
        (None, Ok(words)) => format!("{node}: {words}"),
        (None, Err(words)) => format!("{node}: revoke failed: {words}"),
    };
    state.notices.about(kind, id, text, now);
}

fn closed(state: &mut State, now: Now) -> bool {
    if state.leaving {
        return false;
    }
    let text = "the connection has ended; start umbel again to go on";
    state.notices.problem(text, now);
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::{Answer, Heard};
    use crate::protocol::TaskName;

    fn tasks(worker: usize, tasks: usize) -> Event {
        let names = (0..tasks).map(|task| TaskName(format!("shop.task{task}")));
        let heard = Heard::Answer {
            node: NodeName(format!("w{worker}")),
            answer: Answer::Tasks(names.collect()),
            took: Duration::ZERO,
        };
        Event::Heard(heard, Now::fixed(Duration::ZERO))
    }

    fn state() -> State {
        let setup = crate::tui::Setup {
            connection: None,
            target: crate::tui::Target::default(),
            timeout: Duration::from_secs(10),
            look: crate::tui::theme::Look::default(),
        };
        State::new(&setup, Now::fixed(Duration::ZERO))
    }

    #[test]
    fn a_batch_of_first_answers_makes_the_list_of_tasks_once() {
        let mut state = state();
        let batch = (0..200).map(|worker| tasks(worker, 500)).collect();
        let now = Now::fixed(Duration::ZERO);
        assert!(heard_all(&mut state, batch, now).redraw);
        assert_eq!((state.tasks.made, state.tasks.list.total), (1, 500));
        let again = (0..200).map(|worker| tasks(worker, 500)).collect();
        assert!(!heard_all(&mut state, again, now).redraw);
        assert_eq!(state.tasks.made, 1, "nothing new: nothing is made anew");
    }
}
