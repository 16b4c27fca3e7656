//! The table: which keys mean what where, how the footer and the help say it. Order is the order of the help.

use crossterm::event::KeyCode;
use strum::VariantArray;

use super::key::{Key, alt, ctrl, plain, typed};
use super::{Action, Context};

/// One binding.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Where it holds: a bit for each [`Context`].
    contexts: u32,
    /// Any of these keys; the first is the one hints show.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// The word in the footer, if it has a place there.
    pub hint: Option<Hint>,
    /// The sentence in the help; rows with the same sentence are one entry.
    pub help: &'static str,
    /// The heading in the help.
    pub heading: &'static str,
}

/// A place in the footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Lower comes first.
    pub rank: u8,
    /// A word or two.
    pub word: &'static str,
}

/// The rows of `context`.
pub fn rows(context: Context) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.holds_in(context))
}

use Context::{
    CallButton, CallChoice, CallEdit, CallJson, CallMore, CallNav, CallOption, Confirm, Diff,
    Filter, Help, History, HistoryFilter, Queues, Recall, Result, Running, Tasks, TypeName,
    Welcome, Workers,
};

const ALL: &[Context] = Context::VARIANTS;
/// The call form, moving.
const FORM: &[Context] = &[CallNav, CallOption, CallChoice, CallMore, CallButton];
const PANES: &[Context] = &[
    Tasks, CallNav, CallOption, CallChoice, CallMore, CallButton, Result, Running, History, Queues,
    Workers,
];
const TYPING: &[Context] = &[Filter, HistoryFilter, TypeName, CallEdit, CallJson, Recall];
const FILTERS: &[Context] = &[Filter, HistoryFilter];
const LISTS: &[Context] = &[Queues, Workers];
const RESULTS: &[Context] = &[Result, Running];

/// A row that holds in more contexts than this is not about the context at hand.
const SHARED: u32 = 5;

const fn row(contexts: &[Context], keys: &'static [Key], action: Action) -> Row {
    Row {
        contexts: bits(contexts),
        keys,
        action,
        hint: None,
        help: "",
        heading: "",
    }
}

const fn bits(contexts: &[Context]) -> u32 {
    let (mut bits, mut place) = (0, 0);
    while place < contexts.len() {
        bits |= 1 << contexts[place] as u32;
        place += 1;
    }
    bits
}

impl Row {
    /// Whether it is bound in `context`.
    pub fn holds_in(&self, context: Context) -> bool {
        self.contexts & bits(&[context]) != 0
    }

    /// Whether it holds in so many contexts that it comes later in the help of each.
    pub fn is_shared(&self) -> bool {
        self.contexts.count_ones() > SHARED
    }

    /// It holds there as well.
    const fn also(mut self, contexts: &[Context]) -> Self {
        self.contexts |= bits(contexts);
        self
    }

    /// It does not hold there: the key means something else.
    const fn except(mut self, contexts: &[Context]) -> Self {
        self.contexts &= !bits(contexts);
        self
    }

    const fn hint(mut self, rank: u8, word: &'static str) -> Self {
        self.hint = Some(Hint { rank, word });
        self
    }

    const fn help(mut self, heading: &'static str, help: &'static str) -> Self {
        self.heading = heading;
        self.help = help;
        self
    }
}

/// A movement: in every pane, and in the help.
const fn moving(keys: &'static [Key], action: Action) -> Row {
    row(PANES, keys, action).also(&[Help, Diff])
}

/// Keys of features that are not built yet say so.
const fn planned(key: &'static [Key], feature: &'static str) -> Row {
    row(PANES, key, Action::Planned(feature)).help("Later", feature)
}

