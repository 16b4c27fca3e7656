//! Why a link is down, taken apart: which server, and what went wrong there. Reads the words of [`crate::server`] for people.

/// `result backend redis://localhost:6379/0: connection refused`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cause<'a> {
    /// `localhost:6379`, where it is named.
    server: Option<&'a str>,
    /// `connection refused`.
    pub what: &'a str,
}

impl<'a> Cause<'a> {
    /// Of such words; those that name no address are the cause as they are.
    pub fn of(reason: &'a str) -> Self {
        let named = reason.split_once(": ").and_then(|(head, what)| {
            let (_, rest) = head.rsplit(' ').next()?.split_once("://")?;
            Some((rest, what))
        });
        let (rest, what) = named.unwrap_or(("", reason));
        let server = rest.split('/').next().filter(|server| !server.is_empty());
        Self { server, what }
    }

    /// Whether both are of one server, or went wrong in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        let same = self.server.is_some() && self.server == other.server;
        same || self.what == other.what
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "broker redis://localhost:6379/0: connection refused",
        Some("localhost:6379"),
        "connection refused"
    )]
    #[case(
        "result backend redis://h/1: connection lost: it ended",
        Some("h"),
        "connection lost: it ended"
    )]
    #[case("connection refused", None, "connection refused")]
    #[case("connection lost: it ended", None, "connection lost: it ended")]
    #[case("broker redis+socket:///run/r.sock: no", None, "no")]
    #[case("", None, "")]
    fn the_address_is_no_part_of_what_went_wrong(
        #[case] reason: &str,
        #[case] server: Option<&str>,
        #[case] what: &str,
    ) {
        assert_eq!(Cause::of(reason), Cause { server, what });
    }

    #[test]
    fn what_goes_down_with_its_server_goes_down_alike() {
        let broker = Cause::of("broker redis://h:1/0: connection lost: x");
        assert!(broker.is_like(&Cause::of(
            "result backend redis://h:1/3: connection refused"
        )));
        assert!(!broker.is_like(&Cause::of(
            "result backend redis://h:2/3: connection refused"
        )));
    }
}
