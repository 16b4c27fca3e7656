//! The one table of keys ([`table`]): bindings, footer hints and help are all made from it. No key is spelled anywhere else.
//!
//! In contexts where keys are text ([`Context::is_text`]) first ask [`lookup`], then [`edit`]: what is neither does nothing.

pub mod editing;
pub mod key;
pub mod table;
pub mod words;

use crossterm::event::KeyEvent;

pub use editing::edit;
pub use key::Key;
pub use table::Row;
pub use words::{Section, footer, help, help_elsewhere, help_here, hints};

/// Where the focus is, as far as keys are concerned.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter, strum::VariantArray,
)]
pub enum Context {
    /// The list of tasks.
    Tasks,
    /// Typing a filter (FILTER).
    Filter,
    /// Typing a task's name by hand (EDIT).
    TypeName,
    /// The call form, moving among the rows (NAV).
    CallNav,
    /// The call form, on an option (NAV).
    CallOption,
    /// The call form, on an option with words to choose from (NAV).
    CallChoice,
    /// The call form, on what shows and hides the further options (NAV).
    CallMore,
    /// The call form, on the button (NAV).
    CallButton,
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
    /// Typing a filter of History (FILTER).
    HistoryFilter,
    /// The queues.
    Queues,
    /// The workers.
    Workers,
    /// Typing in the recall popup (FILTER).
    Recall,
    /// The help overlay.
    Help,
    /// What differs between two calls.
    Diff,
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
    /// Half a page down / up.
    HalfDown,
    /// See [`Action::HalfDown`].
    HalfUp,
    /// Commits what is typed and goes on / back, inside the form; never sends.
    NextField,
    /// See [`Action::NextField`].
    PreviousField,
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
    /// Remove the row, give the option its default back.
    Remove,
    /// Show or hide the further options.
    Options,
    /// The next choice of an option.
    NextChoice,
    /// The previous one.
    PreviousChoice,
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
    /// Wait as long as can be.
    NoLimit,
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
    /// Another view of the same thing.
    Turn,
    /// Call again what was called.
    Again,
    /// Load a call of the past into the form.
    Load,
    /// Delete a call from history.
    Forget,
    /// Take back the last deletion; in the form, the last load.
    Undo,
    /// Look for a call of the past; again: among more of them.
    Recall,
    /// Look among calls of another outcome.
    Outcome,
    /// Mark a call, to compare another one with it.
    Mark,
    /// Compare two calls.
    Compare,
    /// Yes, in a dialog.
    Confirm,
    /// The harder yes of the question about a revoke: kill its process too.
    Terminate,
    /// The key is kept for this feature, which is not built yet; the notice line says so.
    Planned(&'static str),
}

/// The mode word at the bottom left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Mode {
    /// Keys are commands.
    Nav,
    /// Keys are text.
    Edit,
    /// Keys are text that narrows a list.
    Filter,
    /// A question waits for its answer.
    Dialog,
}

impl Context {
    /// The mode word of this context.
    pub fn mode(self) -> Mode {
        match self {
            Self::Filter | Self::HistoryFilter | Self::Recall => Mode::Filter,
            Self::TypeName | Self::CallEdit | Self::CallJson => Mode::Edit,
            Self::Confirm => Mode::Dialog,
            _ => Mode::Nav,
        }
    }

    /// Whether printable keys are text here.
    pub fn is_text(self) -> bool {
        matches!(self.mode(), Mode::Edit | Mode::Filter)
    }

    /// What this context is called in the title of its help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tasks => "Tasks",
            Self::Filter => "Filter",
            Self::HistoryFilter => "Filter of History",
            Self::TypeName => "Type a name",
            Self::CallNav => "Call form",
            Self::CallOption => "Call form, an option",
            Self::CallChoice => "Call form, a choice",
            Self::CallMore => "Call form, options",
            Self::CallButton => "Call form, the button",
            Self::CallEdit => "Call form, typing",
            Self::CallJson => "Call as JSON",
            Self::Result => "Result",
            Self::Running => "Running call",
            Self::History => "History",
            Self::Queues => "Queues",
            Self::Workers => "Workers",
            Self::Recall => "Recall a call",
            Self::Help => "Help",
            Self::Diff => "Difference",
            Self::Confirm => "Question",
            Self::Welcome => "Welcome",
        }
    }
}

/// The action of `key` in `context`.
pub fn lookup(context: Context, key: KeyEvent) -> Option<Action> {
    let row = table::rows(context).find(|row| row.keys.iter().any(|bound| bound.is(key)))?;
    Some(row.action)
}

impl Action {
    /// Whether it does something that a pasted text must not do.
    pub fn acts(self) -> bool {
        matches!(
            self,
            Self::Quit
                | Self::Call
                | Self::Revoke
                | Self::Confirm
                | Self::Terminate
                | Self::Detach
                | Self::Again
                | Self::Forget
        )
    }
}

