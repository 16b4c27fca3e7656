//! History: the calls of this run and of earlier ones, newest first, as they lie on disk. Holds the pages that were looked at; asks for
//! more, reads none itself.

pub mod difference;
pub mod list;
pub mod lookout;
pub mod view;

use std::time::Duration;

use jiff::civil::Date;

use super::{Ask, Pane, Typed, step};
use crate::clock::{Moment, Now, Timestamp};
use crate::history::{Count, Cursor, Filter, Key, Record, Row};
use crate::tui::keymap::{Action, Context};
use crate::tui::past::{Asked, Want, Wish};
use crate::tui::state::Calls;
use crate::tui::widgets::{Field, Followed, Picked, Step};
use list::List;
use lookout::{Lookout, Waiting};

pub use view::{list_height, right};

/// The disk is looked at no oftener than this while calls come and go.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Deleted calls that can be taken back.
const UNDO: usize = 50;

/// Where the cursor stands while calls come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stand {
    /// On the newest call: nobody has moved it.
    #[default]
    Newest,
    /// On its call.
    Chosen,
    /// On its way to the last call there is: pages are fetched until it is there.
    End,
}

/// What the pane remembers.
#[derive(Debug, Default)]
pub struct State {
    picked: Picked<Key>,
    stand: Stand,
    list: List,
    field: Field,
    typing: bool,
    filter: Filter,
    problem: Option<String>,
    counts: Option<[Count; 3]>,
    /// Counts whose rows are still under way, with the number of their question.
    ahead: Option<(u64, [Count; 3])>,
    forgotten: Vec<Record>,
    /// Questions that were asked: each has its number, for answers come in any order.
    asked: u64,
    /// Answers to questions before this one are of another list, or know calls that have been deleted since.
    since: u64,
    /// The question whose answer is the first page.
    paged: u64,
    /// The question whose answer the counts are.
    counted: u64,
    /// The page that is under way begins there.
    loading: Option<Cursor>,
    /// What is listed may be old.
    stale: bool,
    /// The pane was opened and nobody has looked since.
    opened: bool,
    looked_at: Option<Moment>,
    /// The day of the times that are listed.
    day: Option<Date>,
    /// The call that another one is to be compared with.
    marked: Option<Key>,
    /// Calls that are being deleted.
    forgetting: Vec<Key>,
    /// Calls of this run that the list is made of.
    made_of: usize,
    wishes: Vec<Wish>,
    /// Calls without an answer that nobody waits for.
    lookout: Lookout,
}

impl State {
    /// What keys mean here.
    pub fn context(&self) -> Context {
        if self.typing {
            Context::HistoryFilter
        } else {
            Context::History
        }
    }

    /// The call under the cursor.
    pub fn selected(&self) -> Option<&Key> {
        self.picked.key()
    }

    /// Whether a filter is typed or set.
    pub fn filtering(&self) -> bool {
        self.typing || !self.field.is_empty()
    }

    /// What history is to be asked.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// It is known where results are: calls of earlier runs without an answer are asked for, once.
    pub fn pick_up(&mut self, broker: &str, since: Timestamp, now: Now) {
        if !self.lookout.began() {
            self.lookout.begin(now);
            let wish = Wish::Unresolved(broker.to_owned(), since);
            self.wishes.push(wish);
        }
    }

    /// Time passes: those are asked for that somebody may have left to us since.
    pub fn look_out(&mut self, broker: &str, now: Now) {
        if let Some(since) = self.lookout.due(now) {
            let wish = Wish::Unresolved(broker.to_owned(), since);
            self.wishes.push(wish);
        }
    }

    /// These calls are still waited for elsewhere.
    pub fn left_to_others(&mut self, waiting: Vec<Waiting>) {
        self.lookout.found(waiting);
    }

    /// Another program wrote.
    pub fn others_wrote(&mut self) {
        self.stale();
        self.lookout.news();
    }

    /// Time passes: the disk is looked at when the program starts, and when something was written while the list is seen. Returns
    /// whether the times of the list are another day's now.
    pub fn tick(&mut self, seen: bool, today: Date, now: Now) -> bool {
        if self.looked_at.is_none() || self.is_due(seen, now) {
            self.look(now);
        }
        let day = self.day.replace(today);
        seen && day.is_some_and(|day| day != today)
    }

    /// Something happened: the disk is looked at if the list is opened just now, or is seen and was looked at long enough ago.
    pub fn look_if_due(&mut self, seen: bool, now: Now) {
        if self.is_due(seen, now) {
            self.look(now);
        }
    }

    fn is_due(&self, seen: bool, now: Now) -> bool {
        let rested = |at: Moment| now.mono.since(at) >= LOOK_AGAIN;
        self.opened || (seen && self.stale && self.looked_at.is_some_and(rested))
    }

