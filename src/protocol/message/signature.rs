//! A call as the user wants it, and the one way from it to a task message (protocol.md 1.1). A malformed message kills every
//! worker that meets it (protocol.md 1.3), so nothing else makes one.

use std::collections::HashSet;

use super::super::{Json, Serializer, TaskId, TaskName};
use super::super::{python, typed};
use super::options::Options;
use super::{EncodeError, Message, Properties};
use crate::clock::Timestamp;

/// A call as the user wants it: Celery's signature. The only source of task messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Registered name.
    pub task: TaskName,
    /// Id of this call.
    pub id: TaskId,
    /// Positional arguments.
    pub args: Vec<Json>,
    /// Keyword arguments, in the order given; names are unique.
    pub kwargs: Vec<(String, Json)>,
    /// How to send it.
    pub options: Options,
}

/// What the sender adds to a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `origin` header, `gen<pid>@<host>`.
    pub origin: String,
    /// Queue that rpc results are to go to.
    pub reply_to: Option<String>,
    /// When it is sent; `countdown` and `expires` count from here.
    pub now: Timestamp,
}

/// The largest body we send, before it is compressed.
pub(super) const LARGEST: usize = 64 << 20;

/// An AMQP short string, as which an id travels in the properties.
const LONGEST_ID: usize = 255;

/// Where Celery cuts `argsrepr` and `kwargsrepr`.
const REPR: usize = 1024;

/// Lists and objects inside each other in an argument. Python's readers give up at about 1,000, each in its own way.
const DEEPEST: usize = 197;

impl Signature {
    /// The message exactly as protocol.md 1.1 wants it: body `[args, kwargs, embed]` in the chosen serializer and compression
    /// (JSON in UTF-8 and none if not told), all headers of Celery's own client in its order, then the user's; persistent;
    /// `expires` as a header and never as a property.
    pub fn encode(&self, sender: &Sender) -> Result<Message, EncodeError> {
        self.check_names()?;
        self.options.check()?;
        let args = Json::List(self.args.clone());
        let kwargs = Json::Object(self.kwargs.clone());
        check_decodable(&args, &kwargs)?;
        let serializer = self.options.serializer.unwrap_or_default();
        let body = serializer.write(&Json::List(vec![args, kwargs, embed()]))?;
        if body.len() > LARGEST {
            return Err(EncodeError::TooLarge(body.len()));
        }
        Ok(Message {
            properties: self.properties(sender, serializer),
            headers: self.headers(sender),
            body: self.compressed(body)?,
        })
    }

    fn check_names(&self) -> Result<(), EncodeError> {
        if self.task.as_str().is_empty() {
            return Err(EncodeError::NoTask);
        }
        let id = self.id.as_str().len();
        if id > LONGEST_ID {
            return Err(EncodeError::LongId(id));
        }
        let mut seen = HashSet::new();
        match self.kwargs.iter().find(|(key, _)| !seen.insert(key)) {
            Some((twice, _)) => Err(EncodeError::DuplicateKeyword(twice.clone())),
            None => Ok(()),
        }
    }

    fn compressed(&self, body: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        match self.options.compression {
            None => Ok(body),
            Some(method) => {
                let written = method.write(&body);
                written.map_err(|error| EncodeError::Compression(method, error.to_string()))
            }
        }
    }

    fn properties(&self, sender: &Sender, serializer: Serializer) -> Properties {
        Properties {
            content_type: Some(serializer.content_type().to_owned()),
            content_encoding: Some(serializer.content_encoding().to_owned()),
            delivery_mode: Some(2),
            correlation_id: Some(self.id.0.clone()),
            reply_to: sender.reply_to.clone(),
            priority: self.options.priority,
        }
    }

    fn headers(&self, sender: &Sender) -> Vec<(String, Json)> {
        let options = &self.options;
        let zero = || Json::from(0);
        let text = |text: &Option<String>| text.as_deref().map_or(Json::Null, Json::from);
        let headers = [
            ("lang", "py".into()),
            ("task", self.task.as_str().into()),
            ("id", self.id.as_str().into()),
            ("shadow", text(&options.shadow)),
            ("eta", options.eta(sender.now)),
            ("expires", options.expires(sender.now)),
            ("group", Json::Null),
            ("group_index", Json::Null),
            ("retries", zero()),
            ("timelimit", options.timelimit()),
            ("root_id", self.id.as_str().into()),
            ("parent_id", Json::Null),
            ("argsrepr", Json::Text(python::tuple(&self.args, REPR))),
            ("kwargsrepr", Json::Text(python::dict(&self.kwargs, REPR))),
            ("origin", sender.origin.as_str().into()),
            (
                "ignore_result",
                options.ignore_result.map_or(Json::Null, Json::Bool),
            ),
            ("replaced_task_nesting", zero()),
            ("stamped_headers", Json::Null),
            ("stamps", Json::Object(Vec::new())),
        ];
        let mut headers = headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        if let Some(method) = options.compression {
            headers.push(("compression".to_owned(), method.content_type().into()));
        }
        headers.extend(options.headers.iter().cloned());
        headers
    }
}

fn check_decodable(args: &Json, kwargs: &Json) -> Result<(), EncodeError> {
    for value in [args, kwargs] {
        if is_deeper(value, DEEPEST) {
            let what = format!("lists or objects nested more than {DEEPEST} deep");
            return Err(EncodeError::Undecodable(what));
        }
        if let Some(name) = typed::unknown_marker(value) {
            return Err(EncodeError::UnknownType(name));
        }
        if let Some(what) = typed::undecodable(value) {
            return Err(EncodeError::Undecodable(what));
        }
    }
    // The keywords as a whole would become a value that is no dict.
    match typed::recognise(kwargs) {
        Some(_) => Err(EncodeError::Undecodable(
            "just the keywords __type__ and __value__".to_owned(),
        )),
        None => Ok(()),
    }
}

fn is_deeper(value: &Json, room: usize) -> bool {
    let Some(room) = room.checked_sub(1) else {
        return matches!(value, Json::List(_) | Json::Object(_));
    };
    match value {
        Json::List(items) => items.iter().any(|item| is_deeper(item, room)),
        Json::Object(entries) => entries.iter().any(|(_, value)| is_deeper(value, room)),
        _ => false,
    }
}

/// What a task of no canvas is embedded in: nothing.
fn embed() -> Json {
    let names = ["callbacks", "errbacks", "chain", "chord"];
    Json::Object(names.map(|name| (name.to_owned(), Json::Null)).into())
}
