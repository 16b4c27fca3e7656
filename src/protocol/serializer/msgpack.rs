//! msgpack as kombu uses it: `packb(use_bin_type=True)`, `unpackb(raw=False)`. Reads bounded by what is really there, never by a
//! claimed length; writes what Python reads as the very same value, or refuses.

use std::fmt::Write;

use rmp::Marker;
use rmp::decode::{self, ValueReadError};
use rmp::encode;

use super::super::json::{Limits, double, float_text, is_real};
use super::super::typed::{self, Kind};
use super::super::{Json, python};
use super::{EncodeError, Serializer, key_twice};

/// The deepest nesting ever read or written, whatever the limits say: a debug build still fits a 2 MB stack.
const DEEPEST: usize = 200;

/// Why bytes are not msgpack, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct MsgpackError {
    /// What is wrong, for people.
    pub reason: &'static str,
    /// Byte offset of the place.
    pub offset: usize,
}

/// Reads one value. `bin` becomes kombu's typed bytes, an extension a text such as `<msgpack extension 5, 2 bytes: 0a0b>`, a key
/// that is no text its Python source.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Json, MsgpackError> {
    let mut reader = Reader {
        rest: bytes,
        room: limits.depth.min(DEEPEST),
    };
    let fail = |reader: &Reader<'_>, reason| MsgpackError {
        reason,
        offset: bytes.len() - reader.rest.len(),
    };
    let value = reader.value().map_err(|reason| fail(&reader, reason))?;
    if !reader.rest.is_empty() {
        return Err(fail(&reader, "more data behind the value"));
    }
    Ok(value)
}

const CUT_OFF: &str = "the data is cut off";

struct Reader<'a> {
    rest: &'a [u8],
    /// How many more lists and maps may be opened.
    room: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Json, &'static str> {
        let start = self.rest;
        let marker = decode::read_marker(&mut self.rest).map_err(|_| CUT_OFF)?;
        Ok(match marker {
            Marker::Null => Json::Null,
            Marker::True => Json::Bool(true),
            Marker::False => Json::Bool(false),
            Marker::F32 | Marker::F64 => Json::Number(self.float(start)?),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = self.again(start, decode::read_str_len)?;
                let text = std::str::from_utf8(self.take(length)?);
                Json::Text(text.map_err(|_| "a text is not UTF-8")?.to_owned())
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.again(start, decode::read_bin_len)?;
                typed::of_bytes(self.take(length)?.to_vec())
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = self.again(start, decode::read_array_len)?;
                self.nested(|reader| reader.list(length))?
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = self.again(start, decode::read_map_len)?;
                self.nested(|reader| reader.map(length))?
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => {
                let meta = self.again(start, decode::read_ext_meta)?;
                Json::Text(extension(meta.typeid, self.take(meta.size)?))
            }
            Marker::Reserved => return Err("a byte that msgpack never uses"),
            _ => Json::Number(self.integer(start)?),
        })
    }

    /// Reads a head once more, with its marker.
    fn again<T>(
        &mut self,
        start: &'a [u8],
        read: impl Fn(&mut &'a [u8]) -> Result<T, ValueReadError>,
    ) -> Result<T, &'static str> {
        self.rest = start;
        read(&mut self.rest).map_err(|_| CUT_OFF)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
        let (data, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(data)
    }

    fn integer(&mut self, start: &'a [u8]) -> Result<String, &'static str> {
        self.rest = start;
        if let Ok(number) = decode::read_int::<u64, _>(&mut self.rest) {
            return Ok(number.to_string());
        }
        self.rest = start;
        let number: i64 = decode::read_int(&mut self.rest).map_err(|_| CUT_OFF)?;
        Ok(number.to_string())
    }

    /// Python makes a double of both.
    fn float(&mut self, start: &'a [u8]) -> Result<String, &'static str> {
        let number = match self.again(start, decode::read_f64) {
            Ok(number) => number,
            Err(_) => self.again(start, decode::read_f32)?.into(),
        };
        Ok(float_text(number))
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Json, &'static str>,
    ) -> Result<Json, &'static str> {
        self.room = self.room.checked_sub(1).ok_or("nested too deeply")?;
        let value = read(self);
        self.room += 1;
        value
    }

    fn list(&mut self, length: u32) -> Result<Json, &'static str> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value()?);
        }
        Ok(Json::List(items))
    }

    fn map(&mut self, length: u32) -> Result<Json, &'static str> {
        let mut entries = Vec::new();
        for _ in 0..length {
            let key = match self.value()? {
                Json::Text(text) => text,
                other => python::repr(&other),
            };
            entries.push((key, self.value()?));
        }
        Ok(Json::Object(entries))
    }
}

