//! What panes ask for, and what becomes of calls: sent, shown, waited for longer, given up, revoked.

use std::time::Duration;

use super::{awaited, focus};
use crate::call::{Call, CallState, Fact, LONGEST_WAIT, Waiting};
use crate::client::{Command, Order};
use crate::clock::{Moment, Now};
use crate::history::Key;
use crate::text::human::{bytes, duration};
use crate::tui::effect::{Effect, Outcome};
use crate::tui::panes::call::Ready;
use crate::tui::panes::result::countdown::waits;
use crate::tui::panes::{self, Ask, Pane, Patience, last_part, remote_lines};
use crate::tui::past::Wish;
use crate::tui::state::calls::key_of;
use crate::tui::state::{NoticeKind, Overlay, State};
use crate::tui::view::layout;

/// How long the keys that send are deaf after a send or a warning.
const DEAF: Duration = Duration::from_millis(400);
/// By how much a timeout is changed.
const STEP: Duration = Duration::from_secs(10);
/// What terminals take by OSC 52.
const CLIPBOARD: usize = 74_994;

/// What is said of a call that is only looked at.
const NOT_OURS: &str = "this umbel does not wait for it: umbel wait does, with its id";

/// Does what a pane asks for.
pub fn grant_all(state: &mut State, asks: Vec<Ask>, now: Now) -> Outcome {
    let mut outcome = Outcome::redraw();
    for ask in asks {
        outcome.effects.extend(grant(state, ask, now).effects);
    }
    outcome
}

fn grant(state: &mut State, ask: Ask, now: Now) -> Outcome {
    match ask {
        Ask::Open(task) => {
            let mut outcome = focus::go(state, Pane::Call);
            let asks = state.call.open(task, &state.shared, now);
            outcome.effects.extend(grant_all(state, asks, now).effects);
            return outcome;
        }
        Ask::Show(key) => return super::history::show(state, key, now),
        Ask::Focus(pane) => return focus::go(state, pane),
        Ask::Send(ready) => return send(state, *ready, now),
        Ask::Revoke(key) => ask_revoke(state, key, now),
        Ask::Wait(key, patience) => wait(state, &key, patience, now),
        Ask::Detach(key) => detach(state, &key, now),
        Ask::Say(NoticeKind::Done, text) => state.notices.done(text, now),
        Ask::Say(_, text) => state.notices.problem(text, now),
        Ask::Copy(text, what) => return copy(state, &text, what, now),
        Ask::History(wish) => return Outcome::redraw().and(Effect::History(wish)),
        Ask::Want(want) => return awaited::wanted(state, want, now),
        Ask::Command(command) => return Outcome::redraw().and(Effect::Client(command)),
        Ask::Deaf => state.deaf_until = deaf(now),
        Ask::NotHere => state.notices.done("this key does nothing here", now),
    }
    Outcome::redraw()
}

/// Until when the keys that send are deaf, from now.
pub fn deaf(now: Now) -> Moment {
    now.mono.after(DEAF)
}

/// Shows a call in Result.
pub fn show(state: &mut State, key: Key) -> Outcome {
    state.result.show(key, &state.shared);
    focus::go(state, Pane::Result)
}

/// Sends once. The focus goes to Result, because the user asked for it.
fn send(state: &mut State, ready: Ready, now: Now) -> Outcome {
    let mut signature = ready.signature;
    if signature.id.as_str().is_empty() {
        signature.id = state.ids.issue();
    }
    let mut call = Call::new(signature.clone(), ready.timeout, now);
    let key = key_of(&call);
    call.queue = ready.seen.only_queue().cloned();
    call.route = Some(ready.seen.route.clone());
    call.warnings = ready.warnings;
    call.apply(Fact::Ordered, now);
    state.shared.calls.push_masked(call, ready.masked);
    state.deaf_until = now.mono.after(DEAF);
    let scribe = state.shared.scribe.as_ref();
    let usual = scribe.map(|scribe| {
        let broker = scribe.origin.broker.clone();
        Wish::Usual(signature.task.clone(), broker)
    });
    let order = Order::new(signature, &ready.seen);
    let mut outcome = show(state, key);
    outcome.effects.extend(usual.map(Effect::History));
    outcome.and(Effect::Client(Command::Call(Box::new(order))))
}