/// Whether `key` in `context` must do nothing when it may be part of a paste that came without brackets (`burst`): plain characters and Enter,
/// where they act on a call, answer a question, or leave. All others (movement, panes, filters, function and control keys) do no harm, so they
/// are never kept waiting; and where keys are text, none is.
pub fn guarded(context: Context, key: KeyEvent) -> bool {
    let harms =
        |action: Action| context == Context::Confirm || action == Action::Enter || action.acts();
    !context.is_text() && key::is_typable(key) && lookup(context, key).is_some_and(harms)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crossterm::event::{KeyCode, KeyModifiers};
    use proptest::prelude::*;
    use rstest::rstest;
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn no_two_actions_share_a_key_in_one_context() {
        for context in Context::iter() {
            let mut seen = HashSet::new();
            for key in table::rows(context).flat_map(|row| row.keys) {
                assert!(seen.insert(*key), "{context} binds {key} twice");
            }
        }
    }

    #[test]
    fn every_key_of_the_table_triggers_its_action_wherever_it_holds() {
        for row in table::TABLE {
            for context in Context::iter().filter(|context| row.holds_in(*context)) {
                for key in row.keys {
                    assert_eq!(
                        lookup(context, key.event()),
                        Some(row.action),
                        "{context} {key}"
                    );
                }
            }
        }
    }

    #[rstest]
    #[case(Context::Tasks, 'q', Some(Action::Quit))]
    #[case(Context::CallNav, 'c', Some(Action::Call))]
    #[case(Context::Tasks, 'c', None)]
    #[case(Context::Confirm, 'y', None)]
    #[case(Context::Confirm, 'Y', Some(Action::Confirm))]
    #[case(Context::Confirm, 'n', Some(Action::Back))]
    #[case(Context::Running, '+', Some(Action::Longer))]
    #[case(Context::History, '3', Some(Action::Pane(3)))]
    fn characters_mean_what_the_specification_says(
        #[case] context: Context,
        #[case] char: char,
        #[case] action: Option<Action>,
    ) {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let key = KeyEvent::new(KeyCode::Char(char), modifiers);
            assert_eq!(lookup(context, key), action);
        }
    }

    #[test]
    fn sending_works_from_everywhere_in_the_form_and_from_nowhere_else() {
        let form = [
            Context::CallNav,
            Context::CallOption,
            Context::CallChoice,
            Context::CallMore,
            Context::CallButton,
            Context::CallEdit,
            Context::CallJson,
        ];
        for context in Context::iter() {
            for key in [
                KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE),
                KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
            ] {
                let sends = lookup(context, key) == Some(Action::Call);
                assert_eq!(sends, form.contains(&context), "{context}");
            }
        }
    }

    #[test]
    fn ctrl_j_sends_nowhere_and_commands_nothing() {
        let key = KeyEvent::new(KeyCode::Char('j'), KeyModifiers::CONTROL);
        for context in Context::iter() {
            assert_eq!(lookup(context, key), None);
        }
    }

    #[test]
    fn ctrl_c_stops_and_ctrl_l_repaints_everywhere() {
        let ctrl = |char| KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL);
        for context in Context::iter() {
            assert_eq!(
                lookup(context, ctrl('c')),
                Some(Action::Interrupt),
                "{context}"
            );
            assert_eq!(
                lookup(context, ctrl('l')),
                Some(Action::Repaint),
                "{context}"
            );
        }
    }

    #[test]
    fn help_can_be_asked_for_everywhere_but_in_a_question() {
        let key = KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE);
        for context in Context::iter().filter(|context| *context != Context::Confirm) {
            assert_eq!(lookup(context, key), Some(Action::Help), "{context}");
        }
    }

    #[test]
    fn only_commands_are_guarded_against_pastes() {
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        assert!(guarded(Context::CallNav, key(KeyCode::Enter)));
        assert!(guarded(Context::Tasks, key(KeyCode::Char('q'))));
        assert!(guarded(Context::Confirm, key(KeyCode::Char('Y'))));
        assert!(guarded(Context::Confirm, key(KeyCode::Char('q'))));
        for harmless in ['j', '/', '4', 'f', 'a', '`', '!', ']'] {
            let harmless = key(KeyCode::Char(harmless));
            assert!(!guarded(Context::Tasks, harmless), "{harmless:?}");
        }
        assert!(!guarded(Context::CallNav, key(KeyCode::F(5))));
        assert!(!guarded(Context::CallEdit, key(KeyCode::Enter)));
        assert!(!guarded(Context::Filter, key(KeyCode::Char('q'))));
    }

    proptest! {
        #[test]
        fn where_keys_are_text_no_character_is_a_command(char: char) {
            let key = KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE);
            for context in Context::iter().filter(|context| context.is_text()) {
                prop_assert_eq!(lookup(context, key), None);
                prop_assert_eq!(edit(key), Some(crate::tui::widgets::Edit::Insert(char)));
            }
        }
    }
}
