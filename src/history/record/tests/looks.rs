//! What a record keeps of the last look at a call.

use super::*;

/// A look at `ms` that found the call nowhere.
fn lost(ms: u64) -> Look {
    Look {
        at: now(ms),
        state: Some(CallState::Lost),
        inferred: true,
    }
}

#[test]
fn what_the_last_look_concluded_is_listed_until_something_is_told() {
    let mut call = plain(Vec::new());
    let sent = Record::of(&call, &scribe(), Known::default(), now(5));
    call.looked = Some(lost(900));
    let looked = sent.looked_for(&call, &Json::Null);
    assert_eq!(
        (sent.listed(), looked.listed()),
        (CallState::Sent, CallState::Lost)
    );
    assert_eq!(looked.state, CallState::Sent, "what was told stays");
    assert!(looked.is_open());
    let mut kept = sent.clone();
    kept.join(looked.clone());
    assert_eq!(kept, looked, "it is added to what was there");
    assert_eq!(looked.revision(), sent.revision(), "and is no later record");
    // Another umbel listens for it, and hears of it.
    let mut picked = looked.pick_up(now(9_000));
    assert_eq!(picked.concluded(), CallState::Lost);
    let heard = |call: &Call, ms| Record::after(&looked, call, &scribe(), now(ms));
    assert_eq!(heard(&picked, 9_000).listed(), CallState::Lost);
    let held = HeldTask {
        id: picked.id().clone(),
        name: picked.signature.task.clone(),
        started: None,
        acknowledged: false,
        pid: None,
        redelivered: false,
    };
    let seen = Fact::Seen {
        place: At::Reserved,
        node: "w1@h".into(),
        task: held,
    };
    picked.apply(seen, now(9_100));
    assert_eq!(heard(&picked, 9_100).listed(), CallState::Detached);
    picked.looked = Some(lost(9_200));
    assert_eq!(heard(&picked, 9_200).listed(), CallState::Lost);
    picked.apply(returned(Json::from(5)), now(9_300));
    let ended = heard(&picked, 9_300);
    assert_eq!(ended.listed(), CallState::Ok);
    assert!(ended.revision() > looked.revision());
}

#[test]
fn who_waits_again_has_not_looked_yet() {
    let mut call = plain(Vec::new());
    call.tick(now(11_000));
    call.looked = Some(lost(11_100));
    assert_eq!(call.concluded(), CallState::Lost);
    call.set_timeout(Duration::from_mins(1), now(12_000));
    assert_eq!(call.concluded(), CallState::Sent);
}

#[test]
fn when_a_call_was_heard_of_last_is_not_when_that_was_written_down() {
    let call = plain(Vec::new());
    let record = Record::of(&call, &scribe(), Known::default(), now(5_000));
    let heard = record.times.heard().map(|point| point.wall);
    assert_eq!(heard, Some(now(2).wall), "the broker confirmed it");
}

#[test]
fn why_a_look_found_a_call_nowhere_is_not_kept_where_it_may_quote_a_secret() {
    let secret = vec![("password".to_owned(), Json::from("x"))];
    let mut call = plain(secret);
    let record = Record::of(&call, &Scribe::default(), Known::default(), now(5));
    call.looked = Some(lost(900));
    let looked = record.looked_for(&call, &Json::from("it says hunter2xyz"));
    assert_eq!((looked.listed(), looked.diagnosis), (CallState::Lost, None));
}

#[test]
fn who_listens_in_the_place_of_another_and_heard_nothing_has_no_later_record() {
    let mut call = plain(Vec::new());
    call.tick(now(10_002));
    let earlier = Record::of(&call, &scribe(), Known::default(), now(10_002));
    // The one that made it lives, and is told to wait longer.
    call.set_timeout(Duration::from_mins(1), now(20_000));
    let longer = Record::of(&call, &scribe(), Known::default(), now(20_000));
    let mut picked = earlier.pick_up(now(15_000));
    picked.looked = Some(lost(30_000));
    let look = Record::after(&earlier, &picked, &scribe(), now(30_000));
    let mut kept = longer.clone();
    kept.join(look.clone());
    assert_eq!((kept.waited, kept.timeout), (Waited::Yes, longer.timeout));
    assert_eq!(kept.looked, look.looked);
    // It hears something, and looks again much later: all that it wrote is as old as what it heard.
    picked.apply(failed("no", ""), now(31_000));
    let ended = Record::after(&earlier, &picked, &scribe(), now(90_000));
    assert_eq!(ended.times.recorded.wall, now(31_000).wall);
    kept.join(ended);
    assert_eq!(kept.state, CallState::LateFail);
}
