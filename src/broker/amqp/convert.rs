//! Between our [`Message`] and AMQP's properties and tables. Pure; it sends nothing.
//!
//! Facts (protocol.md 1.1, 11.11): strings in a header table must be long strings, a short one makes RabbitMQ close the whole
//! connection with 541; short strings (names, properties) hold at most 255 bytes, and lapin panics on longer ones made with `from`.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};

use super::dial::FRAME_MAX;
use crate::protocol::{Json, Message, Properties};

/// Headers travel in one frame, together with the properties; a larger frame than agreed kills the connection.
const MAX_HEADERS: usize = FRAME_MAX as usize - 4096;

/// Tables inside tables: what we send and what we read.
const MAX_DEPTH: usize = 32;

/// Entries of all headers of a message that we read; a hostile table must not grow without end.
const MAX_ENTRIES: usize = 4096;

/// Why a message cannot travel over AMQP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    /// A name or property is longer than 255 bytes.
    #[error("{0} is {1} bytes long; AMQP allows 255")]
    Long(&'static str, usize),
    /// The headers do not fit in one frame.
    #[error("the headers take more than {} KiB", MAX_HEADERS / 1024)]
    Crowded,
    /// Headers inside headers inside headers.
    #[error("the headers are nested deeper than {MAX_DEPTH}")]
    Nested,
}

/// A short string, or whose fault it is that there is none.
pub(super) fn short(what: &'static str, text: &str) -> Result<ShortString, Unsendable> {
    ShortString::try_new(text).map_err(|_| Unsendable::Long(what, text.len()))
}

/// The AMQP properties of a message, headers included.
pub(super) fn properties(message: &Message) -> Result<BasicProperties, Unsendable> {
    let ours = &message.properties;
    let mut theirs = BasicProperties::default().with_headers(headers(&message.headers)?);
    if let Some(text) = &ours.content_type {
        theirs = theirs.with_content_type(short("the content type", text)?);
    }
    if let Some(text) = &ours.content_encoding {
        theirs = theirs.with_content_encoding(short("the content encoding", text)?);
    }
    if let Some(text) = &ours.correlation_id {
        theirs = theirs.with_correlation_id(short("the task id", text)?);
    }
    if let Some(text) = &ours.reply_to {
        theirs = theirs.with_reply_to(short("the name of the reply queue", text)?);
    }
    if let Some(priority) = ours.priority {
        theirs = theirs.with_priority(priority);
    }
    if let Some(mode) = ours.delivery_mode {
        theirs = theirs.with_delivery_mode(mode);
    }
    Ok(theirs)
}

/// A delivered message as ours. Only the properties that Celery uses are kept. The broker bounds the body (128 MiB by default
/// in RabbitMQ 3, 16 MiB in 4), we the headers.
pub(super) fn message(delivery: Delivery) -> Message {
    let theirs = &delivery.properties;
    let text = |short: &Option<ShortString>| short.as_ref().map(|text| text.as_str().to_owned());
    let mut left = MAX_ENTRIES;
    let headers = theirs
        .headers()
        .as_ref()
        .map_or_else(Vec::new, |table| entries(table, MAX_DEPTH, &mut left));
    Message {
        properties: Properties {
            content_type: text(theirs.content_type()),
            content_encoding: text(theirs.content_encoding()),
            delivery_mode: *theirs.delivery_mode(),
            correlation_id: text(theirs.correlation_id()),
            reply_to: text(theirs.reply_to()),
            priority: *theirs.priority(),
        },
        headers,
        body: delivery.data,
    }
}

fn headers(entries: &[(String, Json)]) -> Result<FieldTable, Unsendable> {
    let mut room = MAX_HEADERS;
    table(entries, MAX_DEPTH, &mut room)
}

fn table(
    entries: &[(String, Json)],
    depth: usize,
    room: &mut usize,
) -> Result<FieldTable, Unsendable> {
    let mut table = FieldTable::default();
    for (name, json) in entries {
        take(room, name.len() + 2)?;
        table.insert(
            short("the name of a header", name)?,
            value(json, depth, room)?,
        );
    }
    Ok(table)
}

fn value(json: &Json, depth: usize, room: &mut usize) -> Result<AMQPValue, Unsendable> {
    let deeper = depth.checked_sub(1).ok_or(Unsendable::Nested)?;
    take(room, 9)?;
    Ok(match json {
        Json::Null => AMQPValue::Void,
        Json::Bool(truth) => AMQPValue::Boolean(*truth),
        Json::Number(digits) => number(digits),
        Json::Text(text) => {
            take(room, text.len())?;
            AMQPValue::LongString(LongString::from(text.as_bytes()))
        }
        Json::List(items) => {
            let mut array = FieldArray::default();
            for item in items {
                array.push(value(item, deeper, room)?);
            }
            AMQPValue::FieldArray(array)
        }
        Json::Object(entries) => AMQPValue::FieldTable(table(entries, deeper, room)?),
    })
}

/// Takes `bytes` from the room that is left for headers.
fn take(room: &mut usize, bytes: usize) -> Result<(), Unsendable> {
    *room = room.checked_sub(bytes).ok_or(Unsendable::Crowded)?;
    Ok(())
}

/// Whole numbers as Celery sends them (`I`, else `l`), the rest as doubles; Python's spelling of the non-finite ones is understood.
fn number(digits: &str) -> AMQPValue {
    if let Ok(small) = digits.parse::<i32>() {
        AMQPValue::LongInt(small)
    } else if let Ok(large) = digits.parse::<i64>() {
        AMQPValue::LongLongInt(large)
    } else {
        AMQPValue::Double(digits.parse().unwrap_or(f64::NAN))
    }
}

