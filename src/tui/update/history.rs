//! Calls are written down as they change, and what history tells is folded into the state. Nothing told moves the focus by itself.

use std::time::Duration;

use super::{again, awaited, calls, looks};
use crate::backend::Results;
use crate::call::{Call, CallState};
use crate::client::Command;
use crate::clock::{Now, Timestamp};
use crate::history::record::Waited;
use crate::history::{Comparison, Found, Key, Known, Notice, Record, Scribe};
use crate::protocol::TaskId;
use crate::tui::effect::{Effect, Outcome};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::history::lookout::Waiting;
use crate::tui::panes::history::{Around, difference};
use crate::tui::panes::{self, Ask, Pane};
use crate::tui::past::{Asked, Purpose, Told, Want, Wish};
use crate::tui::popups::diff;
use crate::tui::state::calls::{is_left_alone, key_of, patience};
use crate::tui::state::{Keeping, Overlay, Shared, State};
use crate::tui::view::layout;

/// Calls so old are not listened for any more: backends forget results after a day unless told otherwise.
const PICKED_UP: Duration = Duration::from_hours(7 * 24);

/// Calls of earlier runs that are asked about when another program wrote.
const RENEWED: usize = 50;

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
        Told::Notice(notice) => return said(state, notice, now),
        Told::Usual(task, usual) => {
            state.shared.usual.extend(usual.map(|usual| (task, usual)));
        }
        Told::Page {
            asked: Asked::List(number),
            before,
            rows,
        } => {
            let around = around(&state.shared, layout::rows(state, Pane::History));
            let redraw = state.history.page(number, before, rows, around);
            return Outcome {
                redraw,
                effects: Vec::new(),
            };
        }
        Told::Counts(number, counts) => {
            return Outcome {
                redraw: state.history.counted(number, counts),
                effects: Vec::new(),
            };
        }
        Told::Recall(number, answer) => return super::recall::answered(state, number, answer, now),
        Told::Unresolved(records) => return pick_up(state, records, now),
        Told::Got(found, purpose) => return got(state, found, purpose, now),
        Told::NotGot(purpose, error) => awaited::failed(state, purpose, &error, now),
        Told::Compared(compared, press) => show_difference(state, compared, press, now),
        Told::Forgotten(key, record) => forgotten(state, &key, record, now),
        Told::NotForgotten(key, error) => {
            state.history.not_forgot(&key);
            let text = format!("not forgotten: {}", error.message);
            state.notices.problem(text, now);
        }
        Told::Recollected(key) => {
            // It may have gone on meanwhile.
            state.shared.calls.changed(&key);
            state.history.look(now);
        }
        Told::NotRecollected(record, error) => {
            let around = around(&state.shared, layout::rows(state, Pane::History));
            state.history.not_recollected(*record, around);
            let text = format!("not taken back: {}", error.message);
            state.notices.problem(text, now);
        }
        Told::Kept => return Outcome::default(),
        Told::NotPaged(before, error) => {
            state.history.not_paged(before);
            state.notices.done(error.message, now);
        }
        Told::NotUnresolved(error) => {
            state.history.not_told_of_open_ones();
            state.notices.done(error.message, now);
        }
        Told::Trouble(error) => state.notices.done(error.message, now),
    }
    Outcome::redraw()
}

fn said(state: &mut State, notice: Notice, now: Now) -> Outcome {
    match notice {
        Notice::InMemory(error) => {
            let hint = error.hint.as_ref().map(|hint| format!("; {hint}"));
            let text = format!("history: {}{}", error.message, hint.unwrap_or_default());
            state.notices.problem(text, now);
            state.shared.keeping = Keeping::Failed(error);
            state.history.stale();
        }
        Notice::OnDisk(path) => {
            let text = format!("history is written to {} again", path.display());
            state.notices.done(text, now);
            state.shared.keeping = Keeping::Disk;
            state.history.stale();
        }
        Notice::Slimmed(calls) => {
            let text =
                format!("history in memory is full: the oldest calls lost their values ({calls})");
            state.notices.done(text, now);
        }
        Notice::Changed => return others_wrote(state),
    }
    refresh(state);
    Outcome::redraw()
}

/// Another program wrote: the list is looked at soon, and the calls that it may have heard more of.
fn others_wrote(state: &mut State) -> Outcome {
    state.history.others_wrote();
    let calls = &state.shared.calls;
    let shown = state.result.shown_key().cloned();
    let shown = shown.filter(|key| calls.visits_call(key));
    let open = calls.adopted_open().take(RENEWED);
    let renewed = shown.into_iter().chain(open);
    let wishes = renewed.map(|key| Effect::History(Wish::Get(key, Purpose::Renew)));
    Outcome {
        redraw: false,
        effects: wishes.collect(),
    }
}

