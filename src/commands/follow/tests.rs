//! What is told of calls that somebody else made: their ends, doubts, and results that are not whole.

use super::*;
use crate::call::Waiting;
use crate::history::Known;
use crate::protocol::{Json, State, TaskResult};

const UNTIL: Patience = Patience::Until(Duration::from_mins(1));

fn at(secs: u64) -> Now {
    Now::fixed(Duration::from_secs(1_000_000 + secs))
}

/// A call that timed out after 10 s; an hour later it is waited for, for a minute.
fn followed() -> Followed {
    let mut call = Call::new(nameless("a".into()), Duration::from_secs(10), at(0));
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(0));
    call.tick(at(11));
    let record = Record::of(&call, &Scribe::default(), Known::default(), at(11));
    let mut followed = Followed::new("a".into(), Some(Box::new(record)), at(3_590));
    followed.begin(UNTIL, at(3_600));
    followed
}

#[test]
fn the_time_of_the_command_counts_and_not_that_of_the_call() {
    let mut followed = followed();
    followed.hear(Fact::BackendBack, at(3_601));
    followed.tick(UNTIL, at(3_601));
    let around = Around::default();
    let line = progress::moving(&followed.call, &around, Duration::from_secs(1), at(3_601));
    assert!(line.contains("of 1m"), "{line}");
    followed.tick(UNTIL, at(3_659));
    assert_eq!(followed.spent, None);
    followed.tick(UNTIL, at(3_660));
    assert_eq!(followed.spent, Some(at(3_660)));
    // Asked once more, somebody answers.
    followed.hear(Fact::NotStored, at(3_661));
    assert_eq!(followed.call.waiting, Waiting::TimedOut(at(3_660)));
    let words = followed.words(UNTIL, &around, false, at(3_661));
    assert!(words.starts_with("TIMEOUT 1m"), "{words}");
    let document = followed.document(UNTIL, &around, at(3_661));
    assert_eq!(document["state"], "timeout", "{document}");
    assert_eq!(document["timeout_ms"], 60_000, "{document}");
    assert_eq!(document["exit"], 3, "{document}");
}

#[test]
fn a_late_end_is_not_kept_where_it_may_quote_a_secret_that_is_not_known_here() {
    let mut signature = nameless("a".into());
    signature.kwargs = vec![("password".to_owned(), Json::from("hunter2xyz"))];
    let mut call = Call::new(signature, Duration::from_secs(10), at(0));
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(0));
    call.detach(at(1));
    let record = Record::of(&call, &Scribe::default(), Known::default(), at(1));
    let mut followed = Followed::new("a".into(), Some(Box::new(record)), at(100));
    let document = br#"{"task_id": "a", "status": "FAILURE", "traceback": "wrong: hunter2xyz", "children": [],
        "result": {"exc_type": "ValueError", "exc_module": "builtins", "exc_message": ["wrong: hunter2xyz"]}}"#;
    let read = TaskResult::parse(document, None, &"a".into());
    followed.hear(Fact::Result(Box::new(read.unwrap())), at(101));
    let told = followed.call.headline().unwrap();
    assert!(told.contains("hunter2xyz"), "it was asked for: {told}");
    let learned = followed.learned(&Around::default(), at(101)).unwrap();
    assert!(
        !format!("{learned:?}").contains("hunter2xyz"),
        "{learned:?}"
    );
    assert_eq!(learned.state, crate::call::CallState::Fail);
    assert_eq!(
        learned.headline.as_deref(),
        Some("ValueError: not kept: it may quote a secret")
    );
    assert_eq!(learned.masked.len(), 1);
}

#[test]
fn an_id_that_nobody_knows_is_waited_for_as_long() {
    let mut followed = Followed::new("b".into(), None, at(0));
    followed.begin(UNTIL, at(0));
    followed.hear(Fact::NotStored, at(1));
    followed.tick(UNTIL, at(59));
    assert_eq!(
        (followed.spent, followed.call.waiting),
        (None, Waiting::Yes)
    );
    followed.tick(UNTIL, at(60));
    assert_eq!(followed.spent, Some(at(60)));
}

#[test]
fn the_beginning_of_an_id_and_a_revoke_that_nobody_saw_are_doubted() {
    let mut followed = Followed::new("3e19c7d1".into(), None, at(0));
    followed.begin(Patience::Now, at(0));
    followed.hear(Fact::NotStored, at(1));
    let document = followed.document(Patience::Now, &Around::default(), at(2));
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("the beginning of no call"), "{warnings}");
    let revoked = TaskResult {
        state: State::Revoked,
        ..result("3e19c7d1", Json::Null)
    };
    followed.hear(Fact::Result(Box::new(revoked)), at(3));
    let doubts = followed.doubts();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].contains("never existed"), "{doubts:?}");
    assert_eq!(
        Followed::new("order-1".into(), None, at(0)).doubts().len(),
        0
    );
}

fn result(id: &str, value: Json) -> TaskResult {
    TaskResult {
        size: 4,
        ..TaskResult::new(id.into(), State::Success, value)
    }
}

