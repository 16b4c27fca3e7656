//! The way to history: hands it what the screen wishes, and its answers back to the loop. Waits for nothing and decides nothing.

use tokio::sync::mpsc;

use super::past::{Answer, PAGE, Purpose, Question, Told, Wish};
use crate::call::CallState;
use crate::error::Result;
use crate::history::actor::Settings;
use crate::history::actor::open_watching;
use crate::history::filter::LONGEST_PAGE;
use crate::history::{Closed, Comparison, Filter, Found, Handle, Key, Record, compare};
use crate::protocol::TaskName;

/// States of calls whose outcome is not known and may still come.
const OPEN: [CallState; 9] = [
    CallState::Send,
    CallState::Sent,
    CallState::Recv,
    CallState::Run,
    CallState::Retry,
    CallState::Timeout,
    CallState::Detached,
    CallState::Lost,
    CallState::UnknownDelivery,
];

/// How often it is looked whether another program wrote. Nobody sees a difference below a second.
const WATCH: std::time::Duration = std::time::Duration::from_secs(1);

/// History as the loop holds it.
#[derive(Debug)]
pub struct Archive {
    handle: Handle,
    told: mpsc::UnboundedSender<Told>,
}

impl Archive {
    /// Opens history; what it tells comes out of the receiver.
    pub fn open(settings: Settings) -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (told, receiver) = mpsc::unbounded_channel();
        let notices = told.clone();
        let tell = move |notice| {
            // The loop may have ended.
            let _ = notices.send(Told::Notice(notice));
        };
        let handle = open_watching(settings, WATCH, tell);
        (Self { handle, told }, receiver)
    }

    /// Hands over a wish. The answer comes later.
    pub fn ask(&self, wish: Wish) {
        if let Wish::Save(record) = wish {
            return self.handle.save(*record);
        }
        let (handle, told) = (self.handle.clone(), self.told.clone());
        tokio::spawn(async move {
            let answer = answer(&handle, wish).await;
            let _ = told.send(answer.unwrap_or_else(Told::Trouble));
        });
    }

    /// Writes what is left, on a thread of its own; at most a second.
    pub async fn close(self) {
        let handle = self.handle;
        let closed = tokio::task::spawn_blocking(move || handle.close()).await;
        if let Ok(Closed::Unwritten(calls)) = closed {
            tracing::warn!(
                calls,
                "the disk was too slow: calls may be missing in history"
            );
        }
    }
}

async fn answer(handle: &Handle, wish: Wish) -> Result<Told> {
    Ok(match wish {
        Wish::Save(record) => {
            handle.save(*record);
            Told::Kept
        }
        Wish::Page {
            asked,
            filter,
            before,
        } => match handle.page(filter, before, PAGE).await {
            Ok(rows) => Told::Page {
                asked,
                before,
                rows,
            },
            Err(error) => Told::NotPaged(before, error),
        },
        Wish::Counts(number, filter) => {
            let open = Filter {
                states: OPEN.to_vec(),
                ..Filter::default()
            };
            // All asked before the first is waited for: nothing of ours comes between.
            let all = handle.count(Filter::default());
            let (open, shown) = (handle.count(open), handle.count(filter));
            Told::Counts(number, [all.await?, open.await?, shown.await?])
        }
        Wish::Get(key, purpose) => got(purpose, handle.get_call(key).await),
        Wish::Named(id, purpose) => got(purpose, handle.get(id.to_string()).await),
        Wish::Last(task, press) => got(Purpose::Again(press), last(handle, &task).await),
        Wish::Usual(task, broker) => {
            let usual = handle.usual(task.clone(), broker, None).await?;
            Told::Usual(task, usual)
        }
        Wish::Unresolved(broker, since) => match handle.unresolved(broker, since).await {
            Ok(records) => Told::Unresolved(records),
            Err(error) => Told::NotUnresolved(error),
        },
        Wish::Forget(key, now) => match handle.forget_call(key.clone(), now).await {
            Ok(record) => Told::Forgotten(key, record.map(Box::new)),
            Err(error) => Told::NotForgotten(key, error),
        },
        Wish::Recollect(record) => match handle.recollect((*record).clone()).await {
            Ok(()) => Told::Recollected(record.key()),
            Err(error) => Told::NotRecollected(record, error),
        },
        Wish::Compare(key, other, press) => match compared(handle, key, other).await {
            Ok(compared) => Told::Compared(compared, press),
            Err(error) => Told::NotGot(Purpose::Compare(press), error),
        },
        Wish::Recall(number, question) => Told::Recall(number, recall(handle, question).await),
    })
}

async fn last(handle: &Handle, task: &TaskName) -> Result<Found> {
    let page = handle.records(Filter::task(task), None, 1).await?;
    let last = page.records.into_iter().next().map(Box::new);
    let unreadable = page.unreadable.into_iter().next();
    Ok(match (last, unreadable) {
        (Some(last), _) => Found::One(last),
        (None, Some((id, why))) => Found::Unreadable(id, why),
        (None, None) => Found::None,
    })
}

fn got(purpose: Purpose, found: Result<Found>) -> Told {
    match found {
        Ok(found) => Told::Got(found, purpose),
        Err(error) => Told::NotGot(purpose, error),
    }
}

async fn recall(handle: &Handle, question: Question) -> Result<Answer> {
    Ok(match question {
        Question::Newest(filter, before) => {
            Answer::Newest(handle.page(filter, before, LONGEST_PAGE).await?)
        }
        Question::Older(filter, before) => {
            Answer::Older(handle.page(filter, Some(before), PAGE).await?)
        }
        Question::Call(key) => {
            let found = handle.get_call(key.clone()).await?;
            Answer::Call(key, found)
        }
    })
}

/// Fetches two calls and compares them on a thread that may take its time: results are up to 4 MB each.
async fn compared(
    handle: &Handle,
    key: Key,
    other: Option<Key>,
) -> Result<std::result::Result<Box<Comparison>, String>> {
    let one = match exactly(handle, key.clone()).await? {
        Ok(one) => one,
        Err(why) => return Ok(Err(why)),
    };
    let other = match other {
        None => match handle.previous(key).await? {
            Some(record) => record,
            None => {
                return Ok(Err(
                    "it is the first call of its task in the history".to_owned()
                ));
            }
        },
        Some(other) => match exactly(handle, other).await? {
            Ok(record) => record,
            Err(why) => return Ok(Err(why)),
        },
    };
    let work = move || Box::new(compare::compare(&one, &other));
    let compared = tokio::task::spawn_blocking(work).await;
    Ok(compared.map_err(|_| "the calls could not be compared".to_owned()))
}

async fn exactly(handle: &Handle, key: Key) -> Result<std::result::Result<Record, String>> {
    let short = key.0.short();
    let found = handle.get_call(key).await?;
    Ok(match found.unreadable() {
        Some(why) => Err(why),
        None => match found {
            Found::One(record) => Ok(*record),
            _ => Err(format!("history has no call {short}")),
        },
    })
}