    /// The pane is opened: what it shows may be old, however short a time ago the disk was looked at.
    pub fn open(&mut self) {
        self.opened = true;
    }

    /// What is listed may be old: the disk is looked at soon.
    pub fn stale(&mut self) {
        self.stale = true;
    }

    /// Looks at the disk now.
    pub fn look(&mut self, now: Now) {
        self.looked_at = Some(now.mono);
        self.stale = false;
        self.opened = false;
        self.fetch_first();
        let top = self.picked.scroll().offset;
        if let Some(before) = self.list.page_of(top).filter(|_| self.loading.is_none()) {
            self.fetch(before);
        }
    }

    fn fetch_first(&mut self) {
        if self.problem.is_some() {
            return;
        }
        self.asked += 1;
        self.ask_page(None);
        let counts = Wish::Counts(self.asked, self.filter.clone());
        self.wishes.push(counts);
    }

    fn fetch(&mut self, before: Cursor) {
        self.loading = Some(before);
        self.ask_page(Some(before));
    }

    fn ask_page(&mut self, before: Option<Cursor>) {
        self.wishes.push(Wish::Page {
            asked: Asked::List(self.asked),
            filter: self.filter.clone(),
            before,
        });
    }

    /// A page came, for the question of this number. Returns whether anything changed.
    pub fn page(
        &mut self,
        number: u64,
        before: Option<Cursor>,
        rows: Vec<Row>,
        around: Around<'_>,
    ) -> bool {
        let first = before.is_none();
        let newest = if first { self.paged } else { 0 };
        if number < self.since.max(newest) || (!first && self.loading != before) {
            return false;
        }
        if first {
            self.paged = number;
        } else {
            self.loading = None;
        }
        let changed = self.list.page(before, rows);
        if changed {
            self.make(around);
        }
        self.fetch_more(around.height);
        self.catch_up() || changed
    }

    /// The page that begins there does not come.
    pub fn not_paged(&mut self, before: Option<Cursor>) {
        if before.is_some() {
            if self.loading != before {
                return;
            }
            self.loading = None;
        }
        self.arrive();
    }

    /// Calls without an answer were not told: they are asked for again.
    pub fn not_told_of_open_ones(&mut self) {
        self.lookout.news();
    }

    /// Calls were counted, for the question of this number; shown once its rows are there. Returns whether anything changed.
    pub fn counted(&mut self, number: u64, counts: [Count; 3]) -> bool {
        if number < self.since.max(self.counted) {
            return false;
        }
        self.counted = number;
        self.ahead = Some((number, counts));
        self.catch_up()
    }

    /// Counts that the rows have caught up with are shown. Returns whether they are news.
    fn catch_up(&mut self) -> bool {
        let there = self.ahead.take_if(|(number, _)| *number <= self.paged);
        let Some((_, counts)) = there else {
            return false;
        };
        self.counts.replace(counts) != Some(counts)
    }

    /// A call was deleted.
    pub fn forgot(&mut self, record: Record, around: Around<'_>, now: Now) {
        let key = record.key();
        self.forgetting.retain(|other| *other != key);
        self.list.gone(&key, true);
        if self.marked.as_ref() == Some(&key) {
            self.marked = None;
        }
        if self.forgotten.len() == UNDO {
            self.forgotten.remove(0);
        }
        self.forgotten.push(record);
        self.make(around);
        self.expect_new();
        self.look(now);
    }

    /// What is under way answers what nobody asks any more.
    fn expect_new(&mut self) {
        self.since = self.asked + 1;
        self.loading = None;
        self.ahead = None;
    }

    /// A call was not deleted, or was not there.
    pub fn not_forgot(&mut self, key: &Key) {
        self.forgetting.retain(|other| other != key);
        self.stale();
    }

    /// What was deleted could not be brought back: it still can be.
    pub fn not_recollected(&mut self, record: Record, around: Around<'_>) {
        self.list.gone(&record.key(), true);
        self.forgotten.push(record);
        self.make(around);
    }

    /// The call that another one is to be compared with.
    pub fn marked(&self) -> Option<&Key> {
        self.marked.as_ref()
    }

    /// Calls were made: the cursor stays on its call, or on the newest while nobody has moved it.
    pub fn refresh(&mut self, around: Around<'_>) {
        if self.made_of != around.calls.len() {
            self.make(around);
        }
        self.settle(around.height);
    }

    fn make(&mut self, around: Around<'_>) {
        self.made_of = around.calls.len();
        self.list.make(around.calls, !self.field.is_empty());
        self.settle(around.height);
    }

    fn settle(&mut self, height: usize) {
        let (list, len) = (&self.list, self.list.len());
        let row = match self.stand {
            Stand::Newest => Some(0),
            Stand::End => Some(len.saturating_sub(1)),
            Stand::Chosen => {
                let gone = self.picked.follow(len, height, key_at(list)) == Followed::Lost;
                gone.then(|| self.picked.scroll().selected)
            }
        };
        if let Some(row) = row {
            self.picked.select(row, len, height, key_at(list));
        }
    }

