//! The calls of this run, in the order in which they were made, found by id. Forgets none that has not ended, and ended ones only when
//! they are too many or too large to be held: those are in history. Knows no focus and no look.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use crate::call::{Call, CallState};
use crate::clock::Now;
use crate::history::record::{self, Key, Waited};
use crate::history::{Masked, Record};
use crate::protocol::{NodeName, TaskId};

/// Bytes that ended calls may take up.
const ROOM: usize = 24 << 20;

/// Ended calls that are held at most.
const MOST: usize = 2_000;

/// A program that waits writes down the end of its waiting within this time.
const GRACE: Duration = Duration::from_secs(5);

/// Whether nobody waits for a call any more: its waiting has ended, or its time is over and nobody has said so.
pub fn is_left_alone(record: &Record, now: Now) -> bool {
    if record.waited != Waited::Yes {
        return true;
    }
    let age = now.wall.duration_since(record.times.created);
    age.unsigned_abs() > patience(record)
}

/// How long after it was made somebody may still wait for a call.
pub fn patience(record: &Record) -> Duration {
    record.timeout + record.times.recorded.after + GRACE
}

/// What tells a call from every other of its id.
pub fn key_of(call: &Call) -> Key {
    record::key(call.id(), call.timeline.created.wall)
}

/// The calls made since the program started, without the oldest of those that ended where they were too much.
#[derive(Debug, Default)]
pub struct Calls {
    list: Vec<Call>,
    /// Where the last call of each id is.
    places: HashMap<TaskId, usize>,
    /// Where secrets are in calls that repeat one of the past, besides those that names tell.
    masked: HashMap<Key, Vec<Masked>>,
    /// Calls that changed since they were written down.
    changed: Vec<Key>,
    /// The arguments of each as they are shown, once they were: of large ones they are made once and not for every frame.
    shown: HashMap<Key, OnceLock<String>>,
    /// A call of the past that is looked at, as history has it; nothing is awaited of it here.
    visitor: Option<(Call, Record)>,
    /// What was written of calls that an earlier run made and this one listens for.
    adopted: HashMap<Key, Record>,
    /// About the bytes of each call that has ended, and of all of them.
    hefts: HashMap<Key, usize>,
    heft: usize,
}

impl Calls {
    /// Adds a call that was just made.
    pub fn push(&mut self, call: Call) {
        let key = key_of(&call);
        self.changed.push(key.clone());
        self.shown.insert(key, OnceLock::new());
        self.places.insert(call.id().clone(), self.list.len());
        self.list.push(call);
    }

    /// Adds a call that repeats one of the past, of which these places were secret.
    pub fn push_masked(&mut self, call: Call, masked: Vec<Masked>) {
        if !masked.is_empty() {
            self.masked.insert(key_of(&call), masked);
        }
        self.push(call);
    }

    /// Where secrets are in a call, besides those that names tell.
    pub fn masked(&self, call: &Call) -> &[Masked] {
        self.masked.get(&key_of(call)).map_or(&[], Vec::as_slice)
    }

    /// The arguments of a call as they are shown; `make` makes them where they were not shown yet. `None`: there is no such call.
    pub fn shown(&self, call: &Call, make: impl FnOnce() -> String) -> Option<&str> {
        Some(self.shown.get(&key_of(call))?.get_or_init(make))
    }

    /// The last call with this id.
    pub fn get(&self, id: &TaskId) -> Option<&Call> {
        let own = self.own(id);
        own.or_else(|| self.visitor().filter(|call| call.id() == id))
    }

    /// The last call with this id that is not looked at only.
    pub fn own(&self, id: &TaskId) -> Option<&Call> {
        self.places.get(id).and_then(|place| self.list.get(*place))
    }

    /// This very call.
    pub fn find(&self, key: &Key) -> Option<&Call> {
        let visitor = || self.visitor().filter(|call| key_of(call) == *key);
        self.own_call(key).or_else(visitor)
    }

    fn own_call(&self, key: &Key) -> Option<&Call> {
        let is_it = |call: &&Call| key_of(call) == *key;
        let last = self.own(&key.0)?;
        let earlier = || self.list.iter().rev().find(is_it);
        Some(last).filter(is_it).or_else(earlier)
    }

