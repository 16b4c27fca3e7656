//! The call form: what to send, how, and what stands against it. A draft for each task, so that nothing typed is lost; sends nothing itself.

mod below;
pub mod check;
pub mod draft;
mod facts;
pub mod guard;
pub mod json;
mod load;
pub mod options;
mod replaced;
pub mod row;
pub mod secret;
mod seen;
mod shown_options;
pub mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Ask, Pane, Typed};
use crate::client::Command;
use crate::clock::{Moment, Now};
use crate::history::Record;
use crate::protocol::TaskName;
use crate::tui::keymap::{Action, Context};
use crate::tui::past::Want;
use crate::tui::state::{NoticeKind, Shared};

pub use check::{Press, Ready};
pub use draft::{Draft, Spot};
use replaced::Replaced;

/// How much longer a repeating key is deaf after a send: held down, it begins to repeat after up to 660 ms (X).
const HELD: Duration = Duration::from_millis(350);

/// Rows that a page moves.
const PAGE: isize = 8;

/// What the pane remembers: the form of every task that was opened.
#[derive(Debug, Default)]
pub struct State {
    drafts: BTreeMap<TaskName, Draft>,
    open: Option<TaskName>,
    replaced: Replaced,
}

/// What the pane looks at while it changes.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What is known.
    pub shared: &'a Shared,
    /// When.
    pub now: Now,
    /// Until when the keys that send are deaf.
    pub deaf_until: Moment,
    /// Whether the key looks like part of a paste.
    pub burst: bool,
}

impl Around<'_> {
    /// Whether a key that sends may be one that is held down since the last send or warning.
    pub fn is_held(&self) -> bool {
        let held = self.deaf_until.after(HELD);
        self.now.mono < held && self.deaf_until > Moment::default()
    }
}

impl State {
    /// The form that is open.
    pub fn draft(&self) -> Option<&Draft> {
        self.drafts.get(self.open.as_ref()?)
    }

    /// The tasks whose forms hold something typed that was not sent.
    pub fn unsent(&self) -> Vec<&TaskName> {
        let unsent = self.drafts.values().filter(|draft| draft.is_unsent());
        let mut tasks: Vec<&TaskName> = unsent
            .chain(self.replaced.unsent())
            .map(|draft| &draft.task)
            .collect();
        tasks.sort();
        tasks.dedup();
        tasks
    }

    fn draft_mut(&mut self) -> Option<&mut Draft> {
        self.drafts.get_mut(self.open.as_ref()?)
    }

    /// What keys mean here.
    pub fn context(&self) -> Context {
        self.draft().map_or(Context::CallNav, Draft::context)
    }

    /// Opens the form of `task` and starts typing. The form that was open keeps what it holds.
    pub fn open(&mut self, task: TaskName, shared: &Shared, now: Now) -> Vec<Ask> {
        self.stop_typing();
        let draft = self
            .drafts
            .entry(task.clone())
            .or_insert_with(|| Draft::new(task.clone(), shared.timeout));
        draft.guard.disarm();
        // Whatever was loaded before, this task is meant, here.
        draft.from = None;
        draft.spot = Spot::Empty;
        draft.start_typing();
        self.open = Some(task);
        self.ask_for_queue(shared, now)
    }

    /// The form of a task, whether it is open or not.
    pub fn draft_of(&self, task: &TaskName) -> Option<&Draft> {
        self.drafts.get(task)
    }

    /// Loads a call of the past into the form of its task and opens that. Returns whether there was a form, which [`Action::Undo`]
    /// brings back.
    ///
    /// # Errors
    /// It cannot be loaded: why.
    pub fn load(&mut self, record: &Record, shared: &Shared, now: Now) -> Result<bool, String> {
        self.stop_typing();
        let mut draft = Draft::new(record.task().clone(), shared.timeout);
        draft.load(record).map_err(|reason| reason.to_string())?;
        draft.from = shared.elsewhere(record).map(str::to_owned);
        // A secret is to be typed again: the cursor is there.
        if matches!(draft.spot, Spot::Row(_) | Spot::Option(_)) {
            draft.start_typing();
        } else {
            draft.go(Spot::Button, now.mono);
        }
        Ok(self.replace(draft))
    }

    /// Opens this form instead of the one that its task had. Returns whether it had one.
    fn replace(&mut self, draft: Draft) -> bool {
        let task = draft.task.clone();
        let before = self.drafts.insert(task.clone(), draft);
        self.open = Some(task);
        let had = before.is_some();
        if let Some(before) = before {
            self.replaced.push(before);
        }
        had
    }

    fn undo(&mut self) -> Ask {
        self.stop_typing();
        let draft = self
            .open
            .as_ref()
            .and_then(|task| self.drafts.get_mut(task));
        if !draft.is_some_and(|draft| self.replaced.turn(draft)) {
            return Ask::say("nothing to take back: no call was loaded over this form");
        }
        let key = super::key(Context::CallNav, Action::Undo);
        Ask::say(format!(
            "the form as it was before; {key} goes on through what it held"
        ))
    }

