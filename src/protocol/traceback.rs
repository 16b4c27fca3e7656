//! Python's tracebacks of chained exceptions, taken apart. Pure; sanitises nothing.

/// How an exception came to be raised after another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// `raise … from …`.
    CausedBy,
    /// Another exception was being handled.
    Handling,
}

impl Link {
    /// For people, before the earlier exception.
    pub fn words(self) -> &'static str {
        match self {
            Self::CausedBy => "caused by",
            Self::Handling => "while handling",
        }
    }

    fn of(line: &str) -> Option<Self> {
        match line {
            "The above exception was the direct cause of the following exception:" => {
                Some(Self::CausedBy)
            }
            "During handling of the above exception, another exception occurred:" => {
                Some(Self::Handling)
            }
            _ => None,
        }
    }
}

/// One exception of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised<'a> {
    /// Its lines, from its `Traceback` on.
    pub lines: Vec<&'a str>,
    /// How the exception before it in the chain, which was raised after it, came of it; `None` for the first.
    pub link: Option<Link>,
}

impl<'a> Raised<'a> {
    /// The line that names it, `KeyError: 'A-1009'`: the first that is not indented after its frames.
    pub fn exception(&self) -> Option<&'a str> {
        let last = self
            .lines
            .iter()
            .rposition(|line| line.starts_with("  File \""))?;
        let after = self.lines[last..].iter().copied();
        after
            .filter(|line| !line.is_empty())
            .find(|line| !line.starts_with(char::is_whitespace))
    }
}

/// The exceptions of a traceback: the one that was raised last, then what it came of, back to the first.
pub fn chain(text: &str) -> Vec<Raised<'_>> {
    let mut chain = vec![Vec::new()];
    let mut between = Vec::new();
    for line in text.lines() {
        match (Link::of(line), chain.last_mut()) {
            (Some(link), _) => {
                between.push(link);
                chain.push(Vec::new());
            }
            (None, Some(lines)) => lines.push(line),
            (None, None) => {}
        }
    }
    let links = between.into_iter().map(Some).chain([None]);
    let raised = chain.into_iter().zip(links);
    let mut raised: Vec<_> = raised.map(|(lines, link)| Raised { lines, link }).collect();
    raised.reverse();
    raised
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Traceback (most recent call last):
  File \"/srv/shop/a.py\", line 1, in a
    raise ValueError
ValueError

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/srv/shop/b.py\", line 2, in b
    prices[sku]
    ~~~~~~^^^^^
KeyError: 'A-1009'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/srv/shop/c.py\", line 3, in c
    raise BadOrder from error
shop.BadOrder: no price
of two lines";

    #[test]
    fn a_chain_begins_with_what_was_raised_last_and_goes_back_to_the_first() {
        let chain = chain(TEXT);
        let told: Vec<_> = chain.iter().map(|it| (it.exception(), it.link)).collect();
        assert_eq!(
            told,
            [
                (Some("shop.BadOrder: no price"), None),
                (Some("KeyError: 'A-1009'"), Some(Link::CausedBy)),
                (Some("ValueError"), Some(Link::Handling)),
            ]
        );
    }

    #[test]
    fn what_is_no_traceback_is_one_exception_without_a_name() {
        for text in ["", "no frames\n  here"] {
            let chain = chain(text);
            assert_eq!((chain.len(), chain[0].exception()), (1, None));
        }
    }
}
