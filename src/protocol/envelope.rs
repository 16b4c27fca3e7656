//! kombu's envelope: a message as one JSON text, for transports that have no properties and headers of their own (Redis;
//! protocol.md 5.1). Reads what workers send, writes what they can read; never looks inside a body.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::json::{JsonError, Limits};
use super::{Json, Message, Properties, QueueName};

/// Why a text is no envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON.
    #[error("the message on Redis is not readable: {0}")]
    Json(#[from] JsonError),
    /// JSON of another shape.
    #[error("the message on Redis has no {0}")]
    Shape(&'static str),
    /// The body is not what its encoding says.
    #[error("the body of the message on Redis cannot be read: {0}")]
    Body(String),
}

/// The element to push to a list or to publish on a channel. All that a worker insists on is there: without
/// `delivery_info` or `delivery_tag` it drops its connection, without `content-type` it dies. `exchange` and `routing_key`
/// say where the message is sent to (`""` and the queue's name for a task).
pub fn encode(message: &Message, exchange: &str, routing_key: &str) -> Vec<u8> {
    let told = &message.properties;
    // What kombu says of a body that it knows nothing about.
    let content_type = told.content_type.as_deref().unwrap_or("application/data");
    let encoding = told.content_encoding.as_deref().unwrap_or("binary");
    let envelope = object(vec![
        ("body", Json::Text(BASE64_STANDARD.encode(&message.body))),
        ("content-encoding", encoding.into()),
        ("content-type", content_type.into()),
        ("headers", Json::Object(message.headers.clone())),
        ("properties", properties(told, exchange, routing_key)),
    ]);
    envelope.to_wire().into_bytes()
}

fn properties(told: &Properties, exchange: &str, routing_key: &str) -> Json {
    let number = |value: u8| Json::from(u64::from(value));
    let mut entries = Vec::new();
    let texts = [
        ("correlation_id", &told.correlation_id),
        ("reply_to", &told.reply_to),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            entries.push((name, text.as_str().into()));
        }
    }
    let target = object(vec![
        ("exchange", exchange.into()),
        ("routing_key", routing_key.into()),
    ]);
    let tag = uuid::Uuid::new_v4().to_string();
    entries.extend([
        ("delivery_mode", number(told.delivery_mode.unwrap_or(2))),
        ("delivery_info", target),
        ("priority", number(told.priority.unwrap_or(0))),
        ("body_encoding", "base64".into()),
        ("delivery_tag", Json::Text(tag)),
    ]);
    object(entries)
}

fn object(entries: Vec<(&str, Json)>) -> Json {
    let owned = entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Json::Object(owned.collect())
}

/// Reads an envelope leniently: whatever is missing but a body is taken as not told. At most 256 MiB.
pub fn decode(bytes: &[u8]) -> Result<Message, EnvelopeError> {
    let mut envelope = Json::parse(bytes, Limits::default())?;
    let told = envelope
        .get("properties")
        .cloned()
        .unwrap_or(Json::Object(Vec::new()));
    let text = take(&mut envelope, "body").ok_or(EnvelopeError::Shape("body"))?;
    let Json::Text(text) = text else {
        return Err(EnvelopeError::Shape("body that is a text"));
    };
    let headers = match take(&mut envelope, "headers") {
        Some(Json::Object(headers)) => headers,
        _ => Vec::new(),
    };
    let number = |key| told.get(key)?.as_u64()?.try_into().ok();
    Ok(Message {
        properties: Properties {
            content_type: owned(&envelope, "content-type"),
            content_encoding: owned(&envelope, "content-encoding"),
            delivery_mode: number("delivery_mode"),
            correlation_id: owned(&told, "correlation_id"),
            reply_to: owned(&told, "reply_to"),
            priority: number("priority"),
        },
        headers,
        body: body(text, &told)?,
    })
}

