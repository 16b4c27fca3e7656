//! What a form means: its rows, its document, its arguments, the Python call. Read once after each change and not for every frame, since
//! arguments may be megabytes. Changes nothing.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use super::draft::{Draft, Spot};
use super::json::{self, Arguments, Document, Problem};
use super::options::{self, Texts};
use super::row::{Row, RowKey};
use super::secret;
use crate::call::preflight::Preflight;
use crate::cli::items;
use crate::history::Secrets;
use crate::history::secrets::Parts;
use crate::protocol::Json;
use crate::tui::panes::last_part;
use crate::tui::state::PYTHON;

/// What was read since the last change.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    rows: OnceLock<Vec<Row>>,
    document: OnceLock<Option<Result<Document, Problem>>>,
    arguments: OnceLock<Arguments>,
    python: OnceLock<String>,
    secret_rows: OnceLock<Vec<Parts>>,
    secret_document: OnceLock<Parts>,
    size: OnceLock<usize>,
    preflight: RefCell<Option<(Moment, Arc<Preflight>)>>,
}

/// The news and the second that something was found at.
type Moment = (u64, i64);

impl Draft {
    /// Something was changed, or is about to be.
    pub(super) fn look_anew(&mut self) {
        self.seen = Seen::default();
    }

    /// The rows with what is being typed just now.
    pub fn rows_now(&self) -> &[Row] {
        let Some(field) = &self.field else {
            return &self.rows;
        };
        self.seen.rows.get_or_init(|| {
            let text = field.text();
            let mut rows = self.rows.clone();
            match self.spot {
                Spot::Row(row) => {
                    if let Some(row) = rows.get_mut(row).filter(|row| row.text != text) {
                        *row = Row::typed(row.key, text.to_owned());
                    }
                }
                Spot::Empty if !text.trim().is_empty() => {
                    rows.push(Row::typed(RowKey(0), text.to_owned()));
                }
                _ => {}
            }
            rows
        })
    }

    /// The arguments as far as they mean something: rows that mean nothing are left out.
    pub fn arguments(&self) -> &Arguments {
        if let Some(Ok(document)) = self.document() {
            return &document.arguments;
        }
        self.seen.arguments.get_or_init(|| {
            let (mut args, mut kwargs) = Arguments::default();
            let rows = self.rows_now().iter().filter(|_| self.json.is_none());
            for item in rows.filter_map(|row| row.item.clone().ok()) {
                match item.name {
                    Some(name) => kwargs.push((name, item.value)),
                    None => args.push(item.value),
                }
            }
            (args, kwargs)
        })
    }

    /// The arguments to look at: what means nothing yet stands as `?`.
    pub fn outline(&self) -> Arguments {
        if self.json.is_some() {
            return self.arguments().clone();
        }
        let (mut args, mut kwargs) = Arguments::default();
        for row in self.rows_now() {
            let (name, value) = match &row.item {
                Ok(item) => (item.name.clone(), item.value.clone()),
                // Python shows a number as its digits are.
                Err(_) => (
                    items::parse(&row.text).ok().and_then(|parsed| parsed.name),
                    Json::Number("?".to_owned()),
                ),
            };
            match name {
                Some(name) => kwargs.push((name, value)),
                None => args.push(value),
            }
        }
        (args, kwargs)
    }

    /// The call as Python would write it, for a line: secrets masked, what means nothing yet as `?`, cut where it is long. `texts` are
    /// the options as they are now.
    pub fn python(&self, texts: &Texts, secrets: &Secrets) -> &str {
        self.seen.python.get_or_init(|| {
            let headers = texts.read().0.wishes.options.headers;
            let shown = secret::shown_call(self.outline(), headers, secrets);
            options::python(last_part(self.task.as_str()), &shown, texts, PYTHON)
        })
    }

    /// What is secret in each row.
    pub fn secret_rows(&self, secrets: &Secrets) -> &[Parts] {
        let parts = &self.seen.secret_rows;
        parts.get_or_init(|| secret::in_rows(self.rows_now(), secrets))
    }

    /// What is secret in the document.
    pub fn all_secret_in_document(&self, secrets: &Secrets) -> &Parts {
        self.seen.secret_document.get_or_init(|| {
            let text = self.json.as_ref().map(|raw| raw.editor.text());
            secrets.in_document(&text.unwrap_or_default())
        })
    }

    /// What looking before sending finds at this moment; `look` looks where that is not known yet.
    pub(super) fn preflight(&self, at: Moment, look: impl FnOnce() -> Preflight) -> Arc<Preflight> {
        let mut known = self.seen.preflight.borrow_mut();
        match &*known {
            Some((then, found)) if *then == at => Arc::clone(found),
            _ => {
                let found = Arc::new(look());
                *known = Some((at, Arc::clone(&found)));
                found
            }
        }
    }

    pub(super) fn document(&self) -> Option<&Result<Document, Problem>> {
        let read = self.seen.document.get_or_init(|| {
            let raw = self.json.as_ref()?;
            Some(json::read(&raw.editor.text()))
        });
        read.as_ref()
    }

    /// Bytes of what was typed as arguments.
    pub fn size(&self) -> usize {
        *self.seen.size.get_or_init(|| match &self.json {
            Some(raw) => raw.editor.text().len(),
            None => self.rows_now().iter().map(|row| row.text.len()).sum(),
        })
    }

    /// What is wrong with the document, while the form is one.
    pub fn json_problem(&self) -> Option<&Problem> {
        self.document()?.as_ref().err()
    }
}
