//! The rules of the screen: what may move, what may be sent, what must never be lost.

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;
use umbel::backend::Results;
use umbel::broker::{Depth, Held};
use umbel::call::{CallState, Fact};
use umbel::client::{Command, Event, LinkName, LinkState};
use umbel::clock::{Moment, Now, Timestamp};
use umbel::cluster::{Answer, Heard};
use umbel::error::{Error, Kind};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, NodeName, QueueName, TaskId, TaskName};
use umbel::tui::effect::Effect;
use umbel::tui::keymap::Context;
use umbel::tui::message::Message;
use umbel::tui::panes::Pane;

use crate::stage::{CAST, Stage, down, failure, result, started};

const SECOND: Duration = Duration::from_secs(1);

pub fn shop() -> Stage {
    Stage::new(80, 24).shop()
}

/// The orders that went out.
pub fn sent(stage: &Stage) -> Vec<String> {
    let python = |effect: &Effect| match effect {
        Effect::Client(Command::Call(order)) => {
            let signature = &order.signature;
            let task = signature.task.as_str();
            Some(umbel::protocol::python::call(
                task,
                &signature.args,
                &signature.kwargs,
            ))
        }
        _ => None,
    };
    stage.effects.iter().filter_map(python).collect()
}

fn revoked(stage: &Stage) -> Vec<TaskId> {
    let id = |effect: &Effect| match effect {
        Effect::Client(Command::Revoke {
            id,
            terminate: false,
            ..
        }) => Some(id.clone()),
        _ => None,
    };
    stage.effects.iter().filter_map(id).collect()
}

pub fn quit(stage: &Stage) -> bool {
    stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Quit))
}

pub fn says(stage: &Stage, text: &str) -> bool {
    stage.screen().contains(text)
}

fn state_of(stage: &Stage, id: &TaskId) -> CallState {
    stage.state.shared.calls.get(id).expect("a call").state()
}

/// Opens `shop.orders.refund`, which is the second task.
fn open_refund(stage: &mut Stage) {
    stage.keys("j Enter");
}

// The flow

#[test]
fn enter_2_enter_3_enter_f5_sends_the_call() {
    let mut stage = shop();
    stage.keys("Enter 2 Enter 3 Enter F5");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(2, 3)"]);
    assert_eq!(stage.state.focus, Pane::Result);
}

#[test]
fn what_is_being_typed_is_sent_too() {
    let mut stage = shop();
    stage.keys("Enter 2 Enter x=3 F5");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(2, x=3)"]);
}

#[test]
fn enter_on_the_empty_row_goes_to_the_button_and_enter_there_sends() {
    let mut stage = shop();
    stage.keys("Enter 2 Enter Enter");
    assert_eq!(stage.state.context(), Context::CallButton);
    assert!(sent(&stage).is_empty());
    stage.keys("Enter");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(2)"]);
}

#[test]
fn the_button_is_deaf_at_first() {
    let mut stage = shop();
    stage.keys("Enter 2 Enter");
    stage.fast_keys("Enter Enter Enter");
    assert!(sent(&stage).is_empty());
}

#[test]
fn the_send_keys_are_deaf_after_a_send() {
    let mut stage = shop();
    stage.keys("Enter 2 F5");
    stage.fast_keys("2 F5 c c");
    assert_eq!(sent(&stage).len(), 1);
    stage.pass(SECOND);
    stage.keys("c");
    assert_eq!(sent(&stage).len(), 2);
}

#[test]
fn esc_goes_from_typing_to_moving_to_the_tasks_and_keeps_what_was_typed() {
    let mut stage = shop();
    stage.keys("Enter x=4 Esc");
    assert_eq!(stage.state.context(), Context::CallNav);
    stage.keys("Esc");
    assert_eq!(stage.state.focus, Pane::Tasks);
    assert!(says(&stage, "x=4"));
    stage.keys("3 Esc");
    assert_eq!(stage.state.focus, Pane::Call);
}

#[test]
fn each_task_keeps_its_own_form() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter Esc Esc j Enter 2 Esc Esc k Enter");
    assert!(says(&stage, "send_receipt(1)"));
    stage.keys("Esc Esc j Enter");
    assert!(says(&stage, "refund(2)"));
}

