//! Where the outcome of a call is to come from, and where it came from. Plain data.

use serde::Serialize;

/// From where the outcome of a call is awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// From the result backend or the reply queue.
    #[default]
    Result,
    /// From the events of the workers: the result is out of reach, or is not kept.
    Events,
    /// From either, whichever comes first: nobody told where results are, or whether one will come.
    Either,
    /// From nowhere: it is sent, and nothing is waited for.
    Nothing,
}

impl Answer {
    /// Whether the workers' events are needed.
    pub fn by_events(self) -> bool {
        matches!(self, Self::Events | Self::Either)
    }

    /// Whether a result is awaited.
    pub fn by_result(self) -> bool {
        matches!(self, Self::Result | Self::Either)
    }
}

/// Where an outcome was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display, strum::EnumString)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Source {
    /// In a result: the value itself.
    Backend,
    /// In an event of the worker: Python's repr of the value, cut at 1,024 characters.
    Event,
}

/// What a worker's event says a task returned: Python's repr, for people. It is no value, and may lack its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repr {
    /// As the worker wrote it.
    pub text: String,
    /// Whether it looks as if the worker cut it.
    pub cut: bool,
}

/// Where Celery's `saferepr` begins to cut (verified on 5.7: such texts have 1,024 to 1,040 characters and `...` near their end).
const LONG: usize = 1000;
/// Closing quotes and brackets that may follow the dots.
const TAIL: usize = 16;

impl Repr {
    /// A repr as an event has it.
    pub fn new(text: String) -> Self {
        let length = text.chars().count();
        let tail: String = text.chars().skip(length.saturating_sub(TAIL)).collect();
        Self {
            cut: length >= LONG && tail.contains("..."),
            text,
        }
    }

    /// What it is, for people; it goes before the text.
    pub fn label(&self) -> &'static str {
        if self.cut {
            "result as the worker's log shows it (Python repr, cut at 1,024 characters)"
        } else {
            "result as the worker's log shows it (Python repr)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("5", false)]
    #[case("'wait...'", false)]
    #[case(&format!("'{}...'", "x".repeat(1024)), true)]
    #[case(&format!("[{}, ...]", "1, ".repeat(340)), true)]
    #[case(&format!("'{}'", "x".repeat(1024)), false)]
    fn a_repr_that_was_cut_shows_it(#[case] text: &str, #[case] cut: bool) {
        assert_eq!(Repr::new(text.to_owned()).cut, cut);
    }
}