/// `body_encoding` is `base64`; absent or `utf-8` means that the body is the text itself.
fn body(text: String, properties: &Json) -> Result<Vec<u8>, EnvelopeError> {
    match properties.get("body_encoding").and_then(Json::as_str) {
        Some("base64") => BASE64_STANDARD
            .decode(text)
            .map_err(|error| EnvelopeError::Body(error.to_string())),
        None | Some("utf-8" | "") => Ok(text.into_bytes()),
        Some(other) => {
            let name: String = other.chars().take(60).collect();
            Err(EnvelopeError::Body(format!("unknown encoding {name:?}")))
        }
    }
}

/// Moves a field out of the document; bodies are too large to copy.
fn take(document: &mut Json, key: &str) -> Option<Json> {
    let Json::Object(entries) = document else {
        return None;
    };
    let at = entries.iter().rposition(|(name, _)| name == key)?;
    Some(entries.swap_remove(at).1)
}

fn owned(object: &Json, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

/// Where a message went that a worker has taken and not acknowledged: the tail of a value of the hash `unacked`,
/// `[envelope, exchange, routing_key]` (protocol.md 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacked {
    /// The exchange it was published to; `""` is the default exchange.
    pub exchange: String,
    /// Its routing key; on the default exchange the queue's name.
    pub routing_key: String,
}

impl Unacked {
    /// Reads the last two elements from the end; the envelope, which may be large, is not looked at.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (rest, routing_key) = last_text(bytes.trim_ascii().strip_suffix(b"]")?)?;
        let (rest, exchange) = last_text(before_comma(rest)?)?;
        before_comma(rest)?;
        Some(Self {
            exchange,
            routing_key,
        })
    }

    /// The queue, when the routing key names one: on the default exchange only.
    pub fn queue(&self) -> Option<QueueName> {
        let named = self.exchange.is_empty() && !self.routing_key.is_empty();
        named.then(|| QueueName::from(self.routing_key.as_str()))
    }
}

/// The queue of a value of the hash `unacked`; `None` if it went through an exchange or is none of kombu's.
pub fn held_queue(bytes: &[u8]) -> Option<QueueName> {
    Unacked::parse(bytes)?.queue()
}

/// The longest name read from the end.
const LONGEST_NAME: usize = 64 << 10;

/// Splits the JSON string off that ends here. Quotes inside have an odd number of backslashes before them.
fn last_text(bytes: &[u8]) -> Option<(&[u8], String)> {
    let bytes = bytes.trim_ascii_end();
    let inner = bytes.strip_suffix(b"\"")?;
    let opens = |at: usize| {
        let before = inner[..at].iter().rev();
        inner[at] == b'"' && before.take_while(|&&byte| byte == b'\\').count() % 2 == 0
    };
    let start = inner.len().saturating_sub(LONGEST_NAME);
    let at = (start..inner.len()).rev().find(|&at| opens(at))?;
    let limits = Limits {
        bytes: LONGEST_NAME + 2,
        depth: 0,
    };
    let text = Json::parse(&bytes[at..], limits).ok()?;
    Some((&bytes[..at], text.as_str()?.to_owned()))
}

fn before_comma(bytes: &[u8]) -> Option<&[u8]> {
    bytes.trim_ascii_end().strip_suffix(b",")
}

#[cfg(test)]
mod tests {
    use super::super::json::arbitrary;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn message(body: &[u8]) -> Message {
        Message {
            properties: Properties {
                content_type: Some("application/json".to_owned()),
                content_encoding: Some("utf-8".to_owned()),
                delivery_mode: Some(2),
                correlation_id: Some("id-1".to_owned()),
                reply_to: None,
                priority: Some(6),
            },
            headers: vec![("task".to_owned(), "a.b".into())],
            body: body.to_vec(),
        }
    }

    fn parsed(bytes: &[u8]) -> Json {
        Json::parse(bytes, Limits::default()).unwrap()
    }

