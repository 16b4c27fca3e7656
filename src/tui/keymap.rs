//! The one table of keys: bindings, footer hints and help are all made from it. No key is spelled anywhere else.

use crossterm::event::KeyEvent;

/// Where the focus is, as far as keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter)]
pub enum Context {
    /// The list of tasks.
    Tasks,
    /// Typing a filter (FILTER).
    Filter,
    /// Typing a task's name by hand (EDIT).
    TypeName,
    /// The call form, moving (NAV).
    CallNav,
    /// The call form, typing an ITEM or an option (EDIT).
    CallEdit,
    /// The call form as raw JSON (EDIT).
    CallJson,
    /// The Result pane with a call that ended, or none.
    Result,
    /// The Result pane with a call that is waited for, timed out or detached.
    Running,
    /// The list of calls.
    History,
    /// The queues.
    Queues,
    /// The workers.
    Workers,
    /// The help overlay.
    Help,
    /// A dialog that asks for capital Y.
    Confirm,
    /// The Welcome screen without a broker.
    Welcome,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter)]
pub enum Action {
    /// Move down / up one.
    Down,
    /// See [`Action::Down`].
    Up,
    /// First entry.
    First,
    /// Last entry.
    Last,
    /// A page down / up.
    PageDown,
    /// See [`Action::PageDown`].
    PageUp,
    /// Next / previous pane.
    NextPane,
    /// See [`Action::NextPane`].
    PreviousPane,
    /// Pane by its number, 1 to 6.
    Pane(u8),
    /// Full screen for this pane, and back.
    Full,
    /// Filter.
    Filter,
    /// Back one level.
    Back,
    /// Close the overlay; at the top: quit.
    Quit,
    /// Help for this context.
    Help,
    /// Open, choose, fold, commit.
    Enter,
    /// Start typing.
    Edit,
    /// Remove the row.
    Remove,
    /// Add a row, or type a name that is not in the list.
    Add,
    /// Raw JSON and back.
    Json,
    /// Call.
    Call,
    /// Wait longer / shorter.
    Longer,
    /// See [`Action::Longer`].
    Shorter,
    /// Stop waiting, keep listening.
    Detach,
    /// Revoke, with confirmation.
    Revoke,
    /// Open the newest notice.
    OpenNotice,
    /// Copy.
    Copy,
    /// Ask again now, reconnect.
    Refresh,
    /// Stop the innermost thing; twice in 2 s quits.
    Interrupt,
    /// Draw everything anew.
    Repaint,
    /// Tree or flat list.
    ToggleTree,
    /// Show or hide Celery's own tasks.
    Builtins,
    /// Yes, in a dialog.
    Confirm,
}

/// The action of `key` in `context`.
pub fn lookup(context: Context, key: KeyEvent) -> Option<Action> {
    let _ = (context, key);
    unimplemented!()
}

/// The footer's hints for `context` in order of use: keys as shown and a word or two each.
pub fn hints(context: Context) -> Vec<(String, &'static str)> {
    let _ = context;
    unimplemented!()
}

/// Help: the bindings of `context` first, then those of the others; grouped by heading.
pub fn help(context: Context) -> Vec<(String, Vec<(String, &'static str)>)> {
    let _ = context;
    unimplemented!()
}
