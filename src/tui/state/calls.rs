//! The calls of this run, in the order in which they were made, found by id. Forgets none; knows no focus and no look.

use std::collections::HashMap;

use crate::call::Call;
use crate::history::Record;
use crate::protocol::{NodeName, TaskId};

/// All calls made since the program started.
#[derive(Debug, Default)]
pub struct Calls {
    list: Vec<Call>,
    places: HashMap<TaskId, usize>,
    /// Calls that changed since they were written down.
    changed: Vec<TaskId>,
    /// A call of the past that is looked at, as history has it; nothing is awaited of it here.
    visitor: Option<(Call, Record)>,
    /// What was written of calls that an earlier run made and this one listens for.
    adopted: HashMap<TaskId, Record>,
}

impl Calls {
    /// Adds a call that was just made.
    pub fn push(&mut self, call: Call) {
        self.changed.push(call.id().clone());
        self.places.insert(call.id().clone(), self.list.len());
        self.list.push(call);
    }

    /// The call with this id.
    pub fn get(&self, id: &TaskId) -> Option<&Call> {
        let own = self.places.get(id).and_then(|place| self.list.get(*place));
        own.or_else(|| self.visitor().filter(|call| call.id() == id))
    }

    /// A call that an earlier run made is listened for; `record` is what was written of it.
    pub fn adopt(&mut self, call: Call, record: Record) {
        self.adopted.insert(call.id().clone(), record);
        self.push(call);
    }

    /// What an earlier run wrote of a call that it made.
    pub fn adopted(&self, id: &TaskId) -> Option<&Record> {
        self.adopted.get(id)
    }

    /// A call of the past is looked at; `record` is what is written of it. Returns whether that is news.
    pub fn visit(&mut self, call: Call, record: Record) -> bool {
        let known = self.visitor.as_ref().map(|(_, record)| record);
        let news = known != Some(&record);
        if news {
            self.visitor = Some((call, record));
        }
        news
    }

    /// The call of the past that is looked at.
    pub fn visitor(&self) -> Option<&Call> {
        self.visitor.as_ref().map(|(call, _)| call)
    }

    /// Whether this call is looked at only: nobody here listens for it.
    pub fn visits(&self, id: &TaskId) -> bool {
        !self.places.contains_key(id) && self.visitor().is_some_and(|call| call.id() == id)
    }

    /// Calls of earlier runs that are listened for and have no outcome yet.
    pub fn adopted_open(&self) -> impl Iterator<Item = &TaskId> {
        let open = self.list.iter().filter(|call| !call.state().is_final());
        let open = open.filter(|call| self.adopted.contains_key(call.id()));
        open.map(Call::id)
    }

    /// Another program heard more of a call than we did.
    pub fn replace(&mut self, call: Call) {
        if let Some(own) = self.get_mut(&call.id().clone()) {
            *own = call;
        }
    }

    /// The call with this id, to change it.
    pub fn get_mut(&mut self, id: &TaskId) -> Option<&mut Call> {
        let place = *self.places.get(id)?;
        self.list.get_mut(place)
    }

    /// A call is not any more what it was: it is to be written down.
    pub fn changed(&mut self, id: &TaskId) {
        if !self.changed.contains(id) {
            self.changed.push(id.clone());
        }
    }

    /// The calls that changed since this was asked last.
    pub fn take_changed(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.changed)
    }

    /// All, newest first: as History shows them.
    pub fn newest_first(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.list.iter().rev()
    }

    /// All, oldest first, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.list.iter_mut()
    }

    /// How many were made.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none was made.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Calls that are waited for, newest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Call> {
        self.newest_first().filter(|call| call.state().is_waiting())
    }

    /// How many of this run were sent and have no outcome yet, waited for or not.
    pub fn in_the_air(&self) -> usize {
        self.list
            .iter()
            .filter(|call| call.whereabouts().is_some())
            .filter(|call| !self.adopted.contains_key(call.id()))
            .count()
    }

    /// Whether a call that has not ended is at this worker.
    pub fn mention(&self, node: &NodeName) -> bool {
        let mut calls = self.list.iter();
        calls.any(|call| call.worker.as_ref() == Some(node) && call.whereabouts().is_some())
    }

    /// Place of a call in [`Calls::newest_first`].
    pub fn row(&self, id: &TaskId) -> Option<usize> {
        self.places
            .get(id)
            .map(|place| self.list.len() - 1 - *place)
    }

    /// The call in a row of [`Calls::newest_first`].
    pub fn at_row(&self, row: usize) -> Option<&Call> {
        self.newest_first().nth(row)
    }
}