#[test]
fn a_result_that_was_too_large_to_keep_is_asked_for_and_else_not_known() {
    let mut call = Call::new(nameless("a".into()), Duration::from_secs(10), at(0));
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(0));
    let large = || {
        Fact::Result(Box::new(TaskResult {
            size: 5 << 20,
            ..TaskResult::new("a".into(), State::Success, Json::from("x".repeat(5 << 20)))
        }))
    };
    call.apply(large(), at(2));
    let record = Record::of(&call, &Scribe::default(), Known::default(), at(2));
    let told = [Some(Box::new(record.clone()))];
    let output = Output::detect(crate::commands::output::Form::Json);
    assert_eq!(
        from_history(output, &told, &Shape::default(), at(9)),
        None,
        "it is asked for"
    );
    let asked = || {
        let record = Some(Box::new(record.clone()));
        let mut followed = Followed::new("a".into(), record, at(9));
        followed.begin(Patience::Now, at(9));
        assert!(!followed.over(Patience::Now, &Around::default(), at(9)));
        followed
    };
    let mut had = asked();
    had.hear(large(), at(10));
    had.settle(at(10));
    assert!(had.call.value().is_some());
    let total = had.call.timeline.total();
    assert_eq!(total, Some(Duration::from_secs(2)), "it ended when it did");
    let mut gone = asked();
    gone.hear(Fact::NotStored, at(10));
    assert!(gone.over(Patience::Now, &Around::default(), at(11)));
    gone.settle(at(11));
    assert_eq!((gone.call.value(), gone.exit()), (None, 0));
    assert!(
        had.learned(&Around::default(), at(12)).is_none()
            && gone.learned(&Around::default(), at(12)).is_none()
    );
}

#[test]
fn what_a_look_came_to_is_kept_and_nothing_else_of_a_call_that_has_not_ended() {
    let mut call = Call::new(nameless("a".into()), Duration::from_secs(10), at(0));
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(0));
    let record = Record::of(&call, &Scribe::default(), Known::default(), at(1));
    let followed = || Followed::new("a".into(), Some(Box::new(record.clone())), at(100));
    let around = Around::default();
    assert_eq!(
        followed().learned(&around, at(101)),
        None,
        "nobody was asked"
    );
    let mut asked = followed();
    asked.inquire(at(100));
    asked.hear(Fact::Asked, at(100));
    let learned = asked.learned(&around, at(101)).unwrap();
    let look = learned.looked.unwrap();
    assert_eq!(look.at.wall, at(101).wall);
    assert!(learned.diagnosis.is_some());
    assert_eq!(learned.revision(), record.revision(), "no later record");
    let rest = Record {
        looked: None,
        diagnosis: None,
        ..learned
    };
    assert_eq!(rest, record);
    let mut elsewhere = followed();
    elsewhere.elsewhere = Some("another broker".to_owned());
    elsewhere.inquire(at(100));
    elsewhere.hear(Fact::Asked, at(100));
    assert_eq!(elsewhere.learned(&around, at(101)), None);
}

#[test]
fn a_revoke_that_the_backend_alone_knows_is_asked_about_before_it_is_doubted() {
    let mut around = Around::default();
    around.cluster.surveyed = true;
    let mut followed = Followed::new("order-1".into(), None, at(0));
    followed.begin(Patience::Now, at(0));
    let revoked = TaskResult {
        state: State::Revoked,
        ..result("order-1", Json::Null)
    };
    followed.hear(Fact::Result(Box::new(revoked)), at(1));
    assert!(!followed.over(Patience::Now, &around, at(1)));
    assert!(followed.wants_inquiry(&around, at(1)));
    followed.inquire(at(1));
    assert!(!followed.wants_inquiry(&around, at(1)));
    let told = followed.doubts();
    assert!(told[0].contains("no worker told"), "{told:?}");
    followed.hear(
        Fact::Answered {
            node: "w1@h".into(),
            looked: crate::call::diagnosis::Looked::Tasks,
            held: true,
            asked: at(1).mono,
        },
        at(2),
    );
    assert!(followed.over(Patience::Now, &around, at(2)));
    assert_eq!(followed.doubts(), [""; 0]);
}

#[test]
fn what_is_known_of_a_call_is_told_where_its_result_cannot_come() {
    let mut followed = followed();
    let why = Error::new(
        Kind::BackendUnreachable,
        "results on rpc:// go to the caller alone",
    );
    followed.has_no_result(&why, at(3_600));
    let around = Around::default();
    let words = followed.words(Patience::Now, &around, false, at(3_601));
    assert!(words.contains("no result: results on rpc://"), "{words}");
    assert!(!words.contains("umbel wait"), "{words}");
    let document = followed.document(Patience::Now, &around, at(3_601));
    assert_eq!(document["state"], "sent", "{document}");
    assert_eq!(document["exit"], 3, "{document}");
    let message = "no result: it is SENT; results on rpc:// go to the caller alone";
    assert_eq!(document["error"]["message"], message, "{document}");
}
