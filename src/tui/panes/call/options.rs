//! How a call is sent: timeout, expires, queue, each kept as it was typed.

use std::time::Duration;

use crate::call::LONGEST_WAIT;
use crate::protocol::{Options, QueueName};
use crate::text::human;

/// One of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumIter, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Name {
    /// How long we wait.
    Timeout,
    /// How long a worker may still start it.
    Expires,
    /// Where it goes.
    Queue,
}

impl Name {
    /// In the order of the form.
    pub const ALL: [Self; 3] = [Self::Timeout, Self::Expires, Self::Queue];
}

/// The three options of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    timeout: String,
    expires: String,
    queue: String,
}

impl Texts {
    /// The options of a new form.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout: exact(timeout),
            expires: "none".to_owned(),
            queue: "auto".to_owned(),
        }
    }

    /// As it was typed.
    pub fn get(&self, name: Name) -> &str {
        match name {
            Name::Timeout => &self.timeout,
            Name::Expires => &self.expires,
            Name::Queue => &self.queue,
        }
    }

    /// What typing starts from: a default gives way to the first key, anything else is edited.
    pub fn typed(&self, name: Name, timeout: Duration) -> &str {
        let untouched = Self::new(timeout);
        let text = self.get(name);
        if text == untouched.get(name) {
            ""
        } else {
            text
        }
    }

    /// Takes what was typed; nothing means the default.
    pub fn set(&mut self, name: Name, text: &str, timeout: Duration) {
        let text = text.trim().to_owned();
        let empty = text.is_empty();
        match name {
            Name::Timeout => self.timeout = if empty { exact(timeout) } else { text },
            Name::Expires => self.expires = if empty { "none".to_owned() } else { text },
            Name::Queue => self.queue = if empty { "auto".to_owned() } else { text },
        }
    }

    /// How long we wait.
    pub fn timeout(&self) -> Result<Duration, String> {
        match self.timeout.as_str() {
            "none" | "0" => Ok(LONGEST_WAIT),
            text => human::parse_duration(text).map(|wait| wait.min(LONGEST_WAIT)),
        }
    }

    /// What goes with the message.
    pub fn options(&self) -> Result<Options, String> {
        let expires = match self.expires.as_str() {
            "none" => None,
            text => Some(human::parse_duration(text)?),
        };
        Ok(Options {
            queue: self.queue(),
            expires,
            ..Options::default()
        })
    }

    /// The queue named by the user; `None` lets the pre-flight choose.
    pub fn queue(&self) -> Option<QueueName> {
        (self.queue != "auto").then(|| QueueName::from(self.queue.as_str()))
    }

    /// What is wrong with an option.
    pub fn problem(&self, name: Name) -> Option<String> {
        match name {
            Name::Timeout => self.timeout().err(),
            Name::Expires => self.options().err(),
            Name::Queue => None,
        }
    }
}

/// A duration as the DUR grammar reads it.
fn exact(value: Duration) -> String {
    match value.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_means_the_default() {
        let default = Duration::from_secs(10);
        let mut texts = Texts::new(default);
        texts.set(Name::Timeout, "1.5", default);
        assert_eq!(texts.timeout(), Ok(Duration::from_millis(1500)));
        texts.set(Name::Timeout, " ", default);
        assert_eq!(texts.get(Name::Timeout), "10s");
    }

    #[test]
    fn none_and_0_wait_a_day_and_garbage_is_told() {
        let mut texts = Texts::new(Duration::from_secs(10));
        for text in ["none", "0"] {
            texts.set(Name::Timeout, text, Duration::ZERO);
            assert_eq!(texts.timeout(), Ok(LONGEST_WAIT));
        }
        texts.set(Name::Expires, "soon", Duration::ZERO);
        assert!(texts.problem(Name::Expires).is_some());
        assert!(texts.problem(Name::Timeout).is_none());
    }
}