#[test]
fn options_are_edited_with_enter_and_go_with_the_call() {
    let mut stage = shop();
    stage.keys("Enter Tab Backspace Backspace Backspace 1.5 Tab");
    stage.keys("Backspace Backspace Backspace Backspace 60s Enter Enter");
    let order = stage.effects.iter().find_map(|effect| match effect {
        Effect::Client(Command::Call(order)) => Some(order.clone()),
        _ => None,
    });
    let order = order.expect("an order");
    assert_eq!(order.signature.options.expires, Some(60 * SECOND));
    let id = stage.last_id();
    let call = stage.state.shared.calls.get(&id).expect("a call");
    assert_eq!(call.timeout, Duration::from_millis(1500));
}

#[test]
fn a_wrong_option_is_told_and_not_sent() {
    let mut stage = shop();
    stage.keys("Enter Tab soon F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "timeout:"));
}

#[test]
fn del_removes_the_row_and_a_adds_one() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter 2 Enter Esc k k Del");
    assert!(says(&stage, "send_receipt(2)"));
    stage.keys("a 3 F5");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(2, 3)"]);
}

#[test]
fn a_keyword_given_twice_is_told_on_its_row_and_not_sent() {
    let mut stage = shop();
    stage.keys("Enter x=1 Enter x=2 Enter F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "! x is given twice"));
}

#[test]
fn a_name_typed_by_hand_opens_its_form() {
    let mut stage = shop();
    stage.keys("a shop.new.task Enter 1");
    assert!(says(&stage, "task(1)"));
    assert_eq!(
        stage.state.tasks.cursor,
        Some(TaskName::from("shop.new.task"))
    );
}

// Before sending

#[test]
fn nothing_is_sent_while_the_broker_is_down_and_nothing_typed_is_lost() {
    let mut stage = shop();
    stage.keys("Enter 2 Enter 3");
    let now = stage.now;
    stage.event(Event::Link(
        LinkName::Broker,
        down(now, "connection refused"),
    ));
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "calls are not sent while the broker is down"));
    assert!(says(&stage, "send_receipt(2, 3)"));
}

#[test]
fn nothing_is_sent_while_the_known_result_backend_is_down() {
    let mut stage = shop();
    let now = stage.now;
    stage.event(Event::Link(
        LinkName::Backend,
        down(now, "connection refused"),
    ));
    stage.keys("Enter 2 F5");
    assert!(sent(&stage).is_empty());
    assert!(says(
        &stage,
        "calls are not sent while the result backend is down"
    ));
}

#[test]
fn a_refusal_blocks_and_the_same_press_again_sends_nevertheless() {
    let mut stage = shop();
    open_refund(&mut stage);
    stage.keys("Tab Tab Tab legacy");
    stage.keys("Backspace Backspace Backspace Backspace Backspace Backspace");
    stage.keys("Backspace Backspace Backspace Backspace legacy F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "no worker reads it"));
    assert!(says(&stage, "F5 again within 5s sends it"));
    stage.fast_keys("F5");
    assert!(sent(&stage).is_empty(), "deaf for 400 ms after the warning");
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn a_refusal_is_asked_anew_after_five_seconds() {
    let mut stage = shop();
    stage.keys("Enter :float=nan F5");
    assert!(sent(&stage).is_empty());
    stage.pass(6 * SECOND);
    assert!(!says(&stage, "again within"));
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(float('nan'))"]);
}

#[test]
fn a_doubtful_word_is_told_and_sent_on_the_second_press() {
    let mut stage = shop();
    stage.keys("Enter x=None F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "is sent as the string"));
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage), ["shop.mail.send_receipt(x='None')"]);
}

#[test]
fn the_depth_of_an_unknown_queue_is_asked_for() {
    let mut stage = shop();
    open_refund(&mut stage);
    stage.keys("Tab Tab Tab");
    stage.keys("Backspace Backspace Backspace Backspace other Enter");
    let asked = |effect: &Effect| matches!(effect, Effect::Client(Command::Queue(queue)) if *queue == QueueName::from("other"));
    assert!(stage.effects.iter().any(asked));
}

// Raw JSON

#[test]
fn json_and_back_keeps_the_text_of_the_rows() {
    let mut stage = shop();
    stage.keys("Enter n:int=0x2a Enter F2 F2");
    assert!(says(&stage, "n:int=0x2a"));
}

/// The document becomes `text`.
fn replace_json(stage: &mut Stage, text: &str) {
    for _ in 0..20 {
        stage.keys("^K Del");
    }
    stage.paste(text);
}

#[test]
fn changed_json_becomes_rows() {
    let mut stage = shop();
    stage.keys("Enter F2");
    replace_json(
        &mut stage,
        r#"{"args": [1, "two", "3"], "kwargs": {"x": null, "a-b": [1]}}"#,
    );
    stage.keys("F2");
    for row in ["two", ":=\"3\"", "x=null", "a-b:=[1]"] {
        assert!(says(&stage, row), "{row}");
    }
    stage.keys("F5");
    assert_eq!(
        sent(&stage),
        ["shop.mail.send_receipt(1, 'two', '3', x=None, **{'a-b': [1]})"]
    );
}

#[test]
fn broken_json_stays_as_it_is_with_its_line_and_column() {
    let mut stage = shop();
    stage.keys("Enter F2");
    replace_json(&mut stage, "{\n  \"args\": [1,,2]\n}");
    assert!(says(&stage, "! 2:14"));
    stage.keys("F2");
    assert_eq!(stage.state.context(), Context::CallJson);
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "[1,,2]"), "nothing typed is lost");
}

