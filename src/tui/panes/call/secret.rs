//! Which parts of a form are secret: by the name of the argument or header, by a key in it, or because a call of the past that was
//! loaded says so of its place. Draws nothing.

use std::borrow::Cow;
use std::ops::Range;

use super::draft::{Draft, Spot};
use super::json::Arguments;
use super::options::Entry;
use super::row::{Row, RowKey};
use crate::cli::items::{self, Head};
use crate::cli::options::Name;
use crate::history::record::Place;
use crate::history::secrets::Parts;
use crate::history::{Masked, Path, Secrets};
use crate::protocol::{Json, Options, Signature, python, typed};
use crate::tui::widgets::Veil;

/// The places of a form that a loaded call calls secret. Rows are known by their keys: they may be moved and renamed.
#[derive(Clone, Debug, Default)]
pub struct Lacking {
    rows: Vec<RowKey>,
    places: Vec<Place>,
}

impl Draft {
    /// These places of the form hold secrets, whatever their names.
    pub(super) fn lacks(&mut self, places: impl IntoIterator<Item = Place>) {
        self.look_anew();
        let rows = placed(&self.rows);
        for place in places {
            match rows.iter().position(|(known, _)| *known == place) {
                Some(row) => self.lacking.rows.push(self.rows[row].key),
                None => self.lacking.places.push(place),
            }
        }
    }

    /// The rows become a document, or are made anew: their secrets are known by their places.
    pub(super) fn unbind(&mut self) {
        let places = self.masked().into_iter().map(|masked| masked.place);
        self.lacking = Lacking {
            rows: Vec::new(),
            places: places.collect(),
        };
    }

    /// The places are rows again.
    pub(super) fn bind(&mut self) {
        let places = std::mem::take(&mut self.lacking.places);
        self.lacks(places);
    }

    /// The places of the form, as it is now, that hold secrets because a call of the past says so.
    pub fn masked(&self) -> Vec<Masked> {
        if self.lacking.rows.is_empty() && self.lacking.places.is_empty() {
            return Vec::new();
        }
        let rows = self.rows_now();
        let known = placed(rows).into_iter().zip(rows.iter());
        let known = known.filter(|(_, row)| self.lacking.rows.contains(&row.key));
        let rows = known.map(|((place, _), _)| place);
        let places = rows.chain(self.lacking.places.iter().cloned());
        let whole = |place| Masked {
            place,
            path: Path::default(),
        };
        places.map(whole).collect()
    }

    /// What is secret in this form.
    pub fn secrets<'a>(&self, secrets: &'a Secrets) -> Cow<'a, Secrets> {
        let masked = self.masked();
        if masked.is_empty() {
            Cow::Borrowed(secrets)
        } else {
            Cow::Owned(secrets.of_places(&masked))
        }
    }

    /// What is secret in what is being typed.
    pub fn secret_typed(&self, secrets: &Secrets) -> Parts {
        let Some(field) = &self.field else {
            return Parts::new();
        };
        match self.spot {
            Spot::Row(row) => self
                .secret_rows(secrets)
                .get(row)
                .cloned()
                .unwrap_or_default(),
            Spot::Empty => {
                let typed = self.secret_rows(secrets).get(self.rows.len());
                typed.cloned().unwrap_or_default()
            }
            Spot::Option(entry) => in_option(entry, field.text(), secrets),
            Spot::More | Spot::Button => Parts::new(),
        }
    }

    /// What is secret in the document, but for what the caret is in while it is being typed.
    pub fn secret_document(&self, secrets: &Secrets) -> Parts {
        let Some(raw) = &self.json else {
            return Parts::new();
        };
        let caret = raw.typing.then(|| raw.editor.caret_byte());
        let edited = |part: &Range<usize>| {
            caret.is_some_and(|caret| (part.start..=part.end).contains(&caret))
        };
        let parts = self.all_secret_in_document(secrets).iter();
        parts.filter(|part| !edited(part)).cloned().collect()
    }
}

/// What is secret in each of these rows.
pub fn in_rows(rows: &[Row], secrets: &Secrets) -> Vec<Parts> {
    let places = placed(rows).into_iter().zip(rows);
    places
        .map(|(place, row)| in_text(&place, &row.text, secrets))
        .collect()
}

fn in_header(text: &str, secrets: &Secrets) -> Parts {
    let head = Head::of(text, |name| !name.is_empty());
    let Some((name, head)) = head.and_then(|head| Some((head.name?, head))) else {
        return Parts::new();
    };
    let place = Place::Header(name.to_owned());
    in_text(&(place, head.before(text).len()), text, secrets)
}

/// The type of a secret, and no more of it.
pub fn echo(row: &Row) -> String {
    match row.item.as_ref().map(|item| &item.value) {
        Err(_) => "?".to_owned(),
        Ok(Json::Text(text)) => match text.chars().count() {
            1 => "str, 1 character".to_owned(),
            count => format!("str, {count} characters"),
        },
        // Of these the echo says how many there are.
        Ok(value @ (Json::List(_) | Json::Object(_))) if typed::recognise(value).is_none() => {
            items::echo(value)
        }
        Ok(value) => format!("{}, secret", items::type_name(value)),
    }
}

/// The same call as it may be shown.
pub fn shown(signature: &Signature, secrets: &Secrets) -> Signature {
    secrets.shown(signature).into_owned()
}

/// Arguments and headers as they may be shown.
pub fn shown_call(
    (args, kwargs): Arguments,
    headers: Vec<(String, Json)>,
    secrets: &Secrets,
) -> Signature {
    let signature = Signature {
        task: "".into(),
        id: "".into(),
        args,
        kwargs,
        options: Options {
            headers,
            ..Options::default()
        },
    };
    shown(&signature, secrets)
}

/// The text of an option as it may be shown.
pub fn shown_option<'t>(entry: Entry, text: &'t str, secrets: &Secrets) -> Cow<'t, str> {
    let parts = in_option(entry, text, secrets);
    let veil = Veil {
        parts: &parts,
        glyph: "*",
    };
    veil.over(text, 0)
}

/// What is secret in the text of an option.
pub fn in_option(entry: Entry, text: &str, secrets: &Secrets) -> Parts {
    match entry.name {
        Name::Header => in_header(text, secrets),
        _ => Parts::new(),
    }
}

/// Which argument each row is, and where the text of its value begins.
fn placed(rows: &[Row]) -> Vec<(Place, usize)> {
    let mut positional = 0;
    let place = |row: &Row| {
        // Such a name may hold signs that end a name elsewhere: `name:=json`.
        if let Some(name) = row.name().filter(|_| row.json_only) {
            return (Place::Keyword(name.to_owned()), name.len() + ":=".len());
        }
        let head = Head::of(&row.text, python::is_identifier);
        let from = head.map_or(0, |head| head.before(&row.text).len());
        if let Some(name) = head.and_then(|head| head.name) {
            return (Place::Keyword(name.to_owned()), from);
        }
        positional += 1;
        (Place::Positional(positional - 1), from)
    };
    rows.iter().map(place).collect()
}

fn in_text((place, from): &(Place, usize), text: &str, secrets: &Secrets) -> Parts {
    let parts = secrets.in_value(place, &text[*from..]);
    let parts = parts.into_iter();
    parts
        .map(|part| part.start + from..part.end + from)
        .collect()
}
