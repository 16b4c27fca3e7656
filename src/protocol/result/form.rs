//! In which form a result lies there: only plain JSON is read, everything else is named for people and never decoded.

use super::ResultError;

const COMPRESSED: &[u8] = b"\0celery-compressed\0";

/// `Ok` if the payload is to be read as JSON.
pub(super) fn check(payload: &[u8], content_type: Option<&str>) -> Result<(), ResultError> {
    if let Some(rest) = payload.strip_prefix(COMPRESSED) {
        return Err(ResultError::Compressed(compression(rest)));
    }
    let form = match content_type {
        None | Some("") => guess(payload),
        Some(told) => of_content_type(told),
    };
    match form {
        None => Ok(()),
        Some(form) => Err(ResultError::Serializer(format!(
            "{form} ({} bytes)",
            payload.len()
        ))),
    }
}

/// The content type behind the marker; it ends with a zero byte.
fn compression(rest: &[u8]) -> String {
    let name = rest.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).chars().take(60).collect()
}

/// The word for what is not JSON.
pub(in super::super) fn of_content_type(content_type: &str) -> Option<String> {
    let base = content_type.split(';').next().unwrap_or_default().trim();
    match base {
        "application/json" => None,
        "application/x-python-serialize" => Some("pickled".to_owned()),
        "application/x-msgpack" => Some("msgpack".to_owned()),
        "application/x-yaml" => Some("yaml".to_owned()),
        other => Some(format!(
            "of type {}",
            other.chars().take(60).collect::<String>()
        )),
    }
}

/// Nothing in a stored value names its serializer; its first bytes do (protocol.md 2.2).
fn guess(payload: &[u8]) -> Option<String> {
    let form = match payload {
        [0x80, 0x02..=0x05, ..] => "pickled",
        [0x80..=0x8f | 0xde | 0xdf, ..] => "msgpack",
        _ if looks_like_yaml(payload) => "yaml",
        _ => return None,
    };
    Some(form.to_owned())
}

/// A mapping in block style: `children: []`.
fn looks_like_yaml(payload: &[u8]) -> bool {
    let line = payload
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let key = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    key.len() < line.len() && !key.is_empty() && key.iter().all(is_word)
}
