//! Negative numbers among the words: clap takes `-1` and `-1.5e3` as values, but `-1e-3` and `-1e+3` as flags.

use std::ffi::OsString;

use clap::{ArgAction, CommandFactory};

use super::Cli;
use crate::protocol::Json;

/// The same words, such numbers written as the ITEM that means the same, `:=-1e-3`. Values of flags and what follows `--` stay as they are.
pub fn spelled(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let end = words.iter().position(|word| word == "--");
    let end = end.unwrap_or(words.len());
    for place in 1..end {
        let number = words[place]
            .to_str()
            .filter(|word| is_taken_for_a_flag(word));
        if let Some(number) = number
            && !words[place - 1].to_str().is_some_and(wants_a_value)
        {
            words[place] = format!(":={number}").into();
        }
    }
    words
}

fn is_taken_for_a_flag(word: &str) -> bool {
    word.starts_with('-')
        && word.contains(['e', 'E'])
        && matches!(Json::parse_strict(word), Ok(Json::Number(_)))
}

/// Whether `word` is a flag that takes the next word as its value.
fn wants_a_value(word: &str) -> bool {
    let Some(name) = word.strip_prefix("--") else {
        return false;
    };
    let cli = Cli::command();
    let all = || std::iter::once(&cli).chain(cli.get_subcommands());
    let mut args = all().flat_map(clap::Command::get_arguments);
    args.any(|arg| {
        let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        arg.get_long() == Some(name) && takes
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("call t -1e+3 -1E-3", "call t :=-1e+3 :=-1E-3")]
    #[case("call t --dry-run -1e-3", "call t --dry-run :=-1e-3")]
    #[case("call t --queue -1e-3", "call t --queue -1e-3")]
    #[case("call t --broker -1e-3", "call t --broker -1e-3")]
    #[case("call t -1 -e --1e3 -1e", "call t -1 -e --1e3 -1e")]
    #[case("call t -- -1e-3", "call t -- -1e-3")]
    fn only_numbers_that_clap_takes_for_flags_are_written_otherwise(
        #[case] words: &str,
        #[case] expected: &str,
    ) {
        let words = words.split(' ').map(OsString::from);
        let spelled: Vec<String> = spelled(words)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        assert_eq!(spelled.join(" "), expected);
    }
}