#[test]
fn a_paste_into_json_is_taken_with_its_lines() {
    let mut stage = shop();
    stage.keys("Enter F2 End");
    stage.paste("\n\"args\": [\n1],\"kwargs\": {}}\n");
    assert!(says(&stage, "4:"), "the caret is behind the paste");
}

// Trap 7: pastes

#[test]
fn a_paste_without_brackets_runs_no_command() {
    for before in ["", "Enter", "Enter Esc", "3", "4"] {
        let mut stage = shop();
        if !before.is_empty() {
            stage.keys(before);
        }
        stage.burst("q X . Enter c Y Enter");
        assert!(sent(&stage).is_empty(), "after {before:?}");
        assert!(!quit(&stage), "after {before:?}");
        assert!(revoked(&stage).is_empty(), "after {before:?}");
    }
}

#[test]
fn a_bracketed_paste_is_text_in_a_field_and_nothing_elsewhere() {
    let mut stage = shop();
    stage.paste("qX\ncY");
    assert!(says(&stage, "paste ignored here"));
    assert!(!quit(&stage));
    stage.keys("Enter Esc");
    stage.paste("note=two\nlines");
    assert_eq!(
        stage.state.context(),
        Context::CallEdit,
        "a paste on a row starts typing"
    );
    assert!(says(&stage, "note=two lines"));
    assert!(says(&stage, "2 lines were pasted as one"));
}

// Trap 8: remote text

const HOSTILE: &str = "x\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\n\u{8}y";

#[test]
fn remote_text_never_reaches_the_terminal_as_it_is() {
    let mut stage = shop();
    let node = NodeName::from(HOSTILE);
    stage.heard(Heard::Answer {
        node: node.clone(),
        answer: Answer::Tasks(vec![TaskName::from(HOSTILE)]),
        took: SECOND,
    });
    stage.depth(HOSTILE, 1, 0);
    stage.heard(Heard::Unreadable {
        node: Some(node),
        reason: HOSTILE.to_owned(),
    });
    let mut screens = vec![stage.screen()];
    for pane in ["5", "6", "1"] {
        stage.keys(pane);
        screens.push(stage.screen());
    }
    stage.keys("Enter 1 Enter");
    stage.paste(HOSTILE);
    screens.push(stage.screen());
    stage.keys("Esc");
    stage.send();
    let id = stage.last_id();
    let value = Json::Text(HOSTILE.to_owned()).to_wire();
    stage.fact(failure(&id, HOSTILE, &format!("[{value}]"), Some(HOSTILE)));
    screens.push(stage.screen());
    stage.event(Event::RevokeFailed {
        id,
        reason: Error::new(Kind::Unsent, HOSTILE),
    });
    screens.push(stage.screen());
    let now = stage.now;
    stage.event(Event::Link(LinkName::Broker, down(now, HOSTILE)));
    stage.pass(3 * SECOND);
    screens.push(stage.screen());
    for screen in screens {
        let bad = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!screen.contains(bad), "{screen:?}");
    }
}

