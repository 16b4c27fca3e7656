//! The table: which keys mean what where, how the footer and the help say it. Order is the order of the help.

use crossterm::event::KeyCode;

use super::key::{Key, alt, ctrl, plain, typed};
use super::{Action, Context};

/// One binding.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Where it holds.
    pub contexts: &'static [Context],
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

/// A row that holds in more contexts than this is not about the context at hand, and comes later in its help.
pub const SHARED: usize = 5;

/// The rows of `context`.
pub fn rows(context: Context) -> impl Iterator<Item = &'static Row> {
    TABLE
        .iter()
        .filter(move |row| row.contexts.contains(&context))
}

use Context::{
    CallButton, CallChoice, CallEdit, CallJson, CallMore, CallNav, CallOption, Confirm, Diff,
    Filter, Help, History, HistoryFilter, Queues, Result, Running, Tasks, TypeName, Welcome,
    Workers,
};

const ALL: &[Context] = &[
    Tasks,
    Filter,
    TypeName,
    CallNav,
    CallOption,
    CallChoice,
    CallMore,
    CallButton,
    CallEdit,
    CallJson,
    Result,
    Running,
    History,
    HistoryFilter,
    Queues,
    Workers,
    Help,
    Diff,
    Confirm,
    Welcome,
];
/// The call form, moving.
const FORM: &[Context] = &[CallNav, CallOption, CallChoice, CallMore, CallButton];
const PANES: &[Context] = &[
    Tasks, CallNav, CallOption, CallChoice, CallMore, CallButton, Result, Running, History, Queues,
    Workers,
];
const MOVING: &[Context] = &[
    Tasks, CallNav, CallOption, CallChoice, CallMore, CallButton, Result, Running, History, Queues,
    Workers, Help, Diff,
];
/// Where a blank is not taken to choose.
const FREEZING: &[Context] = &[
    Tasks, CallNav, CallOption, CallMore, CallButton, Result, Running, Queues, Workers,
];
const TYPING: &[Context] = &[Filter, HistoryFilter, TypeName, CallEdit, CallJson];
const LISTS: &[Context] = &[Queues, Workers];
const RESULTS: &[Context] = &[Result, Running];

const fn row(contexts: &'static [Context], keys: &'static [Key], action: Action) -> Row {
    Row {
        contexts,
        keys,
        action,
        hint: None,
        help: "",
        heading: "",
    }
}

