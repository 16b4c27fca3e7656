//! The form: how it is filled in, what stands against sending, and raw JSON.

use std::time::Duration;

use umbel::client::{Command, Event, LinkName};
use umbel::protocol::{QueueName, TaskName};
use umbel::tui::effect::Effect;
use umbel::tui::keymap::Context;
use umbel::tui::panes::Pane;

use crate::rules::{SECOND, open_refund, says, sent, shop};
use crate::stage::{Stage, down};

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
    assert!(says(&stage, "too soon: press F5 again"), "that is told");
    stage.pass(Duration::from_millis(600));
    stage.fast_keys("F5");
    assert!(sent(&stage).is_empty(), "not read yet");
    assert!(says(&stage, "too soon: press F5 again"));
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