fn extension(kind: i8, data: &[u8]) -> String {
    const SHOWN: usize = 32;
    let mut hex = String::new();
    for byte in data.iter().take(SHOWN) {
        // Writing to a String never fails.
        let _ = write!(hex, "{byte:02x}");
    }
    let dots = if data.len() > SHOWN { "..." } else { "" };
    format!(
        "<msgpack extension {kind}, {} bytes: {hex}{dots}>",
        data.len()
    )
}

/// Writes one value. Refused is what Python would not read as the same value: whole numbers beyond 64 bits, numbers beyond a
/// double, typed values other than bytes, a key given twice. A fraction goes as the double that Python's JSON reader makes of
/// its digits too.
pub(super) fn write(value: &Json) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    write_value(&mut out, value, DEEPEST)?;
    Ok(out)
}

fn refuse(what: impl Into<String>) -> EncodeError {
    EncodeError::Unwritable {
        what: what.into(),
        serializer: Serializer::Msgpack,
    }
}

fn write_value(out: &mut Vec<u8>, value: &Json, room: usize) -> Result<(), EncodeError> {
    let deeper = || {
        room.checked_sub(1)
            .ok_or_else(|| refuse("such deep nesting"))
    };
    if let Some(bytes) = typed_bytes(value)? {
        // Writing to a Vec fails only when memory does.
        length(bytes.len())?;
        return encode::write_bin(out, &bytes).map_err(|error| refuse(error.to_string()));
    }
    let outcome = match value {
        Json::Null => encode::write_nil(out).map_err(|error| error.to_string()),
        Json::Bool(value) => encode::write_bool(out, *value).map_err(|error| error.to_string()),
        Json::Number(number) if is_real(number) => return write_number(out, number),
        Json::Number(text) | Json::Text(text) => {
            length(text.len())?;
            encode::write_str(out, text).map_err(|error| error.to_string())
        }
        Json::List(items) => {
            let room = deeper()?;
            let head = encode::write_array_len(out, length(items.len())?);
            head.map_err(|error| refuse(error.to_string()))?;
            return items
                .iter()
                .try_for_each(|item| write_value(out, item, room));
        }
        Json::Object(entries) => return write_map(out, entries, deeper()?),
    };
    outcome.map_err(refuse)
}

fn write_map(
    out: &mut Vec<u8>,
    entries: &[(String, Json)],
    room: usize,
) -> Result<(), EncodeError> {
    if let Some(key) = key_twice(entries) {
        return Err(refuse(format!("the key {key:?} twice in one object")));
    }
    let head = encode::write_map_len(out, length(entries.len())?);
    head.map_err(|error| refuse(error.to_string()))?;
    entries.iter().try_for_each(|(key, value)| {
        length(key.len())?;
        encode::write_str(out, key).map_err(|error| refuse(error.to_string()))?;
        write_value(out, value, room)
    })
}

fn length(size: usize) -> Result<u32, EncodeError> {
    u32::try_from(size).map_err(|_| refuse("more than 4 GiB in one value"))
}

/// The bytes of a typed value of that kind; other kinds have no form in msgpack that kombu writes or reads.
fn typed_bytes(value: &Json) -> Result<Option<Vec<u8>>, EncodeError> {
    let Some(typed) = typed::recognise(value) else {
        return Ok(None);
    };
    match typed.kind {
        Kind::Bytes | Kind::Base64 => match typed.bytes() {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(refuse("broken base64")),
        },
        kind => Err(refuse(format!("a {kind} ({})", typed::plain(&typed)))),
    }
}