impl Row {
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
    row(
        &[Filter, HistoryFilter],
        &[plain(KeyCode::Enter)],
        Action::Enter,
    )
    .hint(10, "keep")
    .help("Filter", "keep the filter"),
    row(
        &[Filter, HistoryFilter],
        &[plain(KeyCode::Esc)],
        Action::Back,
    )
    .hint(20, "clear")
    .help("Filter", "clear the filter"),
    row(
        &[Filter, HistoryFilter],
        &[plain(KeyCode::Down)],
        Action::Down,
    )
    .hint(30, "move")
    .help("Filter", "move in the list"),
    row(&[Filter, HistoryFilter], &[plain(KeyCode::Up)], Action::Up)
        .hint(30, "move")
        .help("Filter", "move in the list"),
    row(
        &[Filter, HistoryFilter],
        &[plain(KeyCode::PageDown)],
        Action::PageDown,
    )
    .help("Filter", "a page down, up"),
    row(
        &[Filter, HistoryFilter],
        &[plain(KeyCode::PageUp)],
        Action::PageUp,
    )
    .help("Filter", "a page down, up"),
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
        .hint(10, "timeout")
        .help("Call under way", "wait 10s longer, shorter"),
    row(&[Running], &[typed('-')], Action::Shorter)
        .hint(10, "timeout")
        .help("Call under way", "wait 10s longer, shorter"),
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
    row(&[Queues, Workers], &[plain(KeyCode::Enter)], Action::Enter)
        .hint(10, "detail")
        .help("Lists", "detail of the row"),
    // Move
    row(MOVING, &[typed('j'), plain(KeyCode::Down)], Action::Down).help("Move", "down, up"),
    row(MOVING, &[typed('k'), plain(KeyCode::Up)], Action::Up).help("Move", "down, up"),
    row(MOVING, &[typed('g'), plain(KeyCode::Home)], Action::First).help("Move", "first, last"),
    row(MOVING, &[typed('G'), plain(KeyCode::End)], Action::Last).help("Move", "first, last"),
    row(MOVING, &[plain(KeyCode::PageDown)], Action::PageDown).help("Move", "a page"),
    row(MOVING, &[plain(KeyCode::PageUp)], Action::PageUp).help("Move", "a page"),
    row(MOVING, &[ctrl('d')], Action::HalfDown).help("Move", "half a page"),
    row(MOVING, &[ctrl('u')], Action::HalfUp).help("Move", "half a page"),
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
    row(PANES, &[typed('f')], Action::Full).help("Everywhere", "full screen, and back"),
    row(LISTS, &[typed('r')], Action::Refresh)
        .hint(60, "refresh")
        .help("Everywhere", "ask again, redial"),
    row(
        &[
            Tasks, CallNav, CallOption, CallChoice, CallMore, CallButton, Result, Running, History,
        ],
        &[typed('r')],
        Action::Refresh,
    )
    .help("Everywhere", "ask again, redial"),
    row(
        &[
            Tasks, CallNav, CallOption, CallChoice, CallMore, CallButton, Queues, Workers,
        ],
        &[typed('y')],
        Action::Copy,
    )
    .help("Everywhere", "copy name or call"),
    row(PANES, &[typed('!')], Action::OpenNotice).help("Everywhere", "open the notice"),
    row(PANES, &[plain(KeyCode::Esc)], Action::Back).help("Everywhere", "back one level"),
    row(PANES, &[typed('q')], Action::Quit)
        .hint(120, "quit")
        .help("Everywhere", "quit"),
    row(&[Running], &[ctrl('c')], Action::Interrupt)
        .hint(30, "stop waiting")
        .help("Call under way", "stop waiting; twice in 2s quits"),
    row(
        &[
            Tasks,
            Filter,
            TypeName,
            CallNav,
            CallOption,
            CallChoice,
            CallMore,
            CallButton,
            CallEdit,
            CallJson,
            Result,
            History,
            HistoryFilter,
            Queues,
            Workers,
            Help,
            Diff,
            Confirm,
            Welcome,
        ],
        &[ctrl('c')],
        Action::Interrupt,
    )
    .help("Everywhere", "stop this; twice quits"),
    row(ALL, &[ctrl('l')], Action::Repaint).help("Everywhere", "draw everything anew"),
    row(PANES, &[typed('?'), plain(KeyCode::F(1))], Action::Help)
        .hint(u8::MAX, "help")
        .help("Everywhere", "help for this place"),
    row(
        &[Welcome],
        &[typed('?'), plain(KeyCode::F(1))],
        Action::Help,
    )
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
    row(&[Welcome], &[typed('q')], Action::Quit)
        .hint(10, "quit")
        .help("Welcome", "quit"),
    // Not built yet
    planned(&[typed(':'), ctrl('p')], "the command palette"),
    planned(&[typed('p')], "profiles"),
    planned(&[typed('s')], "sorting"),
    planned(&[typed('x')], "the action menu"),
    row(
        FREEZING,
        &[typed(' ')],
        Action::Planned("freezing the screen"),
    )
    .help("Later", "freezing the screen"),
    planned(&[typed('e'), plain(KeyCode::F(4))], "the external editor"),
    planned(&[typed('v'), plain(KeyCode::F(3))], "the pager"),
    planned(&[typed('K')], "explanations"),
    planned(&[ctrl('r')], "recalling a call"),
    planned(
        &[typed('7'), typed('8')],
        "the panes of events and operations",
    ),
    planned(&[ctrl('z')], "suspending to the shell"),
];
