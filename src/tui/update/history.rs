//! Calls are written down as they change, and what history tells is folded into the state. Nothing told moves the focus by itself.

use std::time::Duration;

use super::calls;
use crate::backend::Results;
use crate::call::{Call, CallState};
use crate::client::Command;
use crate::clock::{Now, Timestamp};
use crate::history::record::Waited;
use crate::history::{Found, Known, Notice, Record, Scribe};
use crate::protocol::TaskId;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::history::Around;
use crate::tui::panes::{Ask, Pane, call};
use crate::tui::past::{Asked, Purpose, Told, Wish};
use crate::tui::state::{Shared, State};
use crate::tui::view::layout;

/// Calls so old are not listened for any more: backends forget results after a day unless told otherwise.
const PICKED_UP: Duration = Duration::from_hours(7 * 24);

/// A program that waits writes down the end of its waiting within this time.
const GRACE: Duration = Duration::from_secs(5);

/// What is said of a call whose reply queue is gone.
const REPLY_LOST: &str =
    "the program that waited for it has ended, and its reply queue with it: the outcome is unknown";

/// Everything that was told at once.
pub fn told(state: &mut State, told: Vec<Told>, now: Now) -> Outcome {
    let mut outcome = Outcome::default();
    for told in told {
        let next = hear(state, told, now);
        outcome.redraw |= next.redraw;
        outcome.effects.extend(next.effects);
    }
    outcome
}

fn hear(state: &mut State, told: Told, now: Now) -> Outcome {
    match told {
        Told::Notice(notice) => said(state, notice, now),
        Told::Usual(task, usual) => {
            state.shared.usual.extend(usual.map(|usual| (task, usual)));
        }
        Told::Page {
            asked: Asked::List(number),
            first,
            rows,
        } => {
            let around = around(&state.shared, layout::rows(state, Pane::History));
            let redraw = state.history.page(number, first, rows, around);
            return Outcome {
                redraw,
                effects: Vec::new(),
            };
        }
        Told::Counts(filter, counts) => {
            return Outcome {
                redraw: state.history.counted(&filter, counts),
                effects: Vec::new(),
            };
        }
        Told::Recall(number, answer) => return super::recall::answered(state, number, answer, now),
        Told::Unresolved(records) => return pick_up(state, records, now),
        Told::Got(found, purpose) => return got(state, found, purpose, now),
        Told::Forgotten(record) => forgotten(state, record, now),
        Told::Recollected => state.history.look(now),
        Told::Trouble(error) => state.notices.done(error.message, now),
    }
    Outcome::redraw()
}

fn said(state: &mut State, notice: Notice, now: Now) {
    match notice {
        Notice::InMemory(error) => {
            let hint = error.hint.map(|hint| format!("; {hint}"));
            let text = format!("history: {}{}", error.message, hint.unwrap_or_default());
            state.notices.problem(text, now);
        }
        Notice::OnDisk(path) => {
            let text = format!("history is written to {} again", path.display());
            state.notices.done(text, now);
        }
    }
}

fn around(shared: &Shared, height: usize) -> Around<'_> {
    Around {
        calls: &shared.calls,
        height,
    }
}

/// Time passes for the list of calls.
pub fn tick(state: &mut State, now: Now) {
    if state.shared.scribe.is_some() {
        let seen = layout::sees(state, Pane::History);
        state.history.tick(seen, now);
    }
}

/// Calls were made, or the size changed.
pub fn refresh(state: &mut State) {
    let height = layout::rows(state, Pane::History);
    state.history.refresh(around(&state.shared, height));
}

/// Shows a call: one of this run as it is, another one as soon as it is fetched.
pub fn show(state: &mut State, id: TaskId, now: Now) -> Outcome {
    let own = state.shared.calls.get(&id);
    let visits = state
        .shared
        .calls
        .visitor()
        .is_some_and(|call| *call.id() == id);
    if own.is_some() && !visits {
        return calls::show(state, id);
    }
    recall(state, id, Purpose::Show, now)
}

/// Fetches a call for a purpose.
pub fn recall(state: &mut State, id: TaskId, purpose: Purpose, now: Now) -> Outcome {
    if state.shared.scribe.is_none() {
        state.notices.done("there is no history", now);
        return Outcome::redraw();
    }
    Outcome::redraw().and(Effect::History(Wish::Get(id, purpose)))
}

fn got(state: &mut State, found: Found, purpose: Purpose, now: Now) -> Outcome {
    let Found::One(record) = found else {
        state.notices.done("history has no such call", now);
        return Outcome::redraw();
    };
    let done = match purpose {
        Purpose::Show => {
            let id = record.id().clone();
            state.shared.calls.visit(record.to_call(now));
            return calls::show(state, id);
        }
        Purpose::Load => load(state, &record, now),
        Purpose::Again => state.call.again(
            &record,
            call::Around {
                shared: &state.shared,
                now,
                deaf_until: state.deaf_until,
                burst: false,
            },
        ),
    };
    match done {
        Ok(asks) => calls::grant_all(state, asks, now),
        Err(reason) => {
            state.notices.done(reason, now);
            Outcome::redraw()
        }
    }
}