/// Every binding of commands.
pub static TABLE: &[Row] = &[
    // Tasks
    row(&[Tasks], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "open form")
        .help("Tasks", "open the form of the task"),
    row(&[Tasks], &[typed('/')], Action::Filter)
        .hint(20, "filter")
        .help("Tasks", "filter by typing"),
    row(&[Tasks], &[typed('a')], Action::Add)
        .hint(30, "name")
        .help("Tasks", "type a name that is not listed"),
    row(&[Tasks], &[typed('`')], Action::ToggleTree)
        .hint(40, "tree")
        .help("Tasks", "tree or flat list"),
    row(&[Tasks], &[typed('b')], Action::Builtins)
        .hint(50, "built-ins")
        .help("Tasks", "show or hide Celery's own tasks"),
    row(FILTERS, &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "keep")
        .help("Filter", "keep the filter"),
    row(FILTERS, &[plain(KeyCode::Esc)], Action::Back)
        .hint(20, "clear")
        .help("Filter", "clear the filter"),
    row(FILTERS, &[plain(KeyCode::Down)], Action::Down)
        .hint(30, "move")
        .help("Filter", "move in the list"),
    row(FILTERS, &[plain(KeyCode::Up)], Action::Up)
        .hint(30, "move")
        .help("Filter", "move in the list"),
    row(FILTERS, &[plain(KeyCode::PageDown)], Action::PageDown).help("Filter", "a page down, up"),
    row(FILTERS, &[plain(KeyCode::PageUp)], Action::PageUp).help("Filter", "a page down, up"),
    row(&[TypeName], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "open form")
        .help("Type a name", "open the form of this task"),
    row(&[TypeName], &[plain(KeyCode::Esc)], Action::Back)
        .hint(20, "cancel")
        .help("Type a name", "back to the list"),
    // Call form
    row(&[CallNav], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "edit")
        .help("Call form", "edit"),
    row(
        &[CallOption, CallChoice],
        &[plain(KeyCode::Enter)],
        Action::Enter,
    )
    .hint(10, "edit")
    .help("Call form", "edit"),
    row(&[CallMore], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "open")
        .help("Call form", "all options"),
    row(&[CallButton], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "call")
        .help("Call form", "call"),
    row(
        &[CallNav, CallOption, CallChoice],
        &[typed('i')],
        Action::Edit,
    )
    .help("Call form", "edit"),
    row(&[CallNav, CallMore, CallButton], &[typed('a')], Action::Add)
        .hint(25, "add")
        .help("Call form", "add a row"),
    row(&[CallOption, CallChoice], &[typed('a')], Action::Add).help("Call form", "add a row"),
    row(&[CallNav], &[plain(KeyCode::Delete)], Action::Remove)
        .hint(30, "remove")
        .help("Call form", "remove the row"),
    row(
        &[CallOption, CallChoice],
        &[plain(KeyCode::Delete), typed('d')],
        Action::Remove,
    )
    .hint(20, "default")
    .help("Call form", "its default again"),
    row(FORM, &[typed('o')], Action::Options)
        .hint(35, "options")
        .help("Call form", "all options"),
    row(
        &[CallChoice],
        &[typed('l'), plain(KeyCode::Right), typed(' ')],
        Action::NextChoice,
    )
    .hint(22, "choose")
    .help("Call form", "next, last choice"),
    row(
        &[CallChoice],
        &[typed('h'), plain(KeyCode::Left)],
        Action::PreviousChoice,
    )
    .hint(22, "choose")
    .help("Call form", "next, last choice"),
    row(&[CallEdit], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "next")
        .help(
            "Call form, typing",
            "commit; on the empty row: to the button",
        ),
    row(&[CallEdit], &[plain(KeyCode::Tab)], Action::NextField)
        .help("Call form, typing", "next, previous row"),
    row(
        &[CallEdit],
        &[plain(KeyCode::BackTab)],
        Action::PreviousField,
    )
    .help("Call form, typing", "next, previous row"),
    row(&[CallEdit], &[plain(KeyCode::Down)], Action::Down).help("Call form, typing", "other rows"),
    row(&[CallEdit], &[plain(KeyCode::Up)], Action::Up).help("Call form, typing", "other rows"),
    row(&[CallJson], &[plain(KeyCode::Tab)], Action::NextField)
        .help("Call as JSON", "to the button"),
    row(&[CallEdit, CallJson], &[plain(KeyCode::Esc)], Action::Back)
        .hint(20, "done")
        .help("Call form, typing", "done typing"),
    row(
        FORM,
        &[plain(KeyCode::F(5)), alt(KeyCode::Enter), typed('c')],
        Action::Call,
    )
    .hint(15, "call")
    .help("Call form", "call"),
    row(
        &[CallEdit, CallJson],
        &[plain(KeyCode::F(5)), alt(KeyCode::Enter)],
        Action::Call,
    )
    .hint(15, "call")
    .help("Call form, typing", "call"),
    row(
        &[CallNav, CallMore, CallButton],
        &[plain(KeyCode::F(2)), typed('J')],
        Action::Json,
    )
    .hint(40, "json")
    .help("Call form", "as JSON, and back"),
    row(
        &[CallOption, CallChoice],
        &[plain(KeyCode::F(2)), typed('J')],
        Action::Json,
    )
    .help("Call form", "as JSON, and back"),
    row(&[CallEdit], &[plain(KeyCode::F(2))], Action::Json)
        .hint(40, "json")
        .help("Call form, typing", "as JSON, and back"),
    row(&[CallJson], &[plain(KeyCode::F(2))], Action::Json)
        .hint(40, "form")
        .help("Call form, typing", "as JSON, and back"),
    // Results
    row(&[Running], &[typed('+')], Action::Longer)
        .hint(10, "10s")
        .help("Call under way", "wait 10s longer, shorter"),
    row(&[Running], &[typed('-')], Action::Shorter)
        .hint(10, "10s")
        .help("Call under way", "wait 10s longer, shorter"),
    row(&[Running], &[typed('0')], Action::NoLimit)
        .hint(12, "no limit")
        .help("Call under way", "wait without limit (24h)"),
    row(&[Running], &[typed('d')], Action::Detach)
        .hint(20, "detach")
        .help("Call under way", "stop waiting, keep listening"),
    row(&[Running], &[typed('X')], Action::Revoke)
        .hint(40, "revoke")
        .help("Call under way", "revoke at the workers; asks first"),
    row(&[Running], &[typed(']'), typed('[')], Action::Turn)
        .help("Call under way", "diagnosis or timeline"),
    row(&[Result], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "fold")
        .help("Result", "fold, unfold"),
    row(RESULTS, &[typed('y')], Action::Copy)
        .hint(50, "copy")
        .help("Result", "copy the result, or the task's id"),
    row(&[History], &[typed('y')], Action::Copy)
        .hint(50, "copy")
        .help("History", "copy the task's id"),
    row(&[History], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "open")
        .help("History", "open the call"),
    row(&[History], &[typed('.')], Action::Again)
        .hint(20, "again")
        .help("History", "call again"),
    row(&[History], &[typed('E')], Action::Load)
        .hint(30, "to form")
        .help("History", "load into the form"),
    row(&[History], &[typed('/')], Action::Filter)
        .hint(40, "filter")
        .help("History", "filter: state:fail"),
    row(&[History], &[plain(KeyCode::Delete)], Action::Forget).help("History", "forget the call"),
    row(&[History], &[typed('u')], Action::Undo).help("History", "take back Del"),
    row(&[History], &[typed(' ')], Action::Mark).help("History", "mark the call for ="),
    row(&[History], &[typed('=')], Action::Compare)
        .hint(45, "diff")
        .help("History", "compare with the marked, or the one before"),
    row(RESULTS, &[typed('.')], Action::Again).help("Result", "call again"),
    row(RESULTS, &[typed('E')], Action::Load).help("Result", "load into the form"),
    row(
        &[CallNav, CallMore, CallButton],
        &[typed('.')],
        Action::Again,
    )
    .help("Call form", "repeat the last"),
    row(FORM, &[typed('u')], Action::Undo).help("Call form", "take back a load"),
    row(FORM, &[ctrl('r')], Action::Recall).help("Call form", "recall a call"),
    row(&[CallEdit, CallJson], &[ctrl('r')], Action::Recall)
        .hint(45, "recall")
        .help("Call form, typing", "recall a call"),
    row(&[Recall], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "load")
        .help("Recall", "load into the form"),
    row(&[Recall], &[plain(KeyCode::Esc)], Action::Back)
        .hint(20, "close")
        .help("Recall", "close, nothing changed"),
    row(&[Recall], &[ctrl('r')], Action::Recall)
        .hint(30, "widen")
        .help("Recall", "this task, all tasks, all brokers"),
    row(&[Recall], &[plain(KeyCode::Tab)], Action::Outcome)
        .hint(35, "outcome")
        .help("Recall", "any outcome, ok only, failed only"),
    row(&[Recall], &[plain(KeyCode::Down)], Action::Down)
        .hint(40, "move")
        .help("Recall", "move in the list"),
    row(&[Recall], &[plain(KeyCode::Up)], Action::Up)
        .hint(40, "move")
        .help("Recall", "move in the list"),
    row(&[Recall], &[plain(KeyCode::PageDown)], Action::PageDown).help("Recall", "a page down, up"),
    row(&[Recall], &[plain(KeyCode::PageUp)], Action::PageUp).help("Recall", "a page down, up"),
    row(&[Queues, Workers], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "detail")
        .help("Lists", "detail of the row"),
    // Move
    moving(&[typed('j'), plain(KeyCode::Down)], Action::Down).help("Move", "down, up"),
    moving(&[typed('k'), plain(KeyCode::Up)], Action::Up).help("Move", "down, up"),
    moving(&[typed('g'), plain(KeyCode::Home)], Action::First).help("Move", "first, last"),
    moving(&[typed('G'), plain(KeyCode::End)], Action::Last).help("Move", "first, last"),
    moving(&[plain(KeyCode::PageDown)], Action::PageDown).help("Move", "a page"),
    moving(&[plain(KeyCode::PageUp)], Action::PageUp).help("Move", "a page"),
    moving(&[ctrl('d')], Action::HalfDown).help("Move", "half a page"),
    moving(&[ctrl('u')], Action::HalfUp).help("Move", "half a page"),
    row(PANES, &[plain(KeyCode::Tab)], Action::NextPane).help("Move", "next, previous pane"),
    row(PANES, &[plain(KeyCode::BackTab)], Action::PreviousPane)
        .help("Move", "next, previous pane"),
    row(PANES, &[typed('1')], Action::Pane(1)).help("Move", "pane by number"),
    row(PANES, &[typed('2')], Action::Pane(2)).help("Move", "pane by number"),
    row(PANES, &[typed('3')], Action::Pane(3)).help("Move", "pane by number"),
    row(PANES, &[typed('4')], Action::Pane(4)).help("Move", "pane by number"),
    row(PANES, &[typed('5')], Action::Pane(5)).help("Move", "pane by number"),
    row(PANES, &[typed('6')], Action::Pane(6)).help("Move", "pane by number"),
    // Everywhere
    row(PANES, &[ctrl('r')], Action::Recall)
        .except(FORM)
        .help("Everywhere", "recall a call"),
    row(PANES, &[typed('f')], Action::Full).help("Everywhere", "full screen, and back"),
    row(LISTS, &[typed('r')], Action::Refresh)
        .hint(60, "refresh")
        .help("Everywhere", "ask again, redial"),
    row(PANES, &[typed('r')], Action::Refresh)
        .except(LISTS)
        .help("Everywhere", "ask again, redial"),
    row(PANES, &[typed('y')], Action::Copy)
        .except(&[Result, Running, History])
        .help("Everywhere", "copy name or call"),
    row(PANES, &[typed('!')], Action::OpenNotice).help("Everywhere", "open the notice"),
    row(PANES, &[plain(KeyCode::Esc)], Action::Back).help("Everywhere", "back one level"),
    row(PANES, &[typed('q')], Action::Quit)
        .hint(120, "quit")
        .help("Everywhere", "quit"),
    row(&[Running], &[ctrl('c')], Action::Interrupt)
        .hint(30, "stop")
        .help("Call under way", "stop waiting; twice in 2s quits"),
    row(ALL, &[ctrl('c')], Action::Interrupt)
        .except(&[Running])
        .help("Everywhere", "stop; twice quits"),
    row(ALL, &[ctrl('l')], Action::Repaint).help("Everywhere", "draw everything anew"),
    row(PANES, &[typed('?'), plain(KeyCode::F(1))], Action::Help)
        .also(&[Welcome])
        .hint(u8::MAX, "help")
        .help("Everywhere", "help for this place"),
    row(TYPING, &[plain(KeyCode::F(1))], Action::Help)
        .hint(u8::MAX, "help")
        .help("Everywhere", "help for this place"),
    // Overlays
    row(&[Help], &[plain(KeyCode::Esc)], Action::Back)
        .hint(10, "close")
        .help("Help", "close the help"),
    row(&[Help], &[typed('q')], Action::Quit).help("Help", "close the help"),
    row(&[Help], &[typed('?'), plain(KeyCode::F(1))], Action::Help)
        .hint(u8::MAX, "close help")
        .help("Help", "close the help"),
    row(
        &[Diff],
        &[plain(KeyCode::Esc), typed('='), plain(KeyCode::Enter)],
        Action::Back,
    )
    .hint(10, "close")
    .help("Difference", "close"),
    row(&[Diff], &[typed('q')], Action::Quit).help("Difference", "close"),
    row(&[Diff], &[typed('y')], Action::Copy)
        .hint(20, "copy")
        .help("Difference", "copy all of it"),
    row(&[Diff], &[typed('?'), plain(KeyCode::F(1))], Action::Help)
        .hint(u8::MAX, "help")
        .help("Difference", "help for this place"),
    row(
        &[Confirm],
        &[
            plain(KeyCode::Esc),
            plain(KeyCode::Enter),
            typed('n'),
            typed('q'),
        ],
        Action::Back,
    )
    .hint(10, "cancel")
    .help("Questions", "cancel"),
    row(&[Confirm], &[typed('Y')], Action::Confirm)
        .hint(20, "yes (capital Y)")
        .help("Questions", "yes"),
    row(&[Confirm], &[typed('T')], Action::Terminate)
        .help("Questions", "revoke, and kill its process"),
    row(&[Welcome], &[typed('q')], Action::Quit)
        .hint(10, "quit")
        .help("Welcome", "quit"),
    // Not built yet
    planned(&[typed(':'), ctrl('p')], "the command palette"),
    planned(&[typed('p')], "profiles"),
    planned(&[typed('s')], "sorting"),
    planned(&[typed('x')], "the action menu"),
    planned(&[typed(' ')], "freezing the screen").except(&[CallChoice, History]),
    planned(&[typed('e'), plain(KeyCode::F(4))], "the external editor"),
    planned(&[typed('v'), plain(KeyCode::F(3))], "the pager"),
    planned(&[typed('K')], "explanations"),
    planned(
        &[typed('7'), typed('8')],
        "the panes of events and operations",
    ),
    planned(&[ctrl('z')], "suspending to the shell"),
];