    /// A call that an earlier run made is listened for; `record` is what was written of it.
    pub fn adopt(&mut self, call: Call, record: Record) {
        self.adopted.insert(key_of(&call), record);
        self.push(call);
    }

    /// What an earlier run wrote of a call that it made.
    pub fn adopted(&self, call: &Call) -> Option<&Record> {
        self.adopted.get(&key_of(call))
    }

    /// A call of the past is looked at; `record` is what is written of it. Returns whether that is news.
    pub fn visit(&mut self, call: Call, record: Record) -> bool {
        let known = self.visitor.as_ref().map(|(_, record)| record);
        // Answers overtake each other.
        let newer =
            |known: &Record| known.key() == record.key() && known.revision() > record.revision();
        let news = known != Some(&record) && !known.is_some_and(newer);
        if news {
            let seen = self.visitor().map(key_of);
            if let Some(seen) = seen.filter(|seen| self.own_call(seen).is_none()) {
                self.shown.remove(&seen);
            }
            self.shown.entry(key_of(&call)).or_default();
            self.visitor = Some((call, record));
        }
        news
    }

    /// The call of the past that is looked at.
    pub fn visitor(&self) -> Option<&Call> {
        self.visitor.as_ref().map(|(call, _)| call)
    }

    /// What is written of this call, if it is looked at only.
    pub fn visited(&self, call: &Call) -> Option<&Record> {
        let (_, record) = self.visitor.as_ref()?;
        Some(record).filter(|_| self.visits(call))
    }

    /// Whether this call is looked at only: nobody here listens for it.
    pub fn visits(&self, call: &Call) -> bool {
        self.visits_call(&key_of(call))
    }

    /// As [`Calls::visits`].
    pub fn visits_call(&self, key: &Key) -> bool {
        self.own_call(key).is_none() && self.visitor().is_some_and(|call| key_of(call) == *key)
    }

    /// Calls of earlier runs that are listened for and have no outcome yet.
    pub fn adopted_open(&self) -> impl Iterator<Item = Key> {
        let open = self.list.iter().filter(|call| !call.state().is_final());
        open.map(key_of)
            .filter(|key| self.adopted.contains_key(key))
    }

    /// Another program heard more of a call than we did.
    pub fn replace(&mut self, call: Call) {
        let key = key_of(&call);
        if let Some(own) = self.find_mut(&key) {
            *own = call;
            self.shown.insert(key, OnceLock::new());
        }
    }

    /// The last call with this id, to change it: what is heard of an id is about that one.
    pub fn get_mut(&mut self, id: &TaskId) -> Option<&mut Call> {
        let place = *self.places.get(id)?;
        self.list.get_mut(place)
    }

    /// This very call, to change it; not one that is looked at only.
    pub fn find_mut(&mut self, key: &Key) -> Option<&mut Call> {
        let mut list = self.list.iter_mut().rev();
        list.find(|call| key_of(call) == *key)
    }

    /// A call is not any more what it was: it is to be written down.
    pub fn changed(&mut self, key: &Key) {
        if !self.changed.contains(key) {
            self.changed.push(key.clone());
        }
    }