fn write_number(out: &mut Vec<u8>, number: &str) -> Result<(), EncodeError> {
    let whole = !number.contains(['.', 'e', 'E', 'N', 'I']);
    if !whole {
        let float = double(number)
            .ok_or_else(|| refuse(format!("the number {number}, which is beyond a float")))?;
        return encode::write_f64(out, float).map_err(|error| refuse(error.to_string()));
    }
    let written = match (number.parse::<u64>(), number.parse::<i64>()) {
        (Ok(number), _) => encode::write_uint(out, number),
        (_, Ok(number)) => encode::write_sint(out, number),
        _ => {
            return Err(refuse(format!(
                "the whole number {number}, which has more than 64 bits"
            )));
        }
    };
    written
        .map(|_| ())
        .map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::super::json::arbitrary;
    use super::super::canonical;
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), Limits::default()).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Json, MsgpackError> {
        super::read(bytes, Limits::default())
    }

    /// The right sides are `msgpack.packb(x, use_bin_type=True)` of Python's msgpack 1.2.
    #[rstest]
    #[case("null", b"\xc0")]
    #[case("[true, false]", b"\x92\xc3\xc2")]
    #[case(
        "[0, 127, 128, 65536, 18446744073709551615]",
        b"\x95\x00\x7f\xcc\x80\xce\x00\x01\x00\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
    )]
    #[case(
        "[-1, -33, -9223372036854775808]",
        b"\x93\xff\xd0\xdf\xd3\x80\x00\x00\x00\x00\x00\x00\x00"
    )]
    #[case("1.1", b"\xcb\x3f\xf1\x99\x99\x99\x99\x99\x9a")]
    #[case("Infinity", b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00")]
    #[case(r#"{"k": "\u017e"}"#, b"\x81\xa1k\xa2\xc5\xbe")]
    #[case(r#"{"__type__": "bytes", "__value__": "ab"}"#, b"\xc4\x02ab")]
    #[case(r#"{"__type__": "base64", "__value__": "/wA="}"#, b"\xc4\x02\xff\x00")]
    fn values_are_written_and_read_as_python_does(#[case] value: &str, #[case] bytes: &[u8]) {
        assert_eq!(write(&json(value)).unwrap(), bytes);
        assert_eq!(read(bytes).unwrap(), json(value));
    }

    #[rstest]
    #[case(b"\x81\x01\x02", r#"{"1": 2}"#)]
    #[case(b"\x81\xc0\x02", r#"{"None": 2}"#)]
    #[case(b"\x81\xc4\x01a\x02", r#"{"b'a'": 2}"#)]
    #[case(b"\xd4\x05\x0a", r#""<msgpack extension 5, 1 bytes: 0a>""#)]
    #[case(b"\xca\x3f\x00\x00\x00", "0.5")]
    fn what_json_has_not_is_told(#[case] bytes: &[u8], #[case] value: &str) {
        assert_eq!(read(bytes).unwrap(), json(value));
    }

    #[rstest]
    #[case(b"", "the data is cut off at byte 0")]
    #[case(b"\xdd\xff\xff\xff\xff", "the data is cut off at byte 5")]
    #[case(b"\xc6\xff\xff\xff\xff", "the data is cut off at byte 5")]
    #[case(b"\xa1\xff", "a text is not UTF-8 at byte 2")]
    #[case(b"\xc1", "a byte that msgpack never uses at byte 1")]
    #[case(b"\x01\x02", "more data behind the value at byte 1")]
    fn what_is_no_msgpack_says_why(#[case] bytes: &[u8], #[case] expected: &str) {
        assert_eq!(read(bytes).unwrap_err().to_string(), expected);
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(
            read(&vec![0x91; 100_000])
                .unwrap_err()
                .reason
                .contains("deeply")
        );
        let deep = json(&("[".repeat(200) + &"]".repeat(200)));
        assert!(write(&Json::List(vec![deep])).is_err());
    }

    #[rstest]
    #[case(
        "18446744073709551616",
        "msgpack cannot carry the whole number 18446744073709551616, which has more than 64 bits: send it in another serializer"
    )]
    #[case(
        "1e400",
        "msgpack cannot carry the number 1e400, which is beyond a float: send it in another serializer"
    )]
    #[case(
        r#"{"__type__": "decimal", "__value__": "1.10"}"#,
        "msgpack cannot carry a decimal (1.10): send it in another serializer"
    )]
    #[case(
        r#"{"a": 1, "a": 2}"#,
        "msgpack cannot carry the key \"a\" twice in one object: send it in another serializer"
    )]
    fn what_python_would_read_as_something_else_is_refused(
        #[case] value: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(write(&json(value)).unwrap_err().to_string(), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in arbitrary::lenient()) {
            if let Ok(bytes) = write(&value) {
                prop_assert_eq!(canonical(&read(&bytes).unwrap()), canonical(&value));
            }
        }

        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = read(&bytes);
        }
    }
}
