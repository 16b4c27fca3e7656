//! Objects built and read field by field: what is unknown is left out, and read back as unknown. Pure.

use std::str::FromStr;
use std::time::Duration;

use super::super::{Path, Step};
use super::codec::Unreadable;
use super::{Masked, Place, Point};
use crate::clock::Timestamp;
use crate::protocol::Json;

/// An object under construction.
#[derive(Default)]
pub(super) struct Writer(Vec<(String, Json)>);

impl Writer {
    pub(super) fn put(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.0.push((key.to_owned(), value.into()));
        self
    }

    pub(super) fn may(self, key: &str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    pub(super) fn done(self) -> Json {
        Json::Object(self.0)
    }
}

/// An object being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Json);

impl<'a> Reader<'a> {
    pub(super) fn value(self, key: &str) -> Option<&'a Json> {
        self.0.get(key)
    }

    pub(super) fn part(self, key: &str) -> Option<Self> {
        self.0.get(key).map(Self)
    }

    pub(super) fn need(self, key: &'static str) -> Result<Self, Unreadable> {
        self.part(key).ok_or(Unreadable(key))
    }

    pub(super) fn text(self, key: &str) -> Option<String> {
        Some(self.0.get(key)?.as_str()?.to_owned())
    }

    pub(super) fn number(self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn size(self, key: &str) -> Option<usize> {
        usize::try_from(self.number(key)?).ok()
    }

    pub(super) fn truth(self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    pub(super) fn list(self, key: &str) -> Vec<Json> {
        match self.0.get(key) {
            Some(Json::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn entries(self, key: &str) -> Vec<(String, Json)> {
        match self.0.get(key) {
            Some(Json::Object(entries)) => entries.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn texts(self, key: &str) -> Vec<String> {
        let items = self.0.get(key).and_then(Json::as_list).unwrap_or_default();
        let texts = items.iter().filter_map(Json::as_str);
        texts.map(str::to_owned).collect()
    }

    /// A word or time in its own spelling.
    pub(super) fn parsed<T: FromStr>(self, key: &str) -> Option<T> {
        self.0.get(key)?.as_str()?.parse().ok()
    }

    pub(super) fn duration(self, key: &str) -> Option<Duration> {
        duration(self.0.get(key)?)
    }

    pub(super) fn point(self, key: &str) -> Option<Point> {
        let (wall, after) = match self.0.get(key)?.as_list()? {
            [wall, after] => (wall.as_str()?, after),
            _ => return None,
        };
        Some(Point {
            wall: wall.parse::<Timestamp>().ok()?,
            after: duration(after)?,
        })
    }
}

/// Seconds with all nine digits after the point.
pub(super) fn seconds(value: Duration) -> Json {
    Json::Number(format!("{}.{:09}", value.as_secs(), value.subsec_nanos()))
}

fn duration(value: &Json) -> Option<Duration> {
    let Json::Number(text) = value else {
        return None;
    };
    let (whole, nanos) = text.split_once('.')?;
    let (whole, nanos) = (whole.parse().ok()?, nanos.parse::<u32>().ok()?);
    (nanos < 1_000_000_000).then(|| Duration::new(whole, nanos))
}

impl From<Point> for Json {
    fn from(point: Point) -> Self {
        Self::List(vec![
            Self::Text(point.wall.to_string()),
            seconds(point.after),
        ])
    }
}

pub(super) fn texts(texts: &[String]) -> Json {
    Json::List(texts.iter().map(|text| Json::from(text.as_str())).collect())
}

/// Nothing for an empty list.
pub(super) fn filled<T>(items: &[T]) -> Option<&[T]> {
    (!items.is_empty()).then_some(items)
}

impl From<&Masked> for Json {
    fn from(masked: &Masked) -> Self {
        let place = match &masked.place {
            Place::Positional(index) => Writer::default().put("arg", *index as u64),
            Place::Keyword(name) => Writer::default().put("kwarg", name.as_str()),
            Place::Header(name) => Writer::default().put("header", name.as_str()),
        };
        let step = |step: &Step| match step {
            Step::Key(key) => Self::from(key.as_str()),
            Step::Index(index) => Self::from(*index as u64),
        };
        let path = masked.path.0.iter().map(step).collect();
        place.put("path", Self::List(path)).done()
    }
}

pub(super) fn masked(value: &Json) -> Option<Masked> {
    let fields = Reader(value);
    let place = fields
        .size("arg")
        .map(Place::Positional)
        .or_else(|| fields.text("kwarg").map(Place::Keyword))
        .or_else(|| fields.text("header").map(Place::Header))?;
    let step = |step: &Json| match step {
        Json::Text(key) => Some(Step::Key(key.clone())),
        Json::Number(index) => index.parse().ok().map(Step::Index),
        _ => None,
    };
    let path = fields.value("path")?.as_list()?;
    Some(Masked {
        place,
        path: Path(path.iter().map(step).collect::<Option<_>>()?),
    })
}
