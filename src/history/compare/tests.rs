//! What two calls have in common is said, and nothing more: what cannot be compared is never called equal.

use super::*;
use crate::call::{Call, Fact, Repr};
use crate::clock::Now;
use crate::history::record::tests::record;
use crate::history::{Known, Scribe};
use crate::protocol::result::State;
use crate::protocol::{Options, Signature};
use proptest::prelude::*;

fn made(id: &str, kwargs: &[(&str, Json)]) -> Record {
    let now = Now::fixed(Duration::from_secs(1_000));
    let signature = Signature {
        task: "shop.refund".into(),
        id: id.into(),
        args: Vec::new(),
        kwargs: kwargs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), now);
    call.apply(Fact::Publishing, now);
    call.apply(Fact::Confirmed, now);
    Record::of(&call, &Scribe::default(), Known::default(), now)
}

fn ended(id: &str, kwargs: &[(&str, Json)], value: Kept) -> Record {
    let mut record = made(id, kwargs);
    record.state = CallState::Ok;
    record.answer = Some(crate::history::record::Answer {
        state: State::Success,
        value,
        exception: None,
        traceback: None,
        done_at: None,
        worker: None,
        pid: None,
        retries: None,
        size: 9,
        form: crate::protocol::payload::Form::default(),
        opaque: None,
    });
    record
}

fn whole(text: &str) -> Kept {
    Kept::Whole(Json::parse_strict(text).unwrap())
}

fn part<'a>(comparison: &'a Comparison, name: &str) -> &'a Part {
    let mut parts = comparison.parts.iter();
    parts.find(|part| part.name == name).unwrap()
}

#[test]
fn what_a_task_tells_while_it_runs_is_no_result() {
    let mut one = ended("a", &[], whole("{\"pid\": 1}"));
    one.state = CallState::Timeout;
    one.answer.as_mut().unwrap().state = State::Started;
    let other = ended("b", &[], whole("8"));
    let comparison = compare(&one, &other);
    assert_eq!(part(&comparison, "result").sameness, Sameness::Unknown);
    assert_eq!(whole_result(&one), Err(NOT_KNOWN));
}

#[test]
fn equal_calls_are_the_same_and_others_are_told_part_by_part() {
    let one = ended("a", &[("x", Json::from(1_u64))], whole("{\"a\": [1, 2]}"));
    let mut other = ended("b", &[("x", Json::from(1_u64))], whole("{\"a\": [1, 2]}"));
    assert_eq!(compare(&one, &other).sameness(), Sameness::Same);
    other.signature.kwargs[0].1 = Json::from(2_u64);
    other.signature.args = vec![Json::Null];
    other.answer.as_mut().unwrap().value = whole("{\"a\": [1, 3]}");
    other.state = CallState::LateOk;
    other.queue = Some("slow".into());
    let comparison = compare(&one, &other);
    assert_eq!(
        part(&comparison, "arguments").lines,
        ["args[0]: nothing -> null", "x: 1 -> 2"]
    );
    assert_eq!(part(&comparison, "result").lines, ["a[1]: 2 -> 3"]);
    assert_eq!(part(&comparison, "outcome").lines, ["OK -> LATE OK"]);
    assert_eq!(
        part(&comparison, "options").lines,
        ["published to: ? -> slow"]
    );
    assert_eq!(comparison.sameness(), Sameness::Different);
}

#[test]
fn what_is_masked_is_never_called_equal_nor_different() {
    let secret = |text: &str| [("password", Json::from(text))];
    let [one, other] = ["a", "b"].map(|id| ended(id, &secret("hunter2xyz"), whole("1")));
    let comparison = compare(&one, &other);
    let arguments = part(&comparison, "arguments");
    assert_eq!(arguments.sameness, Sameness::Unknown);
    assert_eq!(arguments.lines, ["password: masked, not compared"]);
    assert_eq!(comparison.sameness(), Sameness::Unknown);
    let plain = ended("c", &[("password", Json::Null)], whole("1"));
    let comparison = compare(&one, &plain);
    assert_eq!(part(&comparison, "arguments").sameness, Sameness::Unknown);
    let told = |id: &str| ended(id, &secret("hunter2xyz"), whole("\"it was ***\""));
    let comparison = compare(&told("a"), &told("b"));
    assert_eq!(part(&comparison, "result").sameness, Sameness::Unknown);
}

#[test]
fn what_was_cut_is_never_called_equal() {
    let cut = |beginning: &str| Kept::Cut {
        bytes: 5 << 20,
        beginning: beginning.to_owned(),
    };
    let of = |one: Kept, other: Kept| {
        let comparison = compare(&ended("a", &[], one), &ended("b", &[], other));
        part(&comparison, "result").sameness
    };
    assert_eq!(of(cut("[1"), cut("[1")), Sameness::Unknown);
    assert_eq!(of(cut("[1"), cut("[2")), Sameness::Different);
    assert_eq!(of(cut("[1"), whole("[1]")), Sameness::Different);
    let mut large = ended("a", &[], whole("1"));
    large.arguments_cut = Some(9 << 20);
    let comparison = compare(&large, &large.clone());
    assert_eq!(comparison.sameness(), Sameness::Unknown);
}

#[test]
fn an_outcome_that_is_not_known_is_said_so() {
    let comparison = compare(&made("a", &[]), &ended("b", &[], whole("1")));
    assert_eq!(part(&comparison, "outcome").sameness, Sameness::Unknown);
    assert_eq!(
        part(&comparison, "result").lines,
        ["before: its result is not known"]
    );
    let logged = |id: &str, text: &str| {
        let mut record = made(id, &[]);
        record.state = CallState::Ok;
        record.repr = Some(Repr::new(text.to_owned()));
        record
    };
    let same = compare(&logged("a", "[1]"), &logged("b", "[1]"));
    assert_eq!(part(&same, "result").sameness, Sameness::Unknown);
    let other = compare(&logged("a", "[1]"), &logged("b", "[2]"));
    assert_eq!(part(&other, "result").sameness, Sameness::Different);
}

#[test]
fn the_call_that_was_made_first_comes_first() {
    let mut early = made("early", &[]);
    early.times.created = Timestamp::UNIX_EPOCH;
    let late = made("late", &[]);
    for comparison in [compare(&early, &late), compare(&late, &early)] {
        assert_eq!(comparison.before.id, "early".into());
    }
}

proptest! {
    #[test]
    fn no_two_records_are_too_odd_and_one_is_never_different_from_itself(one in record(), other in record()) {
        prop_assert_ne!(compare(&one, &one).sameness(), Sameness::Different);
        let comparison = compare(&one, &other);
        for line in comparison.parts.iter().flat_map(|part| &part.lines) {
            prop_assert!(line.chars().count() < 4_000, "{line}");
        }
    }
}
