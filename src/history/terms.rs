//! What is typed to filter history, on the screen and on the command line: words, `state:fail`, `task:shop.*`. Pure.

use strum::IntoEnumIterator;

use crate::call::CallState;
use crate::history::filter::{Filter, TaskFilter};

/// The filter that `text` means.
///
/// # Errors
/// A state that does not exist, for people.
pub fn read(text: &str) -> Result<Filter, String> {
    let mut filter = Filter::default();
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        if let Some(names) = word.strip_prefix("state:") {
            for name in names.split(',').filter(|name| !name.is_empty()) {
                filter.states.extend(states(name)?);
            }
        } else if let Some(task) = word.strip_prefix("task:") {
            if !task.is_empty() {
                filter.task = TaskFilter::Like(task.to_owned());
            }
        } else {
            words.push(word);
        }
    }
    filter.text = words.join(" ");
    Ok(filter)
}

/// The states whose name begins so, late ones among them: `fail` is LATE FAIL too. Case, `_`, `-` and `?` do not count.
fn states(name: &str) -> Result<Vec<CallState>, String> {
    let wanted = bare(name);
    let named = |state: &CallState| {
        let name = bare(&state.to_string());
        let plain = name.strip_prefix("late").unwrap_or(&name);
        [&name, plain, &bare(state.word())]
            .into_iter()
            .any(|name: &str| name.starts_with(&wanted))
    };
    let found: Vec<CallState> = CallState::iter().filter(named).collect();
    if found.is_empty() || wanted.is_empty() {
        return Err(format!("No state is called {name:?}. Known: {}", known()));
    }
    Ok(found)
}

fn bare(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The states that a call in the history may have, as they are typed.
fn known() -> String {
    let listed =
        CallState::iter().filter(|state| !matches!(state, CallState::Draft | CallState::Send));
    let names: Vec<String> = listed.map(|state| state.to_string()).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_states_and_tasks_are_told_apart() {
        let filter = read("state:fail  42 task:shop.* 客戶").unwrap();
        assert_eq!(filter.text, "42 客戶");
        assert_eq!(filter.states, [CallState::Fail, CallState::LateFail]);
        assert_eq!(filter.task, TaskFilter::Like("shop.*".to_owned()));
    }

    #[test]
    fn a_state_is_known_by_its_beginning_and_an_unknown_one_is_told() {
        assert_eq!(
            read("state:late").unwrap().states,
            [CallState::LateOk, CallState::LateFail]
        );
        assert_eq!(read("state:No-Task").unwrap().states, [CallState::NoTask]);
        assert_eq!(read("state:sent?").unwrap().states.len(), 2);
        assert_eq!(read("state:LOST?").unwrap().states, [CallState::Lost]);
        for typed in ["state:zzz", "state:?"] {
            let problem = read(typed).unwrap_err();
            assert!(problem.contains("timeout late_ok"), "{problem}");
            assert!(problem.contains("no_result lost"), "{problem}");
        }
    }
}