fn ask_revoke(state: &mut State, key: Key, now: Now) {
    let call = state.shared.calls.find(&key);
    let ended = call.is_none_or(|call| call.whereabouts().is_none());
    if let Some(text) = not_here(state, &key, "revoke").filter(|_| !ended) {
        state.notices.done(text, now);
        return;
    }
    if ended {
        state.notices.done("nothing to revoke: it has ended", now);
        return;
    }
    state.overlay = Some(Overlay::Revoke {
        key,
        since: now.mono,
        hasty: false,
    });
}

/// Why nothing is done here to a call that was made at another broker, and which command does it there.
fn not_here(state: &State, key: &Key, command: &str) -> Option<String> {
    let shared = &state.shared;
    let there = shared.made_elsewhere(shared.calls.find(key)?)?;
    let here = &shared.target.broker;
    let text = format!("made at {there}, this is {here}: umbel {command} --broker URL ID");
    Some(text)
}

/// Why a call that is only looked at is not waited for.
fn not_ours(state: &State, key: &Key) -> String {
    not_here(state, key, "wait").unwrap_or_else(|| NOT_OURS.to_owned())
}

/// Changes how long a call is waited for. A call that is not waited for is waited for again.
fn wait(state: &mut State, key: &Key, patience: Patience, now: Now) {
    let Some(call) = state.shared.calls.find_mut(key) else {
        let text = not_ours(state, key);
        state.notices.done(text, now);
        return;
    };
    let text = if call.state().is_final() {
        "it has ended: there is nothing to wait for".to_owned()
    } else {
        match patience {
            Patience::Longer => longer(call, now),
            Patience::Shorter => shorter(call, now),
            Patience::NoLimit => {
                call.set_timeout(LONGEST_WAIT, now);
                waits(LONGEST_WAIT, "")
            }
        }
    };
    state.notices.done(text, now);
    state.shared.calls.changed(key);
    state.result.refresh(&state.shared);
}

/// How long it has been waited for.
fn waited(call: &Call, now: Now) -> Duration {
    let since = call.timeline.waiting_since();
    since.map_or(Duration::ZERO, |since| now.mono.since(since.mono))
}

fn longer(call: &mut Call, now: Now) -> String {
    if call.waiting != Waiting::Yes {
        call.set_timeout(waited(call, now) + STEP, now);
        return format!("waits {} more", duration(STEP));
    }
    if call.timeout == LONGEST_WAIT {
        return "waits without limit already".to_owned();
    }
    call.set_timeout(call.timeout + STEP, now);
    format!("waits {} in all", duration(call.timeout))
}

/// Never ends the waiting at once: a second is left. From no limit it goes back to a step from now.
fn shorter(call: &mut Call, now: Now) -> String {
    if call.waiting != Waiting::Yes {
        return "nobody waits for it: there is nothing to shorten".to_owned();
    }
    if call.timeout == LONGEST_WAIT {
        call.set_timeout(waited(call, now) + STEP, now);
        return format!("waits {} more", duration(STEP));
    }
    let least = waited(call, now) + Duration::from_secs(1);
    call.set_timeout(call.timeout.saturating_sub(STEP).max(least), now);
    format!("waits {} in all", duration(call.timeout))
}

/// Stops waiting for a call; we go on listening.
pub fn detach(state: &mut State, key: &Key, now: Now) {
    let Some(call) = state.shared.calls.find_mut(key) else {
        let text = not_ours(state, key);
        state.notices.done(text, now);
        return;
    };
    if call.state().is_waiting() {
        call.detach(now);
        state.shared.calls.changed(key);
        let text = "not waited for any longer; its result will still be shown";
        state.notices.done(text, now);
    } else {
        state.notices.done("it is not waited for", now);
    }
    state.result.refresh(&state.shared);
}

fn copy(state: &mut State, text: &str, what: &str, now: Now) -> Outcome {
    let text = remote_lines(text);
    let size = bytes(text.len());
    if text.len() > CLIPBOARD {
        let text = format!("{what} is too large for the clipboard ({size})");
        state.notices.done(text, now);
        return Outcome::redraw();
    }
    let said = format!("{what}: sent to the terminal's clipboard ({size})");
    state.notices.done(said, now);
    Outcome::redraw().and(Effect::Copy(text))
}

/// Time passes for all calls: a deadline ends the waiting, nothing else.
pub fn tick(state: &mut State, now: Now) -> bool {
    let over = |call: &mut Call| call.tick(now).then(|| key_of(call));
    let over: Vec<Key> = state.shared.calls.iter_mut().filter_map(over).collect();
    for key in &over {
        state.shared.calls.changed(key);
        tell(state, key, now);
    }
    state.result.refresh(&state.shared);
    !over.is_empty()
}

