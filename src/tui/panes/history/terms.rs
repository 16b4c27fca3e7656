//! What is typed to filter History: words, `state:fail`, `task:shop.*`. Pure.

use strum::IntoEnumIterator;

use crate::call::CallState;
use crate::history::{Filter, TaskFilter};

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

/// The states whose name begins so, late ones among them: `fail` is LATE FAIL too.
fn states(name: &str) -> Result<Vec<CallState>, String> {
    let wanted = name.to_lowercase();
    let named = |state: &CallState| {
        let name = state.to_string();
        let name = name.strip_prefix("late_").unwrap_or(&name).to_owned();
        name.starts_with(&wanted) || state.to_string().starts_with(&wanted)
    };
    let found: Vec<CallState> = CallState::iter().filter(named).collect();
    if found.is_empty() {
        return Err(format!("no state is called {name:?}"));
    }
    Ok(found)
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
        assert!(read("state:zzz").unwrap_err().contains("zzz"));
    }
}
