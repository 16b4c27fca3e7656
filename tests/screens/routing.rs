//! Before sending: where the call goes and who is there, said before the button; and keys that send what was meant, once.

use std::time::Duration;

use rstest::rstest;
use umbel::call::{CallState, Fact, LONGEST_WAIT};
use umbel::client::{Command, Event};
use umbel::cluster::{Answer, Heard};
use umbel::error::{Error, Kind};
use umbel::protocol::control::{Conf, ConsumedQueue};
use umbel::protocol::{NodeName, QueueName, TaskId};
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;

use crate::looks::{look, running, small};
use crate::rules::{says, sent, shop};
use crate::stage::{CAST, Stage, started};

const SECOND: Duration = Duration::from_secs(1);

fn large() -> Stage {
    Stage::new(160, 48).shop()
}

fn after(mut stage: Stage, keys: &str) -> Stage {
    stage.keys(keys);
    stage
}

fn unknown(stage: &mut Stage, queue: &str, why: &str) {
    stage.heard(Heard::Depth {
        queue: QueueName::from(queue),
        depth: Err(why.to_owned()),
        took: Duration::ZERO,
    });
}

fn answers(stage: &mut Stage, node: &str, answer: Answer) {
    stage.heard(Heard::Answer {
        node: NodeName::from(node),
        answer,
        took: Duration::from_millis(4),
    });
}

/// The first task of the list ignores its result.
fn ignoring(stage: &mut Stage) {
    for cast in &CAST {
        let values = cast.tasks.iter();
        let values = values.map(|name| ((*name).into(), "True".to_owned()));
        let answer = Answer::Item {
            item: "ignore_result".to_owned(),
            values: values.collect(),
        };
        answers(stage, cast.name, answer);
    }
}

/// All workers read two more queues, bound to one exchange.
fn news(stage: &mut Stage) {
    let queue = |name: &str| ConsumedQueue {
        name: QueueName::from(name),
        exchange: "news".to_owned(),
        exchange_type: Some("fanout".to_owned()),
        ..ConsumedQueue::default()
    };
    let queues = vec![queue("news.a"), queue("news.b")];
    answers(stage, "w1@stg-1", Answer::Queues(queues));
    stage.depth("news.a", 7, 1);
    stage.depth("news.b", 0, 0);
}

/// Queues whose depth was asked for.
fn asked(stage: &Stage) -> Vec<&str> {
    stage
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Client(Command::Queue(queue)) => Some(queue.as_str()),
            _ => None,
        })
        .collect()
}

fn revokes(stage: &Stage) -> Vec<bool> {
    let terminate = |effect: &Effect| match effect {
        Effect::Client(Command::Revoke { terminate, .. }) => Some(*terminate),
        _ => None,
    };
    stage.effects.iter().filter_map(terminate).collect()
}

/// A key is held down: once, and after `delay` again and again.
fn hold(stage: &mut Stage, key: &str, delay: u64) {
    stage.fast_keys(key);
    stage.pass(Duration::from_millis(delay));
    for _ in 0..90 {
        stage.fast_keys(key);
        stage.now = stage.now.plus(Duration::from_millis(33));
        stage.tell(Message::Tick);
    }
}

// What is said

#[test]
fn the_form_says_where_the_call_goes() {
    for (size, stage) in [("", small as fn() -> Stage), ("_large", large)] {
        let mut lost = after(stage(), "Enter 1 Enter");
        lost.depth("default", 12, 0);
        look(&format!("routing_no_consumer{size}"), &lost);
        let mut dark = after(stage(), "Enter 1 Enter");
        unknown(&mut dark, "default", "access to queue 'default' refused");
        look(&format!("routing_unknown{size}"), &dark);
        look(
            &format!("routing_partly{size}"),
            &after(stage(), "j j Enter 1 Enter"),
        );
        let mut quiet = after(stage(), "Enter 1 Enter");
        ignoring(&mut quiet);
        look(&format!("routing_not_kept{size}"), &quiet);
        let mut fan = stage();
        news(&mut fan);
        look(
            &format!("routing_exchange{size}"),
            &after(fan, "Enter 1 Esc o i news Enter Esc o"),
        );
    }
}

#[test]
fn a_queue_that_loses_its_last_reader_is_told_at_once_in_the_open_form() {
    let mut stage = after(shop(), "Enter 1 Enter");
    assert!(says(&stage, "queue default · 3 readers"));
    stage.depth("default", 12, 0);
    assert!(says(&stage, "queue default · no reader · 12 waiting"));
    assert!(says(&stage, "queue default: no worker reads it"));
    stage.depth("default", 12, 1);
    assert!(says(&stage, "queue default · 1 reader · 12 waiting"));
}