    /// Calls again what was called: the same look before sending as from the form. What stands against it is shown in the form.
    ///
    /// # Errors
    /// It cannot be repeated: why.
    pub fn again(&mut self, record: &Record, around: Around<'_>) -> Result<Vec<Ask>, String> {
        let mut draft = Draft::new(record.task().clone(), around.shared.timeout);
        draft.load(record).map_err(|reason| reason.to_string())?;
        draft.from = around.shared.elsewhere(record).map(str::to_owned);
        draft.repeats = record.is_open().then(|| record.key());
        let asks = press(&mut draft, around);
        if !asks.iter().any(|ask| matches!(ask, Ask::Send(_)))
            && around.now.mono >= around.deaf_until
        {
            self.stop_typing();
            self.replace(draft);
            return Ok(std::iter::once(Ask::Focus(Pane::Call))
                .chain(asks)
                .collect());
        }
        Ok(asks)
    }

    /// The user stops typing; what was typed stands. Returns whether he was typing.
    pub fn stop_typing(&mut self) -> bool {
        self.draft_mut().is_some_and(Draft::stop_typing)
    }

    /// Time passes: what a second press would have sent is not asked for any longer. Returns whether something changed.
    pub fn tick(&mut self, now: Now) -> bool {
        self.draft_mut().is_some_and(|draft| draft.guard.tick(now))
    }

    /// A key that is text, or a paste. A paste on a row starts typing. Returns whether it was taken.
    pub fn text(&mut self, typed: Typed<'_>) -> bool {
        let Some(draft) = self.draft_mut() else {
            return false;
        };
        let is_paste = matches!(typed, Typed::Paste(_));
        let typing = draft.context().is_text() || (is_paste && draft.start_typing());
        typing && draft.text(typed)
    }

    /// One action.
    pub fn update(&mut self, action: Action, around: Around<'_>) -> Vec<Ask> {
        let Some(draft) = self.draft_mut() else {
            return match action {
                Action::Back => vec![Ask::Focus(Pane::Tasks)],
                _ => vec![Ask::say("no task is open: choose one in Tasks")],
            };
        };
        if action == Action::Call {
            return press(draft, around);
        }
        if action == Action::Again {
            return vec![Ask::Want(Want::Last(draft.task.clone()))];
        }
        if action == Action::Undo {
            return vec![self.undo()];
        }
        if action == Action::Json {
            return toggle_json(draft);
        }
        let asks = match draft.context() {
            Context::CallJson => in_json(draft, action, around.now.mono),
            Context::CallEdit => while_typing(draft, action, around.now.mono),
            _ => moving(draft, action, around),
        };
        if asks.is_empty() {
            return self.ask_for_queue(around.shared, around.now);
        }
        asks
    }

    /// Asks about the queue that the call would go to, if nobody has told of it. Not while its name is being typed.
    pub fn ask_for_queue(&mut self, shared: &Shared, now: Now) -> Vec<Ask> {
        let Some(draft) = self.draft_mut() else {
            return Vec::new();
        };
        let naming = draft.field.is_some() && matches!(draft.spot, Spot::Option(_));
        if naming || !shared.links.broker.is_up() {
            return Vec::new();
        }
        let unknown = check::untold(draft, shared, now);
        let unknown = unknown.filter(|queue| draft.guard.asks(queue, now));
        let ask = unknown.map(|queue| Ask::Command(Command::Queue(queue)));
        ask.into_iter().collect()
    }

    /// What stands against sending the form that is open, or makes it doubtful.
    pub fn standing(&self, shared: &Shared, now: Now) -> Vec<String> {
        let Some(draft) = self.draft() else {
            return Vec::new();
        };
        let seen = check::preflight_of(draft, shared, now);
        let refusal = seen.refusal.as_ref().map(|it| it.message.clone());
        let blocked = shared.cannot_send();
        refusal
            .into_iter()
            .chain(blocked)
            .chain(seen.warnings.iter().cloned())
            .collect()
    }
}

fn toggle_json(draft: &mut Draft) -> Vec<Ask> {
    match draft.toggle_json() {
        Ok(()) => Vec::new(),
        Err(problem) => vec![Ask::say(problem)],
    }
}

fn in_json(draft: &mut Draft, action: Action, now: Moment) -> Vec<Ask> {
    match action {
        Action::Back => {
            draft.stop_typing();
        }
        Action::NextField => {
            draft.stop_typing();
            draft.go(Spot::Button, now);
        }
        _ => return vec![Ask::NotHere],
    }
    Vec::new()
}

