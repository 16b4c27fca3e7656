//! Several addresses of one broker, tried in order (kombu's `;` list): how they share the time, and how their failures are told.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Kind};

/// How long connecting may take over all addresses, and how long any answer on a living connection is awaited.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// The deadline of the next of `left` addresses: all share the time that is left, so that a dead one does not eat it up.
pub(super) fn share(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(left).unwrap_or(u32::MAX).max(1);
    now + deadline.saturating_duration_since(now) / parts
}

/// One failure as it is; several as a list.
pub(super) fn together(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let all: Vec<_> = failures.iter().map(|failure| &*failure.message).collect();
    let message = format!("none of {} addresses works: {}", all.len(), all.join("; "));
    let error = Error::new(Kind::Unsent, message);
    match failures.into_iter().find_map(|failure| failure.hint) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_failures_are_told_together() {
        let told = together(vec![
            Error::new(Kind::Unsent, "broker a: refused").hint("check a"),
            Error::new(Kind::Unsent, "broker b: refused"),
        ]);
        assert_eq!(
            told.message,
            "none of 2 addresses works: broker a: refused; broker b: refused"
        );
        assert_eq!(told.hint.as_deref(), Some("check a"));
    }

    #[test]
    fn addresses_share_the_time_that_is_left() {
        let deadline = Instant::now() + STEP;
        assert!(share(deadline, 5) < Instant::now() + Duration::from_millis(1100));
        assert!(share(deadline, 1) <= deadline);
    }
}