    /// The calls that changed since this was asked last.
    pub fn take_changed(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.changed)
    }

    /// Lets the oldest ended calls go when there are too many or too large ones, but none that `stays`. `changed` are the calls that may
    /// have ended since this was asked last; all of them are in history.
    pub fn shed(&mut self, changed: &[Key], stays: impl Fn(&Key) -> bool) {
        for key in changed {
            // A revoked task may run after all.
            let over = |call: &&Call| call.state().is_final() && call.state() != CallState::Revoked;
            let Some(own) = self.own_call(key) else {
                continue;
            };
            let new = Some(own).filter(over).map_or(0, Call::heft);
            let old = self.hefts.insert(key.clone(), new).unwrap_or(0);
            self.heft = self.heft + new - old;
            if new == 0 {
                self.hefts.remove(key);
            }
        }
        if self.heft <= ROOM && self.hefts.len() <= MOST {
            return;
        }
        // Not one by one: the places of all others change.
        let (room, most) = (ROOM / 4 * 3, MOST / 4 * 3);
        let (hefts, heft) = (&mut self.hefts, &mut self.heft);
        self.list.retain(|call| {
            let key = key_of(call);
            if (*heft <= room && hefts.len() <= most) || stays(&key) {
                return true;
            }
            let Some(freed) = hefts.remove(&key) else {
                return true;
            };
            *heft -= freed;
            self.adopted.remove(&key);
            self.masked.remove(&key);
            self.shown.remove(&key);
            false
        });
        let places = self.list.iter().enumerate();
        self.places = places
            .map(|(place, call)| (call.id().clone(), place))
            .collect();
    }

    /// All, newest first: as History shows them.
    pub fn newest_first(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.list.iter().rev()
    }

    /// All, oldest first, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.list.iter_mut()
    }

    /// How many are held.
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
            .filter(|call| !self.adopted.contains_key(&key_of(call)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Fact;
    use crate::protocol::{Json, Options, Signature, State, TaskResult};

    fn call(number: usize, result: Option<usize>) -> Call {
        let now = Now::fixed(Duration::from_secs(1_000));
        let id = TaskId(format!("id-{number}"));
        let signature = Signature {
            task: "t".into(),
            id: id.clone(),
            args: Vec::new(),
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let mut call = Call::new(signature, Duration::from_secs(10), now);
        call.apply(Fact::Publishing, now);
        call.apply(Fact::Confirmed, now);
        if let Some(bytes) = result {
            let result = TaskResult {
                size: bytes,
                ..TaskResult::new(id, State::Success, Json::from("x".repeat(bytes)))
            };
            call.apply(Fact::Result(Box::new(result)), now);
        }
        call
    }

    fn held(calls: &Calls) -> usize {
        calls.list.iter().map(Call::heft).sum()
    }

    #[test]
    fn the_oldest_calls_that_ended_go_when_their_results_are_too_much_and_no_open_one_does() {
        let mut calls = Calls::default();
        calls.push(call(0, None));
        for number in 1..=60 {
            calls.push(call(number, Some(1 << 20)));
            let changed = calls.take_changed();
            calls.shed(&changed, |key| key.0.as_str() == "id-1");
            assert!(held(&calls) <= ROOM + (2 << 20), "{}", held(&calls));
            for place in 0..calls.len() {
                let id = calls.list[place].id();
                assert_eq!(calls.get(id).map(Call::id), Some(id));
            }
        }
        let there = |number: usize| calls.get(&TaskId(format!("id-{number}"))).is_some();
        assert!(there(0), "it has not ended");
        assert!(there(1), "it is looked at");
        assert!(there(60) && !there(2));
    }

    #[test]
    fn of_two_calls_of_an_id_the_one_that_ended_goes_and_the_other_stays_whole() {
        let mut calls = Calls::default();
        let place = Masked {
            place: crate::history::record::Place::Positional(0),
            path: crate::history::Path::default(),
        };
        calls.push(call(7, Some(8 << 20)));
        let mut changed = calls.take_changed();
        calls.shed(&changed, |_| false);
        let later = Now::fixed(Duration::from_hours(1));
        let again = Call::new(
            calls.list[0].signature.clone(),
            Duration::from_secs(10),
            later,
        );
        let [first, second] = [key_of(&calls.list[0]), key_of(&again)];
        calls.push_masked(again, vec![place]);
        for number in 8..12 {
            calls.push(call(number, Some(8 << 20)));
        }
        changed.extend(calls.take_changed());
        calls.shed(&changed, |_| false);
        assert!(calls.find(&first).is_none());
        let second = calls.find(&second).unwrap();
        assert_eq!(calls.masked(second).len(), 1);
        assert!(calls.shown(second, String::new).is_some());
    }

    #[test]
    fn no_more_than_so_many_small_ones_stay() {
        let mut calls = Calls::default();
        for number in 0..MOST + 10 {
            calls.push(call(number, Some(1)));
        }
        let changed = calls.take_changed();
        calls.shed(&changed, |_| false);
        assert_eq!(calls.len(), MOST / 4 * 3);
        calls.shed(&changed, |_| false);
        assert_eq!(calls.len(), MOST / 4 * 3);
    }
}