    /// The user stops typing; the filter stands. Returns whether he was typing.
    pub fn stop_typing(&mut self) -> bool {
        std::mem::take(&mut self.typing)
    }

    /// A key that is text, or a paste. Returns whether it was taken.
    pub fn text(&mut self, typed: Typed<'_>, around: Around<'_>) -> bool {
        if !self.typing {
            return false;
        }
        let before = self.field.text().to_owned();
        let taken = typed.into_field(&mut self.field);
        if self.field.text() != before {
            self.filter_changed(around);
        }
        taken
    }

    fn filter_changed(&mut self, around: Around<'_>) {
        let filter = crate::history::terms::read(self.field.text());
        if filter.as_ref().is_ok_and(|filter| *filter == self.filter) && self.problem.is_none() {
            return;
        }
        self.expect_new();
        self.stand = Stand::Newest;
        match filter {
            Ok(filter) => {
                self.filter = filter;
                self.problem = None;
                self.list.expect_another();
            }
            Err(problem) => {
                self.problem = Some(problem);
                self.list.clear();
            }
        }
        self.fetch_first();
        self.make(around);
    }

    /// One action.
    pub fn update(&mut self, action: Action, around: Around<'_>, now: Now) -> Option<Ask> {
        if let Some(step) = step(action) {
            let list = &self.list;
            let height = around.height;
            self.picked.step(step, list.len(), height, key_at(list));
            let more = list.next_page().is_some();
            self.stand = if step == Step::Last && more {
                Stand::End
            } else {
                Stand::Chosen
            };
            self.fetch_more(height);
            return None;
        }
        match action {
            Action::Filter => self.typing = true,
            Action::Enter if self.typing => self.typing = false,
            Action::Back if self.filtering() => {
                self.typing = false;
                self.field = Field::default();
                self.filter_changed(around);
            }
            Action::Back => return Some(Ask::Focus(Pane::Tasks)),
            Action::Undo => return Some(self.undo(around)),
            Action::Mark => self.mark(),
            action => return Some(self.with_selected(action, now)),
        }
        None
    }

    /// The last call is reached, or as far as it can be.
    fn arrive(&mut self) {
        if self.stand == Stand::End {
            self.stand = Stand::Chosen;
        }
    }

    /// The next page before the cursor comes to the end.
    fn fetch_more(&mut self, height: usize) {
        let row = self.picked.row().unwrap_or_default();
        let near = self.stand == Stand::End || row + 2 * height.max(10) >= self.list.len();
        if !near || self.loading.is_some() {
            return;
        }
        match self.list.next_page() {
            Some(before) => self.fetch(before),
            None => self.arrive(),
        }
    }

    /// Marks the call under the cursor; once more takes that back.
    fn mark(&mut self) {
        let selected = self.picked.key().cloned();
        self.marked = selected.filter(|key| self.marked.as_ref() != Some(key));
    }

    /// The marked call, if another one is selected; else the one before the selected.
    fn compare(&self, key: Key) -> Ask {
        let other = self.marked.clone().filter(|marked| *marked != key);
        Ask::Want(Want::Compare(key, other))
    }

    fn forget(&mut self, key: Key, now: Now) -> Ask {
        if self.forgetting.contains(&key) {
            return Ask::say("it is being forgotten");
        }
        self.forgetting.push(key.clone());
        Ask::History(Wish::Forget(key, now.wall))
    }

    fn with_selected(&mut self, action: Action, now: Now) -> Ask {
        let Some(key) = self.selected().cloned() else {
            return Ask::say("no call is selected");
        };
        match action {
            Action::Enter => Ask::Show(key),
            Action::Copy => Ask::Copy(key.0.to_string(), "the task's id"),
            Action::Again => Ask::Want(Want::Again(key)),
            Action::Load => Ask::Want(Want::Load(key)),
            Action::Compare => self.compare(key),
            Action::Forget => self.forget(key, now),
            _ => Ask::NotHere,
        }
    }

    fn undo(&mut self, around: Around<'_>) -> Ask {
        let Some(record) = self.forgotten.pop() else {
            return Ask::say("nothing to undo");
        };
        self.list.gone(&record.key(), false);
        self.make(around);
        Ask::History(Wish::Recollect(Box::new(record)))
    }
}

/// What the pane looks at while it changes.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The calls of this run.
    pub calls: &'a Calls,
    /// Rows of the list.
    pub height: usize,
}

fn key_at(list: &List) -> impl Fn(usize) -> Key + '_ {
    |row| list.at(row).map(|entry| entry.key()).unwrap_or_default()
}
