//! A call that is ready to be sent: made of words, or of a call of history and what is to be otherwise. Connects nowhere.

use secrecy::ExposeSecret;

use super::again::Dropped;
use super::call::Manner;
use super::elsewhere::Here;
use super::output::Output;
use super::{again, arguments, keeper, prompt, stop};
use crate::cli::items::Source;
use crate::cli::{Call, Keeping};
use crate::clock::Clock;
use crate::config::Env;
use crate::config::file::Config;
use crate::error::Result;
use crate::history::Record;
use crate::history::record::{Masked, Place};
use crate::protocol::{Json, Signature};

/// A call that is ready to be sent.
pub struct Errand {
    /// What is sent.
    pub signature: Signature,
    /// What is to be said of it.
    pub warnings: Vec<String>,
    /// The call of history that it repeats.
    pub origin: Option<Box<Record>>,
    /// Whether it is kept.
    pub keeping: Keeping,
}

/// Who is asked, and where history is.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The configuration file.
    pub config: &'a Config,
    /// The environment.
    pub env: Env<'a>,
    /// The broker of this run.
    pub here: &'a Here,
    /// Where questions go.
    pub output: Output,
    /// Nothing is to be asked.
    pub no_input: bool,
}

impl Desk<'_> {
    /// Makes the errand; a call of history for `again`, or where one is named. Secrets that are not kept are asked for on a terminal.
    ///
    /// # Errors
    /// The arguments are no arguments, there is no such call, or secrets are lacking.
    pub async fn prepare(
        self,
        wanted: &Call,
        words: arguments::Words,
        manner: &Manner,
    ) -> Result<Errand> {
        let now = || Clock::default().now().wall;
        let (mut signature, mut warnings) =
            arguments::signature(wanted, words, &self.config.history.secrets, now)?;
        let mut origin = None;
        if wanted.repeats {
            let history = keeper::existing(self.config, self.env, self.output)?;
            again::one_word(history.as_ref(), wanted).await?;
            let mut record = again::find(history.as_ref(), wanted.from.as_deref()).await?;
            again::no_argument(&record, wanted)?;
            again::no_task(&record, wanted)?;
            let masked = record.masked.clone();
            let lacking = again::lacking(&record, &signature);
            if !lacking.is_empty() {
                self.ask(&mut record, &lacking, wanted.dry_run, manner, &mut warnings)
                    .await?;
            }
            signature = again::changed(&record, signature, Dropped::by(wanted))?;
            again::in_time(&signature, record.id(), now())?;
            // Where its secrets are is still to be known.
            record.masked = masked;
            origin = Some(record);
        }
        Ok(Errand {
            signature,
            warnings,
            origin,
            keeping: wanted.keeping,
        })
    }

    /// Whether a call that was made at another broker goes to this one: `yes`, the broker on the command line, or a person says so.
    ///
    /// # Errors
    /// Nobody confirmed it.
    pub async fn confirm(self, errand: &mut Errand, yes: bool) -> Result<()> {
        if let Some(record) = &errand.origin {
            let confirmed = self.here.confirm(record, yes, self.output, self.no_input);
            errand.warnings.extend(confirmed.await?);
        }
        Ok(())
    }

    /// Puts what a person types in the place of each secret. A dry run would show it.
    async fn ask(
        self,
        record: &mut Record,
        lacking: &[Masked],
        dry_run: bool,
        manner: &Manner,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        let sends = manner.waiting.is_none();
        if dry_run || !self.output.can_ask(self.no_input) {
            return Err(again::secrets(record, lacking, sends));
        }
        self.output.note(&format!(
            "{}: secrets are not kept; what is typed is not shown",
            record.title(60)
        ));
        for masked in lacking {
            let typed = prompt::secret(self.output, &format!("{masked}:"), stop::stopped()).await?;
            let text = typed.expose_secret();
            if text.is_empty() {
                return Err(again::secrets(record, lacking, sends));
            }
            let value = read(&masked.place, text);
            if !matches!(value, Json::Text(_)) {
                let what = kind(&value);
                warnings.push(format!(
                    "{masked}: {what} was typed, as in an ITEM; a text is \"in quotes\""
                ));
            }
            record.unmask(masked, &value);
        }
        Ok(())
    }
}

/// What is typed means what it means in an ITEM: JSON where it is valid JSON.
fn read(place: &Place, text: &str) -> Json {
    let name = match place {
        Place::Keyword(name) => Some(name.as_str()),
        Place::Positional(_) | Place::Header(_) => None,
    };
    let value = Source::Auto(text.to_owned()).value(name);
    value.map_or_else(|_| Json::from(text), |(value, _)| value)
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::Text(_) => "a text",
        Json::List(_) => "a list",
        Json::Object(_) => "an object",
    }
}
