//! The way to history: hands it what the screen wishes, and its answers back to the loop. Waits for nothing and decides nothing.

use tokio::sync::mpsc;

use super::past::{Answer, PAGE, Purpose, Question, Told, Wish};
use crate::call::CallState;
use crate::error::Result;
use crate::history::actor::Settings;
use crate::history::filter::LONGEST_PAGE;
use crate::history::{Closed, Filter, Found, Handle, open};

/// States of calls whose outcome is not known and may still come.
const OPEN: [CallState; 8] = [
    CallState::Send,
    CallState::Sent,
    CallState::Recv,
    CallState::Run,
    CallState::Retry,
    CallState::Timeout,
    CallState::Detached,
    CallState::UnknownDelivery,
];

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
        let handle = open(settings, tell);
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
            Told::Recollected
        }
        Wish::Page {
            asked,
            filter,
            before,
        } => Told::Page {
            asked,
            first: before.is_none(),
            rows: handle.page(filter, before, PAGE).await?,
        },
        Wish::Counts(filter) => {
            let open = Filter {
                states: OPEN.to_vec(),
                ..Filter::default()
            };
            let all = handle.count(Filter::default()).await?;
            let open = handle.count(open).await?;
            let shown = handle.count(filter.clone()).await?;
            Told::Counts(filter, [all, open, shown])
        }
        Wish::Get(id, purpose) => Told::Got(handle.get(id.to_string()).await?, purpose),
        Wish::Last(task) => {
            let (records, _) = handle.records(Filter::task(&task), None, 1).await?;
            let last = records.into_iter().next().map(Box::new);
            Told::Got(last.map_or(Found::None, Found::One), Purpose::Again)
        }
        Wish::Usual(task) => {
            let usual = handle.usual(task.clone(), None).await?;
            Told::Usual(task, usual)
        }
        Wish::Unresolved(broker, since) => {
            Told::Unresolved(handle.unresolved(broker, since).await?)
        }
        Wish::Forget(id, now) => Told::Forgotten(handle.forget(id, now).await?.map(Box::new)),
        Wish::Recollect(record) => {
            handle.recollect(*record).await?;
            Told::Recollected
        }
        Wish::Recall(number, question) => Told::Recall(number, recall(handle, question).await),
    })
}

async fn recall(handle: &Handle, question: Question) -> Result<Answer> {
    Ok(match question {
        Question::Newest(filter, before) => {
            Answer::Newest(handle.page(filter, before, LONGEST_PAGE).await?)
        }
        Question::Older(filter, before) => {
            Answer::Older(handle.page(filter, Some(before), PAGE).await?)
        }
        Question::Call(id) => {
            let found = handle.get(id.to_string()).await?;
            Answer::Call(id, found)
        }
    })
}