/// What history has of a call that another program may have heard more of.
fn renewed(state: &mut State, found: Found, now: Now) -> Outcome {
    let Found::One(record) = found else {
        return Outcome::default();
    };
    let key = record.key();
    if state.shared.calls.visits_call(&key) {
        let news = state.shared.calls.visit(record.to_call(now), *record);
        state.result.refresh(&state.shared);
        return Outcome {
            redraw: news,
            effects: Vec::new(),
        };
    }
    let open = state.shared.calls.adopted_open().any(|open| open == key);
    if !open {
        return Outcome::default();
    }
    if !record.state.is_final() {
        return Outcome {
            redraw: looks::of_others(state, &record.to_call(now)),
            effects: Vec::new(),
        };
    }
    state.shared.calls.replace(record.to_call(now));
    state.result.refresh(&state.shared);
    calls::tell(state, &key, now);
    Outcome::redraw()
}

fn show_difference(
    state: &mut State,
    compared: Result<Box<Comparison>, String>,
    press: u64,
    now: Now,
) {
    if !awaited::comes(state, Purpose::Compare(press), now) {
        return;
    }
    match compared {
        Ok(compared) => {
            let lines = difference::lines(&compared, &state.shared, now.wall);
            let text = difference::text(&lines);
            state.overlay = Some(Overlay::Diff(diff::State::new(lines, text)));
        }
        Err(reason) => state.notices.done(reason, now),
    }
}

fn around(shared: &Shared, height: usize) -> Around<'_> {
    Around {
        calls: &shared.calls,
        height,
    }
}

/// Time passes for the list of calls. Returns whether it looks different now.
pub fn tick(state: &mut State, now: Now) -> bool {
    let Some(scribe) = &state.shared.scribe else {
        return false;
    };
    state.history.look_out(&scribe.origin.broker, now);
    let seen = layout::sees(state, Pane::History);
    let today = now.wall.to_zoned(state.shared.zone.clone()).date();
    state.history.tick(seen, today, now)
}

/// Calls were made, or the size changed.
pub fn refresh(state: &mut State) {
    let height = layout::rows(state, Pane::History);
    state.history.refresh(around(&state.shared, height));
}

/// Shows a call: one of this run as it is, another one as soon as it is fetched.
pub fn show(state: &mut State, key: Key, now: Now) -> Outcome {
    let calls = &state.shared.calls;
    if calls.find(&key).is_some_and(|call| !calls.visits(call)) {
        return calls::show(state, key);
    }
    awaited::wanted(state, Want::Show(key), now)
}

/// Shows the last call of an id, as [`show`].
pub fn show_last(state: &mut State, id: TaskId, now: Now) -> Outcome {
    match state.shared.calls.own(&id).map(key_of) {
        Some(key) => calls::show(state, key),
        None => awaited::wanted(state, Want::ShowLast(id), now),
    }
}

/// What was fetched of a call, for a purpose.
fn got(state: &mut State, found: Found, purpose: Purpose, now: Now) -> Outcome {
    if !awaited::comes(state, purpose, now) {
        return Outcome::redraw();
    }
    let record = match (found, purpose) {
        (found, Purpose::Renew) => return renewed(state, found, now),
        (Found::One(record), _) => record,
        (found, _) => {
            state.notices.done(why_not(&found), now);
            return Outcome::redraw();
        }
    };
    match purpose {
        Purpose::Show(_) => {
            let key = record.key();
            let follow = listen(state, &record, now);
            if follow.is_none() {
                state.shared.calls.visit(record.to_call(now), *record);
            }
            let mut outcome = calls::show(state, key);
            outcome.effects.extend(follow);
            outcome
        }
        Purpose::Again(_) => again::found(state, &record, now),
        Purpose::Load(_) => match load(state, &record, now) {
            Ok(asks) => calls::grant_all(state, asks, now),
            Err(reason) => {
                state.notices.done(reason, now);
                Outcome::redraw()
            }
        },
        // Neither is of this kind.
        Purpose::Renew | Purpose::Compare(_) => Outcome::default(),
    }
}

/// Why there is no such call for the screen.
fn why_not(found: &Found) -> String {
    let unreadable = found.unreadable();
    unreadable.unwrap_or_else(|| "history has no such call".to_owned())
}

/// Loads a call into the form and goes there.
///
/// # Errors
/// It cannot be loaded: why.
pub fn load(state: &mut State, record: &Record, now: Now) -> Result<Vec<Ask>, String> {
    let replaced = state.call.load(record, &state.shared, now)?;
    let key = panes::key(Context::CallNav, Action::Undo);
    let text = match (record.masked.is_empty(), replaced) {
        (false, _) => "loaded into the form; history keeps no secrets: type them again".to_owned(),
        (true, true) => format!("loaded into the form; {key} brings back what it held"),
        (true, false) => "loaded into the form".to_owned(),
    };
    Ok(vec![Ask::Focus(Pane::Call), Ask::Deaf, Ask::say(text)])
}