#[test]
fn what_keeps_a_result_from_being_kept_is_named() {
    let mut stage = after(shop(), "Enter 1 Enter");
    ignoring(&mut stage);
    assert!(says(&stage, "result not kept (the task's ignore_result)"));
    let conf = Conf {
        default_queue: Some("default".to_owned()),
        ignore_result: Some(true),
        ..Conf::default()
    };
    answers(&mut stage, "w1@stg-1", Answer::Conf(Box::new(conf)));
    assert!(says(&stage, "result not kept (task_ignore_result)"));
    stage.event(Event::Results(umbel::backend::Results::Disabled));
    assert!(says(&stage, "result not kept (no result backend)"));
}

#[test]
fn a_queue_is_asked_about_when_its_name_is_complete_and_not_before() {
    let mut stage = after(shop(), "Enter 1 Enter Tab Tab Tab elsewhere");
    assert_eq!(asked(&stage), Vec::<&str>::new());
    stage.keys("Tab");
    stage.pass(3 * SECOND);
    assert_eq!(asked(&stage), ["elsewhere"], "once");
    stage.pass(5 * SECOND);
    assert_eq!(asked(&stage).len(), 2, "and again where nobody answers");
}

#[test]
fn a_call_to_a_queue_just_named_waits_for_the_answer_of_the_broker() {
    let mut stage = after(shop(), "Enter 1 Enter Tab Tab Tab elsewhere F5");
    assert_eq!(asked(&stage), ["elsewhere"]);
    assert!(says(&stage, "not sent yet"), "{}", stage.screen());
    let mut missing = after(shop(), "Enter 1 Enter Tab Tab Tab elsewhere F5");
    missing.depth("elsewhere", 0, 0);
    missing.pass(SECOND);
    missing.keys("F5");
    assert!(
        sent(&missing).is_empty(),
        "now a reason not to send is known"
    );
    assert!(says(&missing, "queue elsewhere: no worker reads it"));
    stage.depth("elsewhere", 0, 1);
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn where_no_answer_comes_the_second_press_sends() {
    let mut stage = after(shop(), "Enter 1 Enter Tab Tab Tab elsewhere F5");
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn a_keyword_named_self_is_told_and_wants_a_second_press() {
    let mut stage = after(shop(), "Enter self=1 Enter");
    assert!(says(&stage, "self= always ends as a TypeError"));
    assert!(says(&stage, "1 warning"));
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
    let call = stage.state.shared.calls.get(&stage.last_id()).unwrap();
    assert_eq!(call.warnings.len(), 1, "{:?}", call.warnings);
}

#[test]
fn what_cannot_be_written_is_told_before_it_is_sent() {
    let mut stage = shop();
    stage.keys("Enter");
    stage.paste(r#"x:={"__type__": "money", "__value__": "1"}"#);
    assert!(says(&stage, "1 problem"), "{}", stage.screen());
    assert!(says(&stage, "money"));
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
}

// Sending once

#[test]
fn five_quick_presses_send_once() {
    let mut stage = after(shop(), "Enter 1");
    stage.fast_keys("F5 F5 F5 F5 F5");
    assert_eq!(sent(&stage).len(), 1);
    let mut stage = after(shop(), "Enter 1 Esc");
    stage.fast_keys("c c c c c");
    assert_eq!(sent(&stage).len(), 1);
}

#[rstest]
#[case("Enter 1 Enter Enter", "Enter")]
#[case("Enter 1 Esc", "F5")]
#[case("Enter 1 Esc", "c")]
fn a_held_key_sends_once(#[case] keys: &str, #[case] key: &str) {
    for delay in [100, 250, 410, 500, 660] {
        let mut stage = after(shop(), keys);
        hold(&mut stage, key, delay);
        assert_eq!(sent(&stage).len(), 1, "{key} {delay}");
    }
}

#[rstest]
#[case("Enter 1 Enter Tab Tab Tab legacy Tab", "Enter")]
#[case("Enter 1 Enter Tab Tab Tab legacy Tab", "F5")]
#[case("Enter x=None Enter Esc", "c")]
fn a_held_key_sets_no_warning_aside(#[case] keys: &str, #[case] key: &str) {
    for delay in [100, 250, 410, 500, 660] {
        let mut stage = after(shop(), keys);
        hold(&mut stage, key, delay);
        assert!(sent(&stage).is_empty(), "{key} {delay}");
    }
}

#[test]
fn a_paste_with_line_breaks_sends_nothing() {
    for keys in ["Enter", "Enter 1 Enter", "Enter 1 Enter Enter", "Enter Esc"] {
        let mut stage = after(shop(), keys);
        stage.pass(SECOND);
        stage.paste("1\n2\n\n\n3\r\n\r\nc\n");
        assert!(sent(&stage).is_empty(), "{keys}");
        let mut stage = after(shop(), keys);
        stage.pass(SECOND);
        stage.burst("1 Enter Enter Enter c Enter Enter");
        assert!(sent(&stage).is_empty(), "{keys}, without brackets");
    }
}

#[test]
fn a_key_on_its_way_does_not_overrun_a_warning_that_just_appeared() {
    let mut stage = after(shop(), "Enter 1 Esc");
    unknown(&mut stage, "default", "refused");
    stage.fast_keys("F5");
    assert!(sent(&stage).is_empty());
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn what_was_known_before_deafens_no_key() {
    let mut stage = after(shop(), "j j Enter 1 Esc");
    assert!(says(&stage, "registered on 1 of 2 workers"));
    stage.depth("default", 13, 3);
    stage.fast_keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

// A call under way

#[rstest]
#[case("250ms", 250)]
#[case(".25", 250)]
#[case("1.25", 1_250)]
fn a_timeout_below_a_second_is_kept_exactly(#[case] typed: &str, #[case] ms: u64) {
    let mut stage = after(shop(), "Enter 1 Enter Tab");
    stage.keys(&format!("{typed} F5"));
    stage.fact(Fact::Publishing);
    stage.fact(Fact::Confirmed);
    let id = stage.last_id();
    let state = |stage: &Stage| stage.state.shared.calls.get(&id).unwrap().state();
    stage.now = stage.now.plus(Duration::from_millis(ms - 1));
    stage.tell(Message::Tick);
    assert_eq!(state(&stage), CallState::Sent);
    stage.now = stage.now.plus(Duration::from_millis(1));
    stage.tell(Message::Tick);
    assert_eq!(state(&stage), CallState::Timeout);
}

#[test]
fn a_0_waits_without_limit_and_minus_comes_back() {
    let mut stage = running(shop());
    let timeout = |stage: &Stage| {
        let call = stage.state.shared.calls.get(&stage.last_id());
        call.unwrap().timeout
    };
    stage.keys("0");
    assert_eq!(timeout(&stage), LONGEST_WAIT);
    assert!(says(&stage, "no limit (24h)"), "{}", stage.screen());
    stage.keys("+");
    assert_eq!(timeout(&stage), LONGEST_WAIT);
    stage.keys("-");
    assert!(timeout(&stage) < 20 * SECOND);
    assert!(says(&stage, "waits 10s more"));
}

#[test]
fn a_0_waits_again_after_the_timeout() {
    let mut stage = running(shop());
    stage.pass(20 * SECOND);
    assert!(says(&stage, "TIMEOUT"));
    stage.keys("0");
    assert!(says(&stage, "no limit (24h)"), "{}", stage.screen());
}

#[test]
fn a_capital_t_kills_after_the_question_and_nothing_else_does() {
    for (key, expected) in [("t", vec![]), ("T", vec![true]), ("Y", vec![false])] {
        let mut stage = after(running(shop()), "X");
        assert!(says(&stage, "T kill it too"), "{}", stage.screen());
        stage.pass(SECOND);
        stage.keys(key);
        stage.keys("Esc");
        assert_eq!(revokes(&stage), expected, "{key}");
    }
    let mut stage = running(shop());
    stage.keys("X");
    stage.fast_keys("T");
    assert!(revokes(&stage).is_empty(), "deaf at first");
}

#[test]
fn a_question_whose_answer_changed_is_deaf_again() {
    let mut stage = after(shop(), "Enter");
    stage.send();
    let id = stage.last_id();
    stage.keys("X");
    stage.pass(SECOND);
    stage.fact(started(&id));
    assert!(says(&stage, "started: it will go on"));
    stage.fast_keys("Y");
    assert!(revokes(&stage).is_empty());
    stage.pass(SECOND);
    stage.keys("Y");
    assert_eq!(revokes(&stage), [false]);
}

fn heard(stage: &mut Stage, id: &TaskId, node: &str, answer: Result<&str, &str>) {
    stage.event(Event::Revoked {
        id: id.clone(),
        node: NodeName::from(node),
        answer: answer.map(str::to_owned).map_err(str::to_owned),
    });
}

#[test]
fn after_a_revoke_it_is_said_which_workers_answered() {
    let mut stage = after(running(shop()), "X");
    let id = stage.last_id();
    stage.pass(SECOND);
    stage.keys("T");
    let words = |stage: &Stage| {
        stage
            .state
            .shared
            .revokes
            .get(&id)
            .map(umbel::tui::state::Revoke::words)
    };
    // Also who does not answer just now: it may run it.
    let silent = "revoke and kill: no answer from w1@stg-1, w2@stg-4, w3@stg-9";
    assert_eq!(words(&stage).as_deref(), Some(silent));
    assert!(says(&stage, "revoke and kill: no answer from"));
    heard(&mut stage, &id, "w1@stg-1", Ok("terminate: tasks unknown"));
    assert!(says(&stage, "no worker that answered runs it"));
    heard(&mut stage, &id, "w2@stg-4", Ok("terminate: c7a31f09"));
    let all = "revoke and kill: heard by w1@stg-1, w2@stg-4; no answer from w3@stg-9";
    assert_eq!(words(&stage).as_deref(), Some(all));
    assert!(!says(&stage, "no worker that answered runs it"));
    look("revoke_answers", &stage);
    let reason = Error::new(Kind::Unsent, "the broker is down");
    let failed = id.clone();
    stage.event(Event::RevokeFailed { id: failed, reason });
    assert!(!says(&stage, "heard by"), "{}", stage.screen());
}
