//! How a call ends, and what its document says.

use super::*;

#[rstest]
#[case(success(), CallState::Ok, 0)]
#[case(
    failure("OutOfStock", r#"["x"]"#, r#""Traceback""#),
    CallState::Fail,
    1
)]
#[case(failure("NotRegistered", r#"["t"]"#, "null"), CallState::NoTask, 1)]
#[case(revoked("expired"), CallState::Expired, 7)]
#[case(revoked("revoked"), CallState::Revoked, 7)]
#[case(revoked("terminated"), CallState::Killed, 7)]
fn every_final_result_has_its_state_and_exit_code(
    #[case] fact: Fact,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = sent();
    call.apply(fact, at(100));
    assert_eq!(
        (call.state(), CallDocument::new(&call, false, at(50)).exit),
        (state, exit)
    );
}

#[test]
fn an_interrupted_call_is_130_and_says_interrupted() {
    let call = sent();
    let document = CallDocument::new(&call, true, at(5));
    assert_eq!(
        (document.exit, document.error.unwrap().kind.as_str()),
        (130, "interrupted")
    );
}

#[test]
fn the_document_has_all_its_keys_in_every_state() {
    let keys =
        |call: &Call| match serde_json::to_value(CallDocument::new(call, false, at(50))).unwrap() {
            serde_json::Value::Object(map) => map.keys().cloned().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
    let mut done = sent();
    done.apply(success(), at(40));
    assert_eq!(keys(&draft()), keys(&done));
    assert_eq!(keys(&done).len(), 51);
}

#[test]
fn a_wrong_argument_is_told_from_a_type_error_inside_the_task() {
    let refused = r#""Traceback (most recent call last):\n  File \"/v/celery/app/trace.py\", line 760, in __protected_call__\n    return self.run(*args, **kwargs)\nTypeError: add() missing""#;
    let inside = r#""Traceback (most recent call last):\n  File \"/v/celery/app/trace.py\", line 760, in __protected_call__\n    return self.run()\n  File \"/srv/shop.py\", line 3, in add\nTypeError: x""#;
    for (traceback, expected) in [(refused, true), (inside, false)] {
        let mut call = sent();
        call.apply(failure("TypeError", r#"["x"]"#, traceback), at(9));
        let document = serde_json::to_value(CallDocument::new(&call, false, at(50))).unwrap();
        assert_eq!(document["error"]["argument_error"], expected);
    }
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        Just(started()),
        Just(seen(Place::Reserved)),
        Just(seen(Place::Active)),
        Just(result(
            r#"{"status": "PROGRESS", "result": 1, "traceback": null, "task_id": "x"}"#
        )),
        Just(Fact::BackendLost("x".into())),
        Just(Fact::BackendBack),
        Just(Fact::Confirmed),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_before_and_after_the_end_stays_the_end(before in proptest::collection::vec(any_fact(), 0..12), after in proptest::collection::vec(any_fact(), 0..12)) {
        let mut call = sent();
        for (step, fact) in before.into_iter().enumerate() {
            call.apply(fact, at(10 + step as u64));
        }
        call.apply(success(), at(100));
        let done = call.timeline.done;
        for (step, fact) in after.into_iter().chain([success(), failure("E", "[]", "null")]).enumerate() {
            call.apply(fact, at(200 + step as u64));
        }
        prop_assert_eq!(call.state(), CallState::Ok);
        prop_assert_eq!(call.timeline.done, done);
    }
}

#[rstest]
#[case(Some(State::Success), CallState::Ok, 0)]
#[case(Some(State::Failure), CallState::Fail, 1)]
#[case(Some(State::Revoked), CallState::Revoked, 7)]
fn what_cannot_be_read_ends_the_call_where_its_state_is_sure(
    #[case] told: Option<State>,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = sent();
    let reason = "the result is not readable: too deep".to_owned();
    call.apply(
        Fact::Unreadable {
            reason,
            state: told,
        },
        at(9),
    );
    assert_eq!((call.state(), call.value()), (state, None));
    let document = document(&call);
    assert_eq!(document["exit"], exit);
    assert!(document.to_string().contains("too deep"), "{document}");
    assert!(exit != 0 || document["result_known"] == false, "{document}");
}

#[test]
fn what_cannot_be_read_at_all_may_not_be_the_end() {
    let mut call = sent();
    let reason = "the result is not readable: damaged".to_owned();
    call.apply(
        Fact::Unreadable {
            reason,
            state: None,
        },
        at(9),
    );
    assert_eq!(call.state(), CallState::Sent);
    assert!(call.tick(at(20_000)));
    assert_eq!(document(&call)["exit"], 3);
}

#[test]
fn a_pickled_result_is_shown_and_is_no_value() {
    let pickled = b"\x80\x04}\x94(\x8c\x06status\x94\x8c\x07SUCCESS\x94\x8c\x06result\x94K\x05u.";
    let parsed = TaskResult::parse(pickled, None, &"x".into()).unwrap();
    let mut call = sent();
    call.apply(Fact::Result(Box::new(parsed)), at(9));
    let document = document(&call);
    assert_eq!(
        (&document["state"], &document["exit"]),
        (&"ok".into(), &0.into())
    );
    assert_eq!(
        (&document["result"], &document["result_known"]),
        (&serde_json::Value::Null, &false.into())
    );
    assert_eq!(document["result_form"], "pickle");
    assert!(
        document["result_opaque"].to_string().contains("SUCCESS"),
        "{document}"
    );
}