fn entries(table: &FieldTable, depth: usize, left: &mut usize) -> Vec<(String, Json)> {
    let mut out = Vec::new();
    for (name, value) in table {
        if *left == 0 {
            break;
        }
        out.push((name.as_str().to_owned(), json(value, depth, left)));
    }
    out
}

fn json(value: &AMQPValue, depth: usize, left: &mut usize) -> Json {
    *left = left.saturating_sub(1);
    let Some(deeper) = depth.checked_sub(1) else {
        return Json::Null;
    };
    match value {
        AMQPValue::Void => Json::Null,
        AMQPValue::Boolean(truth) => Json::Bool(*truth),
        AMQPValue::ShortShortInt(n) => Json::Number(n.to_string()),
        AMQPValue::ShortShortUInt(n) => Json::Number(n.to_string()),
        AMQPValue::ShortInt(n) => Json::Number(n.to_string()),
        AMQPValue::ShortUInt(n) => Json::Number(n.to_string()),
        AMQPValue::LongInt(n) => Json::Number(n.to_string()),
        AMQPValue::LongUInt(n) => Json::Number(n.to_string()),
        AMQPValue::LongLongInt(n) => Json::Number(n.to_string()),
        AMQPValue::Timestamp(n) => Json::Number(n.to_string()),
        AMQPValue::Float(n) => Json::Number(python_float(f64::from(*n))),
        AMQPValue::Double(n) => Json::Number(python_float(*n)),
        AMQPValue::DecimalValue(n) => {
            let scaled = f64::from(n.value) / 10_f64.powi(i32::from(n.scale));
            Json::Number(python_float(scaled))
        }
        AMQPValue::ShortString(text) => Json::Text(text.as_str().to_owned()),
        AMQPValue::LongString(text) => Json::Text(lossy(text.as_bytes())),
        AMQPValue::ByteArray(bytes) => Json::Text(lossy(bytes.as_slice())),
        AMQPValue::FieldArray(array) => {
            let mut items = Vec::new();
            for item in array.as_slice() {
                if *left == 0 {
                    break;
                }
                items.push(json(item, deeper, left));
            }
            Json::List(items)
        }
        AMQPValue::FieldTable(table) => Json::Object(entries(table, deeper, left)),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As Python's JSON spells it.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else {
        format!("{number:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    fn there_and_back(json: &Json) -> Json {
        let mut room = MAX_HEADERS;
        let mut left = MAX_ENTRIES;
        let value = value(json, MAX_DEPTH, &mut room).unwrap();
        super::json(&value, MAX_DEPTH, &mut left)
    }

    #[rstest]
    #[case::null(Json::Null)]
    #[case::truth(Json::Bool(true))]
    #[case::small(Json::Number("-7".into()))]
    #[case::large(Json::Number("9007199254740993".into()))]
    #[case::fraction(Json::Number("1.5".into()))]
    #[case::nan(Json::Number("NaN".into()))]
    #[case::infinity(Json::Number("-Infinity".into()))]
    #[case::text(text("žluť 漢字"))]
    #[case::empty(text(""))]
    #[case::list(Json::List(vec![Json::Null, Json::Number("60".into())]))]
    #[case::object(Json::Object(vec![("a".into(), text("b"))]))]
    fn a_header_comes_back_as_it_went(#[case] json: Json) {
        assert_eq!(there_and_back(&json), json);
    }

    #[test]
    fn header_strings_are_long_strings_at_every_depth() {
        let nested = Json::List(vec![Json::Object(vec![("k".into(), text("v"))])]);
        let mut room = MAX_HEADERS;
        let value = value(&nested, MAX_DEPTH, &mut room).unwrap();
        assert!(!format!("{value:?}").contains("AMQPValue::ShortString"));
        let AMQPValue::FieldArray(array) = value else {
            panic!("no array");
        };
        let [AMQPValue::FieldTable(table)] = array.as_slice() else {
            panic!("no table");
        };
        assert_eq!(
            table.inner().get("k"),
            Some(&AMQPValue::LongString("v".into()))
        );
    }

    #[test]
    fn whole_numbers_take_the_types_that_celery_sends() {
        assert_eq!(number("0"), AMQPValue::LongInt(0));
        assert_eq!(number("2147483648"), AMQPValue::LongLongInt(2_147_483_648));
        assert!(matches!(
            number("1180591620717411303424"),
            AMQPValue::Double(_)
        ));
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_instead_of_a_panic() {
        let long = "x".repeat(256);
        let message = Message {
            properties: Properties {
                correlation_id: Some(long.clone()),
                ..Properties::default()
            },
            ..Message::default()
        };
        assert_eq!(
            properties(&message),
            Err(Unsendable::Long("the task id", 256))
        );
        assert!(headers(&[(long, Json::Null)]).is_err());
    }

    #[test]
    fn headers_that_fit_no_frame_are_refused() {
        let fat = vec![("argsrepr".to_owned(), text(&"x".repeat(MAX_HEADERS)))];
        assert_eq!(headers(&fat), Err(Unsendable::Crowded));
        let mut deep = Json::Null;
        for _ in 0..=MAX_DEPTH {
            deep = Json::List(vec![deep]);
        }
        assert_eq!(headers(&[("h".into(), deep)]), Err(Unsendable::Nested));
    }

    #[test]
    fn a_hostile_table_is_read_only_so_far() {
        let mut array = FieldArray::default();
        for _ in 0..2 * MAX_ENTRIES {
            array.push(AMQPValue::Void);
        }
        let mut left = MAX_ENTRIES;
        let Json::List(items) = json(&AMQPValue::FieldArray(array), MAX_DEPTH, &mut left) else {
            panic!("no list");
        };
        assert!(items.len() <= MAX_ENTRIES);
    }
}