/// EDIT: Enter and Tab commit and go on, Esc commits and stops.
fn while_typing(draft: &mut Draft, action: Action, now: Moment) -> Vec<Ask> {
    let empty = draft
        .field
        .as_ref()
        .is_some_and(|field| field.text().trim().is_empty());
    let last_row = draft.spot == Spot::Empty;
    // With the further options hidden, Enter on one of the others is done with them.
    let option = matches!(draft.spot, Spot::Option(_)) && !draft.open;
    // What is typed here may open a place behind it.
    if matches!(draft.spot, Spot::Option(_)) {
        draft.commit();
    }
    match action {
        Action::Back => {
            draft.stop_typing();
            return Vec::new();
        }
        Action::Enter if option || (last_row && empty) => draft.go(Spot::Button, now),
        Action::Enter | Action::NextField | Action::Down if last_row && !empty => {
            draft.go(Spot::Empty, now);
        }
        Action::Enter | Action::NextField | Action::Down => draft.go(draft.typed_beside(1), now),
        Action::PreviousField | Action::Up => draft.go(draft.typed_beside(-1), now),
        _ => return vec![Ask::NotHere],
    }
    draft.guard.disarm();
    draft.start_typing();
    Vec::new()
}

/// NAV.
fn moving(draft: &mut Draft, action: Action, around: Around<'_>) -> Vec<Ask> {
    let now = around.now.mono;
    match action {
        Action::Down => draft.go(draft.beside(1), now),
        Action::Up => draft.go(draft.beside(-1), now),
        Action::First => draft.go(Spot::Row(0), now),
        Action::Last => draft.go(Spot::Button, now),
        Action::PageDown | Action::HalfDown => draft.go(draft.beside(PAGE), now),
        Action::PageUp | Action::HalfUp => draft.go(draft.beside(-PAGE), now),
        Action::Enter if draft.spot == Spot::Button => return press_button(draft, around),
        Action::Enter if draft.spot == Spot::More => draft.toggle_options(now),
        Action::Options => draft.toggle_options(now),
        Action::NextChoice | Action::PreviousChoice => {
            draft.choose(action == Action::NextChoice);
        }
        Action::Enter | Action::Edit => return start_typing(draft),
        Action::Add => {
            draft.go(Spot::Empty, now);
            draft.start_typing();
        }
        Action::Remove => return remove(draft),
        Action::Back => return vec![Ask::Focus(Pane::Tasks)],
        Action::Copy => return vec![copy(draft, around)],
        _ => return vec![Ask::NotHere],
    }
    Vec::new()
}

fn start_typing(draft: &mut Draft) -> Vec<Ask> {
    if draft.start_typing() {
        return Vec::new();
    }
    let text = match draft.spot {
        Spot::Button | Spot::More => "nothing can be typed here",
        _ => "this keyword is no Python name: it can only be edited as JSON",
    };
    vec![Ask::say(text)]
}

fn remove(draft: &mut Draft) -> Vec<Ask> {
    let document = draft.json.is_some() && !matches!(draft.spot, Spot::Option(_));
    if document || !draft.remove_here() {
        return vec![Ask::say("nothing to remove here")];
    }
    Vec::new()
}

fn copy(draft: &Draft, around: Around<'_>) -> Ask {
    let signature = check::signature(draft, around.now);
    let signature = secret::shown(&signature, &draft.secrets(around.shared.secrets()));
    let name = signature.task.as_str();
    let text = options::python(name, &signature, &draft.options, usize::MAX);
    Ask::Copy(text, "the call as Python")
}

/// Enter on the button: deaf for a moment, and never by a paste.
fn press_button(draft: &mut Draft, around: Around<'_>) -> Vec<Ask> {
    if around.burst {
        return vec![Ask::say("ignored: looked like a paste")];
    }
    if draft.guard.button_is_deaf(around.now.mono) {
        return Vec::new();
    }
    press(draft, around)
}

/// A press that is not taken is not swallowed silently.
fn too_soon() -> Ask {
    let call = super::key(Context::CallNav, Action::Call);
    Ask::say(format!("too soon: press {call} again"))
}

fn press(draft: &mut Draft, around: Around<'_>) -> Vec<Ask> {
    if around.now.mono < around.deaf_until {
        draft.guard.too_soon(around.now);
        return vec![too_soon()];
    }
    match check::press(draft, around.shared, around.now) {
        Press::Send(ready) => {
            draft.stop_typing();
            vec![Ask::Send(ready)]
        }
        Press::Wrong(spot, problem) => {
            if let Some(problem) = draft.json_problem().cloned() {
                draft.jump_to(&problem);
            }
            if let Some(spot) = spot.filter(|_| draft.json.is_none()) {
                draft.go(spot, around.now.mono);
                draft.start_typing();
            }
            vec![Ask::Deaf, Ask::say(format!("not sent: {problem}"))]
        }
        Press::Blocked(reason) => vec![Ask::Deaf, Ask::Say(NoticeKind::Done, reason)],
        Press::Doubtful => vec![Ask::Deaf],
        Press::TooSoon => vec![too_soon()],
        Press::Asking(queue) => {
            let text = format!("not sent yet: whether a worker reads queue {queue} is being asked");
            let ask = draft.guard.asks(&queue, around.now);
            let ask = ask.then_some(Ask::Command(Command::Queue(queue)));
            let said = [Ask::Deaf, Ask::say(text)];
            said.into_iter().chain(ask).collect()
        }
    }
}
