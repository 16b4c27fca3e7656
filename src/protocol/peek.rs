//! The state of a result that cannot be read as a whole: Celery writes it first. Never guesses: what does not stand there plainly is `None`.

use super::State;

/// The state a JSON result begins with (`{"status": "SUCCESS", "result": …`), whatever follows it. Celery 5.3 to 5.7 and its Redis, rpc and
/// key-value backends write this key first.
pub fn state(payload: &[u8]) -> Option<State> {
    let rest = after(payload, b"{")?;
    let rest = after(rest, b"\"status\"")?;
    let rest = after(rest, b":")?;
    let rest = after(rest, b"\"")?;
    let end = rest.iter().take(LONGEST).position(|byte| *byte == b'"')?;
    let word = rest[..end].to_vec();
    let plain = word
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let word = String::from_utf8(word).ok().filter(|_| plain)?;
    Some(State::from_word(&word))
}

/// The longest word of a state that is looked for.
const LONGEST: usize = 64;

/// What follows `token`, blanks before it skipped.
fn after<'a>(text: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    text.trim_ascii_start().strip_prefix(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"{\"status\": \"SUCCESS\", \"result\": [[[[", Some(State::Success))]
    #[case(b"{\"status\":\"FAILURE\"", Some(State::Failure))]
    #[case(b" {\n \"status\" : \"PROGRESS\"", Some(State::Custom("PROGRESS".to_owned())))]
    #[case(b"{\"result\": {\"status\": \"SUCCESS\"}", None)]
    #[case(b"{\"status\": \"SUCC", None)]
    #[case(b"{\"status\": null", None)]
    #[case(b"{\"status\": \"A\\u0042\"", None)]
    #[case(b"\x80\x04}", None)]
    fn the_state_is_known_where_it_stands_first(
        #[case] payload: &[u8],
        #[case] expected: Option<State>,
    ) {
        assert_eq!(state(payload), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_harm(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = state(&payload);
        }
    }
}
