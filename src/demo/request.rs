//! A task message as a worker of Celery 5.7 reads it, with the same consequences when it is malformed (protocol.md 1.3).

use std::sync::Arc;

use super::{time, value};
use crate::broker::memory::Delivered;
use crate::clock::Timestamp;
use crate::protocol::json::Limits;
use crate::protocol::{Json, Message, QueueName, TaskId, TaskName, typed};

/// A task to run.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub id: TaskId,
    pub task: TaskName,
    pub args: Vec<Json>,
    pub kwargs: Vec<(String, Json)>,
    pub eta: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub retries: u64,
    pub queue: QueueName,
    pub redelivered: bool,
    pub message: Arc<Message>,
}

/// What a malformed message does to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The worker dies, and the message goes back into the queue.
    Kills,
    /// The message is dropped, and nobody is told.
    Lost,
}

impl Request {
    /// Reads a message that came from `queue`.
    pub(super) fn read(delivered: &Delivered, queue: &QueueName) -> Result<Self, Malformed> {
        let message = &*delivered.message;
        let task = text_header(message, "task")?.ok_or(Malformed::Lost)?;
        let id = match header(message, "id") {
            None => return Err(Malformed::Kills),
            Some(id) => id.as_str().ok_or(Malformed::Lost)?,
        };
        check_time_limit(header(message, "timelimit"))?;
        let (args, kwargs) = read_body(message)?;
        let retries = header(message, "retries").and_then(Json::as_u64);
        Ok(Self {
            id: TaskId::from(id),
            task: TaskName::from(task),
            args,
            kwargs,
            eta: time_header(message, "eta")?,
            expires: time_header(message, "expires")?,
            retries: retries.unwrap_or(0),
            queue: queue.clone(),
            redelivered: delivered.redelivered,
            message: Arc::clone(&delivered.message),
        })
    }

    /// The queue that results go to, if the caller wants any.
    pub(super) fn reply_to(&self) -> Option<QueueName> {
        let reply_to = self.message.properties.reply_to.as_deref()?;
        (!reply_to.is_empty()).then(|| QueueName::from(reply_to))
    }

    /// What results carry so that the caller knows them.
    pub(super) fn correlation_id(&self) -> String {
        let given = self.message.properties.correlation_id.clone();
        given.unwrap_or_else(|| self.id.0.clone())
    }

    /// A header that is text, for display and for results.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        header(&self.message, name).and_then(Json::as_str)
    }

    /// Whether the caller asked for the result (`Some(false)`), or not to get it (`Some(true)`).
    pub(super) fn ignore_result(&self) -> Option<bool> {
        header(&self.message, "ignore_result").and_then(Json::as_bool)
    }

    /// The message with which a worker sends the task to itself again, not to be started before `eta`.
    pub(super) fn again(&self, eta: Timestamp) -> Message {
        let mut message = Message::clone(&self.message);
        let changes = [
            ("eta", Json::Text(time::iso(eta))),
            ("retries", Json::from(self.retries + 1)),
            ("parent_id", Json::from(self.id.as_str())),
        ];
        for (name, value) in changes {
            match message.headers.iter_mut().find(|(key, _)| key == name) {
                Some((_, old)) => *old = value,
                None => message.headers.push((name.to_owned(), value)),
            }
        }
        message
    }
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a Json> {
    let (_, value) = message.headers.iter().find(|(key, _)| key == name)?;
    Some(value)
}

fn text_header<'a>(message: &'a Message, name: &str) -> Result<Option<&'a str>, Malformed> {
    match header(message, name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::Lost),
    }
}

fn time_header(message: &Message, name: &str) -> Result<Option<Timestamp>, Malformed> {
    let text = text_header(message, name)?;
    text.map(|text| time::parse(text).ok_or(Malformed::Lost))
        .transpose()
}

fn check_time_limit(limit: Option<&Json>) -> Result<(), Malformed> {
    match limit {
        None | Some(Json::Null) => Ok(()),
        Some(Json::List(limits)) if limits.len() == 2 => Ok(()),
        Some(_) => Err(Malformed::Kills),
    }
}

type Arguments = (Vec<Json>, Vec<(String, Json)>);

fn read_body(message: &Message) -> Result<Arguments, Malformed> {
    match message.properties.content_type.as_deref() {
        None => return Err(Malformed::Kills),
        Some("application/json") => {}
        Some(_) => return Err(Malformed::Lost),
    }
    if message.body.is_empty() {
        return Err(Malformed::Kills);
    }
    let body = Json::parse(&message.body, Limits::default()).map_err(|_| Malformed::Lost)?;
    if typed::unknown_marker(&body).is_some() || typed::undecodable(&body).is_some() {
        return Err(Malformed::Lost);
    }
    let Json::List(parts) = body else {
        return Err(Malformed::Kills);
    };
    let [args, kwargs, _embed]: [Json; 3] = parts.try_into().map_err(|_| Malformed::Kills)?;
    match (value::seen(args), value::seen(kwargs)) {
        (Json::List(args), Json::Object(kwargs)) => Ok((args, kwargs)),
        _ => Err(Malformed::Lost),
    }
}