/// Calls asked about in one go when many are over at once.
const ASKED: usize = 50;

/// Has everybody asked where calls are: the one that is looked at when it looks stuck, each when its time is over.
pub fn investigate(state: &mut State, now: Now) -> Vec<Effect> {
    let shown = state.result.shown_key().cloned();
    let wanting = |call: &&mut Call| {
        let asked = shown.as_ref() == Some(&key_of(call)) || call.inquiry.overdue(call.waiting);
        asked && call.wants_inquiry(now)
    };
    let calls = state.shared.calls.iter_mut().filter(wanting).take(ASKED);
    calls
        .map(|call| {
            call.inquiry.wanted(now);
            let (id, queue) = (call.id().clone(), call.queue.clone());
            Effect::Client(Command::Investigate { id, queue })
        })
        .collect()
}

/// Asks about the queue that the form leads to, if nobody has told of it.
pub fn ask_for_queue(state: &mut State, now: Now) -> Vec<Effect> {
    if state.focus != Pane::Call {
        return Vec::new();
    }
    let asks = state.call.ask_for_queue(&state.shared, now);
    grant_all(state, asks, now).effects
}

/// What stands against sending the form, while a key could send it.
pub fn standing(state: &State, now: Now) -> Option<Vec<String>> {
    (state.focus == Pane::Call).then(|| state.call.standing(&state.shared, now))
}

/// Something new stands against sending: a key that is on its way was meant for what was seen before.
pub fn deafen(state: &mut State, before: &[String], now: Now) {
    let after = standing(state, now).unwrap_or_default();
    if after.iter().any(|text| !before.contains(text)) {
        state.deaf_until = now.mono.after(DEAF);
    }
}

/// Whether ages are seen: a call that has not ended is looked at, and nobody waits for it.
pub fn ages(state: &State) -> bool {
    let shown = state.result.shown(&state.shared);
    let under_way = shown.is_some_and(|call| call.whereabouts().is_some());
    under_way && layout::sees(state, Pane::Result)
}

/// Says in the notice line what became of a call. Never moves the focus.
pub fn tell(state: &mut State, key: &Key, now: Now) {
    let Some(call) = state.shared.calls.find(key) else {
        return;
    };
    let id = &key.0;
    let looking = state.focus == Pane::Result && state.result.shown_key() == Some(key);
    let call_state = call.state();
    let adopted = state.shared.calls.adopted(call).is_some();
    let kind = match call_state {
        CallState::LateOk | CallState::LateFail if !looking => NoticeKind::Late,
        CallState::Ok | CallState::Fail if adopted && !looking => NoticeKind::Late,
        CallState::Ok | CallState::NoResult => NoticeKind::Done,
        _ if looking => NoticeKind::Done,
        _ => NoticeKind::Problem,
    };
    let text = match call_state {
        state if adopted && state.is_final() => {
            let name = last_part(call.signature.task.as_str());
            let short = id.short();
            format!(
                "{}  {name} {short} that another umbel made has ended.",
                call_state.word()
            )
        }
        _ => sentence(call, now),
    };
    // What became of it stands for all that was told of it before.
    state.notices.seen(id);
    state.notices.about(kind, id.clone(), text, now);
    super::history::refresh(state);
}

fn sentence(call: &Call, now: Now) -> String {
    let name = last_part(call.signature.task.as_str());
    let word = call.state().word();
    let took = call.timeline.total().or_else(|| call.elapsed(now));
    let took = took.map(panes::took).unwrap_or_default();
    let id = call.id().short();
    match call.state() {
        CallState::Ok => format!("OK {name} in {took}"),
        CallState::Fail => {
            let exception = call
                .result
                .as_ref()
                .and_then(|result| result.exception.as_ref());
            let kind = exception.map_or("", |exception| exception.kind.as_str());
            format!("FAIL {name} {kind} after {took}")
        }
        CallState::Timeout => {
            format!("TIMEOUT {name} after {took}: outcome unknown, still listening")
        }
        CallState::LateOk | CallState::LateFail => {
            let over = call.elapsed(now).unwrap_or_default();
            let over = duration(over.saturating_sub(call.timeout));
            format!("{word}  {name} {id} came {over} after its timeout.")
        }
        CallState::NoResult => format!("{name} was sent; nothing is waited for"),
        CallState::Unsent => {
            let why = call
                .trouble
                .as_ref()
                .map_or("", |trouble| trouble.message.as_str());
            format!("UNSENT {name}: {why}")
        }
        _ => format!("{word} {name} {id}"),
    }
}