// Trap 12: the selection belongs to a thing

#[test]
fn the_selected_task_stays_selected_when_others_come_and_go() {
    let mut stage = shop();
    stage.keys("j");
    let refund = Some(TaskName::from("shop.orders.refund"));
    assert_eq!(stage.state.tasks.cursor, refund);
    let tell = |stage: &mut Stage, names: &[&str]| {
        for cast in &CAST {
            stage.heard(Heard::Answer {
                node: NodeName::from(cast.name),
                answer: Answer::Tasks(names.iter().map(|name| TaskName::from(*name)).collect()),
                took: SECOND,
            });
        }
    };
    tell(
        &mut stage,
        &[
            "a.a",
            "a.b",
            "a.c",
            "a.d",
            "a.e",
            "shop.orders.refund",
            "z.z",
        ],
    );
    assert_eq!(stage.state.tasks.cursor, refund);
    stage.keys("`");
    assert_eq!(stage.state.tasks.cursor, refund);
    tell(&mut stage, &["a.a", "z.z"]);
    assert_eq!(stage.state.tasks.cursor, None, "never silently a neighbour");
    assert!(says(&stage, "shop.orders.refund is no longer registered"));
    stage.keys("Enter");
    assert_eq!(
        stage.state.focus,
        Pane::Tasks,
        "nothing is selected, nothing opens"
    );
}

#[test]
fn the_selected_queue_and_call_stay_selected() {
    let mut stage = shop();
    stage.keys("5 j");
    let queue = stage.state.queues.selected().cloned();
    stage.depth("aaa", 5, 0);
    stage.depth("bbb", 5, 0);
    assert_eq!(stage.state.queues.selected().cloned(), queue);
    stage.keys("1 Enter");
    stage.send();
    let first = stage.last_id();
    stage.keys("4 G");
    assert_eq!(stage.state.history.selected(), Some(&first));
    stage.keys("2");
    stage.send();
    assert_eq!(stage.state.history.selected(), Some(&first));
}

#[test]
fn a_question_is_about_the_call_it_was_asked_for() {
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    let first = stage.last_id();
    stage.keys("X");
    let mut other = started(&first);
    if let Fact::Result(result) = &mut other {
        result.pid = Some(1);
    }
    stage.fact_of(&first, other);
    stage.pass(SECOND);
    stage.keys("Y");
    assert_eq!(revoked(&stage), [first]);
}

// Trap 13: nothing heard moves the focus

fn everything_heard(stage: &Stage, id: &TaskId) -> Vec<Event> {
    let now = stage.now;
    vec![
        Event::Link(LinkName::Broker, down(now, "gone")),
        Event::Link(LinkName::Broker, LinkState::Up { latency: None }),
        Event::Link(LinkName::Backend, down(now, "gone")),
        Event::Link(LinkName::Backend, LinkState::Up { latency: None }),
        Event::Results(Results::Rpc),
        Event::ResultsTrouble(Error::new(Kind::Config, "the password is masked")),
        Event::Heard(Heard::Lost, now),
        Event::Heard(Heard::Back, now),
        Event::Heard(Heard::Surveyed, now),
        Event::Call(id.clone(), started(id), now),
        Event::Call(id.clone(), result(id, TaskState::Success, "5"), now),
        Event::Revoked {
            id: id.clone(),
            node: NodeName::from("w1"),
            answer: Ok("tasks flagged as revoked".to_owned()),
        },
        Event::RevokeFailed {
            id: id.clone(),
            reason: Error::new(Kind::Unsent, "no"),
        },
        Event::Closed,
    ]
}

