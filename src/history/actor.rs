//! The one thread that owns the database. It may block; nobody else does.
//!
//! `actor/handle.rs` is what everybody else holds, `actor/inbox.rs` what lies between, `actor/desk.rs` what goes on when the disk
//! does not, `actor/fleeting.rs` the calls that never go there.

mod desk;
mod fleeting;
mod handle;
mod inbox;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::store::Trouble;
use super::{Keep, Persist, Place, Rules};
use crate::error::{Error, Kind};
use desk::Desk;
pub use handle::{Closed, Handle, Reply};
use inbox::{Inbox, Work};

/// What is to be known of history; said once each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Calls are kept in memory only from now on: why, and what to do.
    InMemory(Error),
    /// The disk is back, and holds all of them.
    OnDisk(PathBuf),
    /// There was too much in memory: the values of so many calls that had ended are gone, the oldest.
    Slimmed(usize),
    /// Another program wrote into the file, or another file has its name. Only said by [`open_watching`].
    Changed,
}

/// Where history lies and how much of it is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub place: Place,
    /// How much.
    pub keep: Keep,
    /// Which calls go to disk; the others stay in memory, whatever the place.
    pub persist: Persist,
    /// How often a disk that failed is tried again.
    pub retry: Duration,
}

impl Settings {
    /// The usual settings for `place`.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            keep: Keep::default(),
            persist: Persist::default(),
            retry: Duration::from_secs(30),
        }
    }

    /// As much is kept as `rules` say, and of what they say.
    #[must_use]
    pub fn by(self, rules: &Rules) -> Self {
        Self {
            keep: rules.keep,
            persist: rules.persist.clone(),
            ..self
        }
    }
}

/// Starts history. It answers from the first moment on; whether the disk can be used comes as a [`Notice`], on the thread of
/// history. It ends with the last handle, or with [`Handle::close`].
pub fn open(settings: Settings, tell: impl Fn(Notice) + Send + 'static) -> Handle {
    start(settings, None, Box::new(tell))
}

/// As [`open`], and looks this often whether another program wrote: a few microseconds each time, nothing is read.
pub fn open_watching(
    settings: Settings,
    every: Duration,
    tell: impl Fn(Notice) + Send + 'static,
) -> Handle {
    start(settings, Some(every), Box::new(tell))
}

fn start(settings: Settings, watch: Option<Duration>, tell: Box<dyn Fn(Notice) + Send>) -> Handle {
    let inbox = Arc::new(Inbox::default());
    let theirs = Arc::clone(&inbox);
    let work = move || {
        let ended = Ended(theirs);
        match Desk::open(settings, tell) {
            Some(desk) => run(&ended.0, desk.watching(watch)),
            None => ended.0.close(),
        }
    };
    let thread = std::thread::Builder::new().name("history".to_owned());
    if thread.spawn(work).is_err() {
        inbox.close();
        inbox.end();
    }
    Handle::new(inbox)
}

/// Says that the thread has ended, however it ended.
struct Ended(Arc<Inbox>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn run(inbox: &Inbox, mut desk: Desk) {
    loop {
        match inbox.next(desk.next_chore()) {
            Work::Do { saves, job } => {
                desk.write(&saves);
                inbox.written(desk.owed());
                if let Some(job) = job {
                    job(&mut desk);
                }
            }
            Work::Idle => desk.chore(),
            Work::End => {
                inbox.owed(desk.end());
                return;
            }
        }
        inbox.owed(desk.owed());
    }
}

/// For somebody who asks a history that has ended.
fn ended() -> Error {
    Error::new(Kind::Internal, "history has ended")
}

/// For somebody who asks faster than history answers.
fn busy() -> Error {
    Error::new(Kind::Internal, "history is busy; ask again")
}

/// In memory only, and nobody knows a place.
fn homeless() -> Error {
    let message = "history is kept in memory only: neither XDG_DATA_HOME nor HOME is set";
    Error::new(Kind::Config, message).hint("name a file in UMBEL_HISTORY, or off")
}

fn in_memory(trouble: &Trouble) -> Error {
    let error = Error::from(trouble.clone());
    let message = format!("{error}; calls are kept in memory only");
    Error { message, ..error }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::history::record::tests::record;
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn writes_of_others_are_told_and_our_own_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = || Settings::new(Place::File(folder.path().join("history.db")));
        let mut runner = TestRunner::deterministic();
        let mut any = || record().new_tree(&mut runner).unwrap().current();
        let (tell, told) = mpsc::channel();
        let ours = open_watching(settings(), Duration::from_millis(1), move |notice| {
            let _ = tell.send(notice);
        });
        let number = |number: u64| crate::protocol::TaskId(format!("call-{number}"));
        let mut own = any();
        own.signature.id = number(1);
        ours.save(own);
        ours.get("call-1".to_owned()).await.unwrap();
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
        let theirs = open(settings(), |_| {});
        let mut other = any();
        other.signature.id = number(2);
        theirs.save(other);
        theirs.get("call-2".to_owned()).await.unwrap();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Notice::Changed));
    }
}
