//! How far the message of a call got.

use super::*;
use crate::call::Fact;

#[test]
fn a_result_before_the_confirm_counts() {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(success(), at(3));
    call.apply(Fact::Confirmed, at(4));
    assert_eq!((call.state(), call.sent()), (CallState::Ok, Some(true)));
    assert_eq!(call.elapsed(at(9)), Some(Duration::from_millis(3)));
}

#[test]
fn what_was_ordered_may_be_sent_and_waits_in_its_queue_only_from_when_it_is_published() {
    let mut call = draft();
    call.apply(Fact::Ordered, at(0));
    let document = serde_json::to_value(CallDocument::new(&call, false, at(1))).unwrap();
    assert_eq!((call.state(), call.sent()), (CallState::Send, None));
    assert!(document["sent_at"].is_null(), "{document}");
    let mut left = call.clone();
    left.abandoned(at(0), at(5_000));
    assert_eq!(left.state(), CallState::Detached);
    assert!(!left.is_strange(), "it was sent from here, if at all");
    call.apply(Fact::Publishing, at(900));
    call.apply(Fact::Confirmed, at(902));
    call.apply(success(), at(910));
    assert_eq!(call.timeline.total(), Some(Duration::from_millis(10)));
}

#[test]
fn a_lost_confirm_is_neither_sent_nor_unsent_until_something_is_heard() {
    let mut call = draft();
    call.apply(Fact::Publishing, at(0));
    call.apply(
        Fact::Unknown(Error::new(Kind::UnknownDelivery, "reset")),
        at(5),
    );
    assert_eq!(
        (call.state(), call.sent()),
        (CallState::UnknownDelivery, None)
    );
    call.tick(at(20_000));
    let document = CallDocument::new(&call, false, at(20_000));
    assert_eq!(
        (document.state.as_str(), document.exit),
        ("unknown_delivery", 12)
    );
    call.apply(success(), at(21_000));
    assert_eq!((call.state(), call.sent()), (CallState::LateOk, Some(true)));
}

#[rstest]
#[case(Kind::Unsent, CallState::Unsent, 4)]
#[case(Kind::BackendUnreachable, CallState::Draft, 4)]
#[case(Kind::NoWorker, CallState::Draft, 6)]
#[case(Kind::Config, CallState::Draft, 11)]
fn what_was_not_sent_says_who_refused_it(
    #[case] kind: Kind,
    #[case] state: CallState,
    #[case] exit: u8,
) {
    let mut call = draft();
    call.apply(Fact::Unsent(Error::new(kind, "no")), at(1));
    let document = CallDocument::new(&call, false, at(50));
    assert_eq!(
        (call.state(), call.sent(), document.exit),
        (state, Some(false), exit)
    );
}

#[test]
fn a_returned_message_names_exchange_and_key() {
    let mut call = sent();
    call.route = Some(Route {
        exchange: "shop".to_owned(),
        routing_key: "a.b".to_owned(),
    });
    call.apply(Fact::Returned("312 NO_ROUTE".to_owned()), at(9));
    let message = call.trouble.unwrap().message;
    assert!(
        message.contains("\"a.b\"") && message.contains("\"shop\""),
        "{message}"
    );
}