#[rstest]
#[case("1 / ref", Context::Filter)]
#[case("1 a shop.x", Context::TypeName)]
#[case("2 a note=客戶", Context::CallEdit)]
#[case("2 F2", Context::CallJson)]
#[case("4", Context::History)]
#[case("?", Context::Help)]
fn nothing_heard_moves_the_focus_or_touches_what_is_typed(
    #[case] keys: &str,
    #[case] context: Context,
) {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.keys(keys);
    assert_eq!(stage.state.context(), context);
    let typed = |stage: &Stage| {
        let draft = stage.state.call.draft().cloned();
        let field = draft.as_ref().and_then(|draft| draft.field.clone());
        let json = draft.and_then(|draft| draft.json.map(|raw| raw.editor.text()));
        let tasks = &stage.state.tasks;
        (field, json, tasks.filter.clone(), tasks.name.clone())
    };
    let before = typed(&stage);
    for event in everything_heard(&stage, &id) {
        stage.event(event);
        assert_eq!(stage.state.context(), context);
        assert_eq!(typed(&stage), before);
    }
}

#[test]
fn a_late_result_comes_with_a_notice_that_stays_and_opens() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.keys("1");
    stage.pass(11 * SECOND);
    assert_eq!(state_of(&stage, &id), CallState::Timeout);
    assert!(says(&stage, "outcome unknown, still listening"));
    stage.fact(result(&id, TaskState::Success, "5"));
    assert_eq!(state_of(&stage, &id), CallState::LateOk);
    assert_eq!(stage.state.focus, Pane::Tasks);
    stage.pass(30 * SECOND);
    assert!(says(&stage, "! LATE OK  send_receipt"));
    stage.keys("!");
    assert_eq!(stage.state.focus, Pane::Result);
    assert!(!says(&stage, "! LATE OK"));
}

// Trap 18: the question

#[test]
fn only_the_capital_letter_revokes_and_not_at_once() {
    for key in [
        "Enter", "y", "n", "Esc", "q", "Space", "r", "X", "Tab", "F5", "1",
    ] {
        let mut stage = shop();
        stage.keys("Enter");
        stage.send();
        stage.keys("X");
        stage.pass(SECOND);
        stage.keys(key);
        assert!(revoked(&stage).is_empty(), "{key}");
        assert_eq!(sent(&stage).len(), 1, "{key}");
    }
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    stage.keys("X");
    stage.fast_keys("Enter Enter y Y");
    assert!(revoked(&stage).is_empty());
}

#[test]
fn the_question_says_that_a_started_task_goes_on() {
    let mut stage = shop();
    stage.keys("Enter");
    stage.send();
    let id = stage.last_id();
    stage.keys("X");
    assert!(!says(&stage, "started: it will go on"));
    stage.fact(started(&id));
    assert!(says(&stage, "started: it will go on"));
}

// Trap 21: a timeout is no end

#[test]
fn twenty_late_results_each_land_in_their_own_call() {
    let mut stage = shop();
    let mut ids = Vec::new();
    for number in 0..20 {
        stage.keys(&format!("1 Enter Esc G k k k k Del a {number}"));
        stage.keys("Esc");
        stage.pass(SECOND);
        stage.keys("2 c");
        stage.fact(Fact::Publishing);
        stage.fact(Fact::Confirmed);
        ids.push(stage.last_id());
    }
    stage.pass(15 * SECOND);
    assert!(
        ids.iter()
            .all(|id| state_of(&stage, id) == CallState::Timeout)
    );
    for (number, id) in ids.iter().enumerate().rev() {
        for _ in 0..2 {
            stage.fact_of(id, result(id, TaskState::Success, &number.to_string()));
        }
    }
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(state_of(&stage, id), CallState::LateOk);
        let call = stage.state.shared.calls.get(id).expect("a call");
        let value = call.result.as_ref().map(|result| result.value.clone());
        assert_eq!(value, Some(Json::Number(number.to_string())));
    }
}

#[test]
fn plus_waits_again_and_minus_never_ends_the_wait_at_once() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.pass(8 * SECOND);
    stage.keys("-");
    assert_eq!(state_of(&stage, &id), CallState::Sent);
    stage.pass(2 * SECOND);
    assert_eq!(state_of(&stage, &id), CallState::Timeout);
    stage.keys("+");
    assert_eq!(state_of(&stage, &id), CallState::Sent);
    stage.keys("d");
    assert_eq!(state_of(&stage, &id), CallState::Detached);
    stage.fact(result(&id, TaskState::Success, "5"));
    assert_eq!(state_of(&stage, &id), CallState::Ok);
}