/// Loads a call into the form and goes there.
///
/// # Errors
/// It cannot be loaded: why.
pub fn load(state: &mut State, record: &Record, now: Now) -> Result<Vec<Ask>, String> {
    let replaced = state.call.load(record, &state.shared, now)?;
    let key = crate::tui::panes::key(Context::CallNav, Action::Undo);
    let text = match (record.masked.is_empty(), replaced) {
        (false, _) => "loaded into the form; history keeps no secrets: type them again".to_owned(),
        (true, true) => format!("loaded into the form; {key} brings back what it held"),
        (true, false) => "loaded into the form".to_owned(),
    };
    Ok(vec![Ask::Focus(Pane::Call), Ask::Deaf, Ask::say(text)])
}

fn forgotten(state: &mut State, record: Option<Box<Record>>, now: Now) {
    let Some(record) = record else {
        state.notices.done("history has no such call", now);
        return;
    };
    let text = format!("{} is forgotten; u takes that back", record.id().short());
    state.notices.done(text, now);
    let around = around(&state.shared, layout::rows(state, Pane::History));
    state.history.forgot(*record, around, now);
}

/// The calls that changed, as they are to be kept.
pub fn keep(state: &mut State, now: Now) -> Vec<Effect> {
    let changed = state.shared.calls.take_changed();
    let shared = &state.shared;
    let Some(scribe) = &shared.scribe else {
        return Vec::new();
    };
    let scribe = here(scribe, shared);
    let wishes = state.history.take_wishes().into_iter().map(Effect::History);
    let calls = changed.iter().filter_map(|id| shared.calls.get(id));
    let calls = calls.filter(|call| call.state() != CallState::Draft || call.refused());
    calls
        .map(|call| of(call, &scribe, shared.calls.adopted(call.id()), now))
        .map(|record| Effect::History(Wish::Save(Box::new(record))))
        .chain(wishes)
        .collect()
}

/// What is kept of a call. Of one that an earlier run made, that run knew some things better.
fn of(call: &Call, scribe: &Scribe, earlier: Option<&Record>, now: Now) -> Record {
    let record = Record::of(call, scribe, Known::default(), now);
    match earlier {
        None => record,
        Some(earlier) => Record {
            origin: earlier.origin.clone(),
            masked: earlier.masked.clone(),
            arguments_cut: earlier.arguments_cut,
            diagnosis: earlier.diagnosis.clone(),
            ..record
        },
    }
}

/// It is known where results are: calls of earlier runs may be listened for.
pub fn results_known(state: &mut State, now: Now) {
    if matches!(state.shared.results, Results::Stored(_) | Results::Rpc)
        && let Some(scribe) = &state.shared.scribe
    {
        let since = now.wall.checked_sub(PICKED_UP).unwrap_or(Timestamp::MIN);
        state.history.pick_up(&scribe.origin.broker, since);
    }
}

/// Calls of runs that have gone: where the backend keeps results they are listened for; a reply queue died with its run.
fn pick_up(state: &mut State, records: Vec<Record>, now: Now) -> Outcome {
    let mut outcome = Outcome::redraw();
    let stored = matches!(state.shared.results, Results::Stored(_));
    let backend = stored.then(|| state.shared.results.address());
    for record in records {
        let known = state.shared.calls.get(record.id()).is_some();
        if known || !is_left_alone(&record, now) {
            continue;
        }
        let mut call = record.pick_up(now);
        let there = record.origin.backend.as_ref();
        if backend
            .as_ref()
            .is_some_and(|here| there.is_none_or(|there| there == here))
        {
            let follow = Command::Follow(call.id().clone());
            outcome.effects.push(Effect::Client(follow));
            state.shared.calls.adopt(call, record);
        } else if !stored && record.waited == Waited::Yes {
            call.warnings.push(REPLY_LOST.to_owned());
            let scribe = Scribe::default();
            let record = of(&call, &scribe, Some(&record), now);
            let save = Wish::Save(Box::new(record));
            outcome.effects.push(Effect::History(save));
        }
    }
    refresh(state);
    outcome
}

/// Whether nobody waits for a call any more: its waiting has ended, or its time is over and nobody has said so.
fn is_left_alone(record: &Record, now: Now) -> bool {
    if record.waited != Waited::Yes {
        return true;
    }
    let patience = record.timeout + record.times.recorded.after + GRACE;
    let age = now.wall.duration_since(record.times.created);
    age.unsigned_abs() > patience
}

/// The scribe, with the result backend as it is known now.
fn here(scribe: &Scribe, shared: &Shared) -> Scribe {
    let mut scribe = scribe.clone();
    if let Results::Stored(backend) = &shared.results {
        scribe.origin.backend = Some(backend.address());
    }
    scribe
}
