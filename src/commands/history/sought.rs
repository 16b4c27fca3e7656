//! Which calls of the history are sought, and what is said where there are none. Prints nothing.

use crate::cli::history::Which;
use crate::clock::Now;
use crate::error::{Error, Kind, Result};
use crate::history::{Filter, Handle, TaskFilter, terms};
use crate::text::human;

/// Calls that are sought.
pub(super) struct Sought {
    /// Which.
    pub(super) filter: Filter,
    /// At most so many.
    pub(super) limit: Option<usize>,
    /// As it was typed.
    words: String,
}

impl Sought {
    /// What these words and options mean: the words as on the screen.
    ///
    /// # Errors
    /// They name a state that does not exist.
    pub(super) fn new(which: &Which, limit: Option<usize>, now: Now) -> Result<Self> {
        let words = which.pattern.join(" ");
        let mut filter = terms::read(&words).map_err(|what| Error::new(Kind::Usage, what))?;
        filter.states.extend(&which.state);
        if let Some(task) = &which.task {
            filter.task = TaskFilter::Like(task.clone());
        }
        let since = which.since;
        filter.since = since.and_then(|since| now.wall.checked_sub(since).ok());
        Ok(Self {
            filter,
            limit,
            words,
        })
    }

    /// That none was found, and how many there are.
    pub(super) async fn nothing(&self, history: Option<&Handle>) -> Result<String> {
        let kept = match history {
            Some(history) => history.count(Filter::default()).await?,
            None => return Ok("history has no calls yet".to_owned()),
        };
        let least = if kept.or_more { "at least " } else { "" };
        Ok(match kept.calls {
            0 => "history has no calls yet".to_owned(),
            1 => format!("no call matches{}; 1 call is kept", self.told()),
            calls => format!(
                "no call matches{}; {least}{} calls are kept",
                self.told(),
                human::count(calls as u64)
            ),
        })
    }

    /// How many calls were exported.
    pub(super) async fn exported(&self, calls: usize, history: Option<&Handle>) -> Result<String> {
        if calls > 0 {
            let s = if calls == 1 { "" } else { "s" };
            return Ok(format!("umbel: exported {calls} call{s}"));
        }
        let why = self.nothing(history).await?;
        let mut text = format!("umbel: exported nothing: {why}");
        if self
            .words
            .split_whitespace()
            .any(|word| matches!(word, "csv" | "json" | "jsonl"))
        {
            text.push_str("\n  hint: `csv` is looked for as a word; --csv writes CSV, and JSONL is what is written without it");
        }
        Ok(text)
    }

    /// What was sought, as far as it was said in words.
    fn told(&self) -> String {
        let words = (!self.words.is_empty()).then(|| format!(" {:?}", self.words));
        let words = words.unwrap_or_default();
        let all_said = terms::read(&self.words).is_ok_and(|filter| filter == self.filter);
        match (words.is_empty(), all_said) {
            (_, true) => words,
            (true, false) => " these options".to_owned(),
            (false, false) => format!("{words} and these options"),
        }
    }
}