// Trap 22: nothing is sent twice by itself

#[test]
fn an_unknown_delivery_is_never_sent_again() {
    let mut stage = shop();
    stage.keys("Enter 1 F5");
    stage.fact(Fact::Publishing);
    stage.fact(Fact::Unknown(Error::new(
        Kind::UnknownDelivery,
        "reset by peer",
    )));
    let id = stage.last_id();
    let now = stage.now;
    stage.event(Event::Link(LinkName::Broker, down(now, "reset by peer")));
    stage.event(Event::Link(
        LinkName::Broker,
        LinkState::Up { latency: None },
    ));
    stage.keys("r");
    stage.pass(5 * SECOND);
    assert_eq!(state_of(&stage, &id), CallState::UnknownDelivery);
    assert!(says(&stage, "SENT?"));
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn a_command_that_the_client_refused_makes_the_call_unsent() {
    let mut stage = shop();
    stage.keys("Enter 1 F5");
    let order = stage.effects.drain(..).find_map(|effect| match effect {
        Effect::Client(command @ Command::Call(_)) => Some(command),
        _ => None,
    });
    stage.tell(Message::CommandRefused(Box::new(order.expect("an order"))));
    let id = stage.last_id();
    assert_eq!(state_of(&stage, &id), CallState::Unsent);
}

// Trap 23: the countdown

#[test]
fn the_countdown_follows_the_monotonic_clock_alone() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    let at = |stage: &Stage, by: Duration, wall: i64| Now {
        wall: Timestamp::from_second(wall).expect("a time"),
        mono: Moment(stage.now.mono.0 + by),
    };
    stage.now = at(&stage, 3 * SECOND, 1_795_400_000);
    stage.tell(Message::Tick);
    assert!(says(&stage, "3.0s of 10s"));
    stage.now = at(&stage, SECOND, 5);
    stage.tell(Message::Tick);
    assert!(says(&stage, "4.0s of 10s"));
    stage.now = at(&stage, 3600 * SECOND, 1_795_349_100);
    stage.tell(Message::Tick);
    assert_eq!(state_of(&stage, &id), CallState::Timeout);
}

#[test]
fn the_bar_warns_from_80_percent_on() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    stage.pass(8 * SECOND);
    assert!(says(&stage, "8.0s of 10s"));
    assert!(says(&stage, "2.0s left"));
}

// Leaving

#[test]
fn quitting_with_calls_in_the_air_asks_first() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    stage.keys("q");
    assert!(!quit(&stage));
    assert!(says(&stage, "1 call has no result yet."));
    assert!(says(&stage, "[q] quit   [Esc] stay"));
    stage.keys("Esc");
    assert!(!says(&stage, "no result yet."));
    stage.event(Event::Results(Results::Rpc));
    stage.keys("q");
    assert!(says(&stage, "rpc results die"));
    stage.keys("q");
    assert!(quit(&stage));
}

#[test]
fn quitting_without_calls_quits() {
    let mut stage = shop();
    stage.keys("q");
    assert!(quit(&stage));
}

#[rstest]
#[case("")]
#[case("/")]
#[case("Enter")]
#[case("Enter F2")]
#[case("?")]
#[case("4")]
fn ctrl_c_stops_the_innermost_thing_and_quits_only_twice(#[case] before: &str) {
    let mut stage = shop();
    if !before.is_empty() {
        stage.keys(before);
    }
    stage.keys("^C");
    assert!(!quit(&stage));
    assert!(says(&stage, "again within 2s quits"));
    stage.pass(3 * SECOND);
    stage.keys("^C");
    assert!(!quit(&stage));
    stage.keys("^C");
    assert!(quit(&stage));
}

#[test]
fn ctrl_c_on_a_running_call_stops_waiting_for_it() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.keys("^C");
    assert_eq!(state_of(&stage, &id), CallState::Detached);
}

// Small things

#[test]
fn a_key_whose_feature_is_not_built_says_so() {
    let mut stage = shop();
    stage.keys(":");
    assert!(says(&stage, "the command palette: not built yet"));
}

