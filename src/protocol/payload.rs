//! The one door through which every body and stored value is read: compression off, serializer told or guessed, a value out.
//! Never executes anything: pickle is taken apart, not loaded. All of it is bounded by [`Limits`].

use super::Json;
use super::compression::{Compression, CompressionError};
use super::json::{JsonError, Limits};
use super::serializer::{msgpack, pickle, yaml};

pub use super::serializer::msgpack::MsgpackError;
pub use super::serializer::pickle::Opaque;
pub use super::serializer::yaml::YamlError;

/// What something was written in.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Form {
    /// JSON as Python writes it.
    #[default]
    Json,
    /// YAML 1.1 as PyYAML writes it.
    Yaml,
    /// msgpack.
    Msgpack,
    /// Python's pickle; taken apart, never executed.
    Pickle,
}

/// What a body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A value, and what it was written in.
    Value(Form, Json),
    /// Something that only Python can rebuild.
    Opaque(Opaque),
}

impl Payload {
    /// The value; of something opaque its outline, in which everything that only Python can rebuild is a text such as
    /// `<shop.models.Order (1, 'x')>`.
    pub fn into_value(self) -> Json {
        match self {
            Self::Value(_, value) => value,
            Self::Opaque(opaque) => opaque.outline,
        }
    }
}

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It should be JSON.
    #[error("not JSON: {0}")]
    Json(#[from] JsonError),
    /// It should be YAML.
    #[error("not YAML: {0}")]
    Yaml(#[from] YamlError),
    /// It should be msgpack.
    #[error("not msgpack: {0}")]
    Msgpack(#[from] MsgpackError),
    /// A content type nobody reads.
    #[error("it is of type {0:?}, which is not known")]
    Unknown(String),
    /// It is compressed and cannot be unpacked.
    #[error(transparent)]
    Compressed(#[from] CompressionError),
    /// More than the limit.
    #[error("{0} bytes are more than the limit of {1}")]
    TooLarge(usize, usize),
}

/// What Celery 5.7 puts before a compressed result; the content type and a zero byte follow.
const COMPRESSED: &[u8] = b"\0celery-compressed\0";

/// Reads a body or a stored value. `content_type` is the message's, `None` where the backend has none (Redis): then the
/// first bytes tell (protocol.md 2.2). `compression` is the header of that name; a stored value tells it itself. `limits`
/// bound the data as given, its unpacked content and its nesting.
pub fn decode(
    body: &[u8],
    content_type: Option<&str>,
    compression: Option<&str>,
    limits: Limits,
) -> Result<Payload, PayloadError> {
    if body.len() > limits.bytes {
        return Err(PayloadError::TooLarge(body.len(), limits.bytes));
    }
    let (marked, body) = match body.strip_prefix(COMPRESSED) {
        Some(rest) => marked(rest),
        None => (None, body),
    };
    let method = compression.filter(|name| !name.is_empty());
    match marked.as_deref().or(method) {
        None => plain(body, content_type, limits),
        Some(name) => {
            let content = Compression::named(name)?.read(body, limits.bytes)?;
            plain(&content, content_type, limits)
        }
    }
}

/// The content type behind the marker and what follows it.
fn marked(rest: &[u8]) -> (Option<String>, &[u8]) {
    let end = rest.iter().position(|&byte| byte == 0);
    let (name, body) = rest.split_at(end.unwrap_or(rest.len()));
    let name = String::from_utf8_lossy(name).into_owned();
    (Some(name), body.get(1..).unwrap_or_default())
}

fn plain(body: &[u8], content_type: Option<&str>, limits: Limits) -> Result<Payload, PayloadError> {
    let form = match content_type {
        None | Some("") => guess(body),
        Some(told) => of_content_type(told)?,
    };
    let value = match form {
        Form::Json => Json::parse(body, limits)?,
        Form::Yaml => yaml::read(body, limits)?,
        Form::Msgpack => msgpack::read(body, limits)?,
        Form::Pickle => return Ok(Payload::Opaque(pickle::read(body))),
    };
    Ok(Payload::Value(form, value))
}

fn of_content_type(content_type: &str) -> Result<Form, PayloadError> {
    let base = content_type.split(';').next().unwrap_or_default().trim();
    match base {
        "application/json" => Ok(Form::Json),
        "application/x-yaml" => Ok(Form::Yaml),
        "application/x-msgpack" => Ok(Form::Msgpack),
        "application/x-python-serialize" => Ok(Form::Pickle),
        other => Err(PayloadError::Unknown(other.chars().take(60).collect())),
    }
}

/// Nothing in a stored value names its serializer; its first bytes do. A result is an object of several fields.
fn guess(body: &[u8]) -> Form {
    match body {
        [0x80, 0x02..=0x05, ..] | [b'}', b'q' | b'(', ..] | [b'(', b'd', b'p', ..] => Form::Pickle,
        [0x80..=0x8f | 0xde | 0xdf, ..] => Form::Msgpack,
        _ if looks_like_yaml(body) => Form::Yaml,
        _ => Form::Json,
    }
}

/// A mapping in block style: `children: []`.
fn looks_like_yaml(body: &[u8]) -> bool {
    let line = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let key = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    key.len() < line.len() && !key.is_empty() && key.iter().all(is_word)
}