fn forgotten(state: &mut State, key: &Key, record: Option<Box<Record>>, now: Now) {
    let Some(record) = record else {
        state.history.not_forgot(key);
        state.notices.done("history has no such call", now);
        return;
    };
    let calls = &state.shared.calls;
    let under_way = calls
        .find(key)
        .is_some_and(|call| call.whereabouts().is_some());
    let goes_on = if under_way { "; the call goes on" } else { "" };
    let shown = state.result.shown_key() == Some(key);
    let still = if shown { "; Result still shows it" } else { "" };
    let undo = panes::key(Context::History, Action::Undo);
    let short = key.0.short();
    let text = format!("{short} is forgotten{goes_on}{still}; {undo} takes that back");
    state.notices.done(text, now);
    let around = around(&state.shared, layout::rows(state, Pane::History));
    state.history.forgot(*record, around, now);
}

/// The calls that changed, as they are to be kept.
pub fn keep(state: &mut State, now: Now) -> Vec<Effect> {
    let changed = state.shared.calls.take_changed();
    if !changed.is_empty() {
        state.history.stale();
    }
    if state.shared.scribe.is_some() {
        let seen = layout::sees(state, Pane::History);
        state.history.look_if_due(seen, now);
    }
    let shared = &state.shared;
    let Some(scribe) = &shared.scribe else {
        return Vec::new();
    };
    let scribe = here(scribe, shared);
    let wishes = state.history.take_wishes().into_iter().map(Effect::History);
    let calls = changed.iter().filter_map(|key| shared.calls.find(key));
    let calls = calls.filter(|call| call.state() != CallState::Draft || call.refused());
    let saves = calls
        .map(|call| {
            let masked = shared.calls.masked(call);
            let scribe = scribe.of_places(masked);
            of(call, &scribe, shared.calls.adopted(call), now)
        })
        .map(|record| Effect::History(Wish::Save(Box::new(record))));
    let saves: Vec<Effect> = saves.collect();
    let effects: Vec<Effect> = saves.into_iter().chain(wishes).collect();
    // What was handed to history is read back from there.
    let shown = state.result.shown_key();
    let looked_at = |key: &Key| shown == Some(key);
    state.shared.calls.shed(&changed, looked_at);
    effects
}

/// What is kept of a call. Of one that an earlier run made, that run knew some things better.
fn of(call: &Call, scribe: &Scribe, earlier: Option<&Record>, now: Now) -> Record {
    match earlier {
        None => Record::of(call, scribe, Known::default(), now),
        Some(earlier) => Record::after(earlier, call, scribe, now),
    }
}

/// It is known where results are: calls of earlier runs may be listened for.
pub fn results_known(state: &mut State, now: Now) {
    if matches!(state.shared.results, Results::Stored(_) | Results::Rpc)
        && let Some(scribe) = &state.shared.scribe
    {
        let since = now.wall.checked_sub(PICKED_UP).unwrap_or(Timestamp::MIN);
        state.history.pick_up(&scribe.origin.broker, since, now);
    }
}

/// Calls of runs that have gone: where the backend keeps results they are listened for; a reply queue died with its run. Those that are waited for elsewhere
/// are looked at again when their time is over.
fn pick_up(state: &mut State, records: Vec<Record>, now: Now) -> Outcome {
    let mut outcome = Outcome::default();
    let stored = matches!(state.shared.results, Results::Stored(_));
    let mut waiting = Vec::new();
    for record in records {
        if state.shared.calls.own(record.id()).is_some() {
            continue;
        }
        if let Some(follow) = listen(state, &record, now) {
            outcome.redraw = true;
            outcome.effects.push(follow);
        } else if !is_left_alone(&record, now) {
            let made = record.times.created;
            let over = made.checked_add(patience(&record)).unwrap_or(made);
            waiting.push(Waiting { made, over });
        } else if !stored && record.waited == Waited::Yes {
            let mut call = record.pick_up(now);
            call.warnings.push(REPLY_LOST.to_owned());
            let scribe = Scribe::default();
            let record = of(&call, &scribe, Some(&record), now);
            let save = Wish::Save(Box::new(record));
            outcome.effects.push(Effect::History(save));
        }
    }
    state.history.left_to_others(waiting);
    if outcome.redraw {
        refresh(state);
    }
    outcome
}

/// Listens for a call of a run that has gone, if it has no outcome and its result will be where results are read here.
fn listen(state: &mut State, record: &Record, now: Now) -> Option<Effect> {
    let shared = &state.shared;
    let Results::Stored(backend) = &shared.results else {
        return None;
    };
    let here = shared.scribe.as_ref()?.origin.broker == record.origin.broker;
    let there = record.origin.backend.as_ref();
    let stored = there.is_none_or(|there| *there == backend.address());
    let known = shared.calls.own(record.id()).is_some();
    if known || !here || !stored || !record.is_open() || !is_left_alone(record, now) {
        return None;
    }
    let call = record.pick_up(now);
    let follow = Command::Follow(call.id().clone());
    state.shared.calls.adopt(call, record.clone());
    Some(Effect::Client(follow))
}

/// The scribe, with the result backend as it is known now.
fn here(scribe: &Scribe, shared: &Shared) -> Scribe {
    let mut scribe = scribe.clone();
    if let Results::Stored(backend) = &shared.results {
        scribe.origin.backend = Some(backend.address());
    }
    scribe
}