#[test]
fn the_filter_narrows_is_kept_by_enter_and_cleared_by_esc() {
    let mut stage = shop();
    stage.keys("/ refbulk Enter");
    assert_eq!(stage.state.context(), Context::Tasks);
    assert!(says(&stage, "1/5"));
    assert_eq!(
        stage.state.tasks.cursor,
        Some(TaskName::from("shop.orders.refund_bulk"))
    );
    stage.keys("Esc");
    assert!(!says(&stage, "1/5"));
}

#[test]
fn built_ins_are_shown_on_demand() {
    let mut stage = shop();
    assert!(!says(&stage, "backend_cleanup"));
    stage.keys("b");
    assert!(says(&stage, "backend_cleanup"));
}

#[test]
fn the_workers_pane_is_watched_while_it_has_the_focus() {
    let mut stage = shop();
    stage.keys("6 1");
    let watched: Vec<bool> = stage
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Client(Command::WatchWorkers(on)) => Some(*on),
            _ => None,
        })
        .collect();
    assert_eq!(watched, [true, false]);
}

#[test]
fn copying_says_what_was_sent_and_refuses_what_is_too_large() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.fact(result(&id, TaskState::Success, "\"客戶\""));
    stage.keys("y");
    let copied = stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Copy(text) if text == "客戶"));
    assert!(copied);
    assert!(says(&stage, "sent to the terminal's clipboard (6 bytes)"));
    stage.keys("2 c");
    let id = stage.last_id();
    let large = format!("\"{}\"", "x".repeat(80_000));
    stage.fact(result(&id, TaskState::Success, &large));
    stage.effects.clear();
    stage.keys("y");
    assert!(stage.effects.is_empty());
    assert!(says(&stage, "too large for the clipboard"));
}

#[test]
fn a_value_too_long_for_its_row_is_opened_by_enter_and_closed_by_esc() {
    let mut stage = shop();
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    let long = format!("{{\"note\": \"{}the end\"}}", "客戶要求退款 ".repeat(20));
    stage.fact(result(&id, TaskState::Success, &long));
    assert!(!says(&stage, "the end"));
    stage.keys("j Enter");
    assert!(says(&stage, "the end"));
    stage.keys("Esc");
    assert!(!says(&stage, "the end"));
    assert_eq!(stage.state.focus, Pane::Result);
}

#[test]
fn an_idle_screen_asks_for_no_frame() {
    let mut stage = shop();
    stage.keys("j");
    stage.pass(7 * SECOND);
    stage.changed();
    for _ in 0..10 {
        stage.pass(SECOND);
        stage.ping_all_but("w3@stg-9");
        stage.depth("legacy", 4, 0);
        stage.event(Event::Link(
            LinkName::Broker,
            LinkState::Up {
                latency: Some(Duration::from_millis(7)),
            },
        ));
    }
    assert!(!stage.changed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is typed, nothing panics, and nothing that acts is done by a burst.
    #[test]
    fn random_bursts_do_nothing_that_acts(keys in "[a-zA-Z0-9 /?!.+`-]{1,40}") {
        let mut stage = shop();
        for key in keys.chars() {
            let key = if key == ' ' { "Enter".to_owned() } else { key.to_string() };
            stage.burst(&key);
        }
        prop_assert!(!quit(&stage));
        prop_assert!(sent(&stage).is_empty());
        prop_assert!(revoked(&stage).is_empty());
    }
}

#[test]
fn messages_that_workers_hold_are_shown_by_queue_or_all_together() {
    let mut stage = Stage::new(100, 30).shop();
    let mut held = |held| {
        stage.heard(Heard::Depth {
            queue: QueueName::from("default"),
            depth: Ok(Depth::Known {
                ready: 1,
                held,
                rates: None,
                consumers: None,
            }),
        });
        stage.keys("5");
        stage.screen()
    };
    let none = held(Held::Unknown);
    assert!(!none.contains("held"), "{none}");
    let queue = held(Held::Queue(4711));
    assert!(queue.contains("4,711"), "{queue}");
    let together = held(Held::AllQueues(12_345));
    assert!(
        together.contains("12,345 messages held over all"),
        "{together}"
    );
}
