//! Forms that gave way to a call of the past. Nothing typed is lost by a load: the form that was there comes back, and the loaded one stays
//! behind it. Loads nothing itself.

use std::collections::{BTreeMap, VecDeque};

use super::draft::Draft;
use crate::protocol::TaskName;

/// Forms of one task that are kept; what was typed and never sent goes last.
const KEPT: usize = 20;

/// The forms that were replaced, by task, the newest last.
#[derive(Debug, Default)]
pub struct Replaced(BTreeMap<TaskName, VecDeque<Draft>>);

impl Replaced {
    /// A form gives way.
    pub fn push(&mut self, draft: Draft) {
        let forms = self.0.entry(draft.task.clone()).or_default();
        if forms.len() == KEPT {
            let sent = forms.iter().position(|draft| !draft.is_unsent());
            forms.remove(sent.unwrap_or_default());
        }
        forms.push_back(draft);
    }

    /// The form that was replaced last comes back, and `shown` goes behind all others: so each comes round again. False where there is none.
    pub fn turn(&mut self, shown: &mut Draft) -> bool {
        let Some(forms) = self.0.get_mut(&shown.task) else {
            return false;
        };
        let Some(before) = forms.pop_back() else {
            return false;
        };
        forms.push_front(std::mem::replace(shown, before));
        shown.guard.disarm();
        true
    }

    /// Those that hold something typed that was not sent.
    pub fn unsent(&self) -> impl Iterator<Item = &Draft> {
        self.0.values().flatten().filter(|draft| draft.is_unsent())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Moment;
    use crate::tui::panes::Typed;
    use crate::tui::panes::call::Spot;

    fn form(text: &str) -> Draft {
        let mut draft = Draft::new(TaskName::from("shop.refund"), Duration::from_secs(10));
        draft.start_typing();
        draft.text(Typed::Paste(text));
        draft.go(Spot::Empty, Moment::default());
        draft
    }

    fn holds(draft: &Draft) -> &str {
        &draft.rows[0].text
    }

    #[test]
    fn every_form_comes_round_again() {
        let mut replaced = Replaced::default();
        for text in ["1", "2"] {
            replaced.push(form(text));
        }
        let mut shown = form("3");
        let mut seen = Vec::new();
        for _ in 0..6 {
            assert!(replaced.turn(&mut shown));
            seen.push(holds(&shown).to_owned());
        }
        assert_eq!(seen, ["2", "1", "3", "2", "1", "3"]);
    }

    #[test]
    fn without_a_load_there_is_nothing_to_take_back() {
        let mut shown = form("1");
        assert!(!Replaced::default().turn(&mut shown));
        assert_eq!(holds(&shown), "1");
    }

    #[test]
    fn of_too_many_forms_those_go_first_that_were_sent() {
        let mut replaced = Replaced::default();
        replaced.push(form("typed"));
        for _ in 0..2 * KEPT {
            let mut sent = form("sent");
            sent.sent();
            replaced.push(sent);
        }
        let unsent: Vec<&str> = replaced.unsent().map(holds).collect();
        assert_eq!(unsent, ["typed"]);
    }
}