    #[test]
    fn every_message_has_a_delivery_tag_of_its_own() {
        let tag = || {
            let envelope = parsed(&encode(&message(b"x"), "", "q"));
            let tag = envelope.get("properties").unwrap().get("delivery_tag");
            tag.unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!(tag().len(), 36);
        assert_ne!(tag(), tag());
    }

    #[test]
    fn what_a_worker_insists_on_is_there_even_for_a_bare_message() {
        let envelope = parsed(&encode(&Message::default(), "ex", "key"));
        for field in ["body", "content-encoding", "content-type", "headers"] {
            assert!(envelope.get(field).is_some(), "{field}");
        }
        let properties = envelope.get("properties").unwrap();
        assert_eq!(
            properties.get("delivery_info").unwrap().to_wire(),
            r#"{"exchange":"ex","routing_key":"key"}"#
        );
        assert_eq!(properties.get("priority"), Some(&Json::from(0)));
        assert_eq!(properties.get("reply_to"), None);
    }

    #[rstest]
    #[case(r#"{"body": "aGk=", "properties": {"body_encoding": "base64"}}"#, "hi")]
    #[case(r#"{"body": "hi", "properties": {"body_encoding": "utf-8"}}"#, "hi")]
    #[case(r#"{"body": "hi"}"#, "hi")]
    #[case(r#"{"body": "hi", "headers": null, "properties": null}"#, "hi")]
    fn a_body_is_read_in_every_encoding(#[case] envelope: &str, #[case] body: &str) {
        let message = decode(envelope.as_bytes()).unwrap();
        assert_eq!(message.body, body.as_bytes());
        assert_eq!(message.headers, Vec::new());
    }

    #[rstest]
    #[case("[]", "the message on Redis has no body")]
    #[case("{}", "the message on Redis has no body")]
    #[case(r#"{"body": 1}"#, "the message on Redis has no body that is a text")]
    #[case(
        r#"{"body": "*", "properties": {"body_encoding": "base64"}}"#,
        "the body of the message on Redis cannot be read: Invalid symbol 42, offset 0."
    )]
    #[case(
        r#"{"body": "", "properties": {"body_encoding": "rot13"}}"#,
        "the body of the message on Redis cannot be read: unknown encoding \"rot13\""
    )]
    #[case(
        "{",
        "the message on Redis is not readable: expected a key in double quotes, found the end at line 1, column 2"
    )]
    fn what_is_no_envelope_says_why(#[case] envelope: &str, #[case] expected: &str) {
        let error = decode(envelope.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[rstest]
    #[case(r#"[{"body": "x"}, "", "celery"]"#, Some("celery"))]
    #[case(r#"[{},"","q"] "#, Some("q"))]
    #[case(r#"[{}, "", "a\"b\\"]"#, Some("a\"b\\"))]
    #[case(r#"[{}, "", "\u00e9"]"#, Some("é"))]
    #[case(r#"[{}, "topic", "a.b"]"#, None)]
    #[case(r#"[{}, "", ""]"#, None)]
    #[case(r#"["", "celery"]"#, None)]
    #[case(r#"[{}, "", 5]"#, None)]
    #[case(r#""""#, None)]
    #[case("", None)]
    #[case("]", None)]
    fn the_queue_of_a_held_message_stands_at_its_end(
        #[case] value: &str,
        #[case] queue: Option<&str>,
    ) {
        assert_eq!(held_queue(value.as_bytes()), queue.map(QueueName::from));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            body in any::<Vec<u8>>(),
            name in arbitrary::text(),
            value in arbitrary::lenient(),
            key in any::<String>(),
        ) {
            let sent = Message { headers: vec![(name, value)], ..message(&body) };
            let envelope = encode(&sent, "", &key);
            prop_assert_eq!(decode(&envelope).unwrap(), sent);
            let held = [b"[".as_slice(), &envelope, b", \"\", ", Json::from(key.as_str()).to_wire().as_bytes(), b"]"].concat();
            prop_assert_eq!(Unacked::parse(&held).unwrap().routing_key, key);
        }

        #[test]
        fn anything_is_an_envelope_or_an_error(bytes in any::<Vec<u8>>(), document in arbitrary::lenient()) {
            let _ = (decode(&bytes), held_queue(&bytes));
            let _ = decode(document.to_wire().as_bytes());
            let fields = ["body", "properties", "headers"].map(|name| (name.to_owned(), document.clone()));
            let _ = decode(Json::Object(fields.into()).to_wire().as_bytes());
        }
    }
}
