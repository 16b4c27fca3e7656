//! The options of the call form: they go with the call, wrong ones are told where they are, nothing typed is lost.

use std::time::Duration;

use rstest::rstest;
use umbel::client::Command;
use umbel::protocol::message::Start;
use umbel::protocol::{Compression, Serializer};
use umbel::tui::effect::Effect;

use crate::rules::{quit, says, sent, shop};
use crate::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);

fn options_of(stage: &Stage) -> umbel::protocol::Options {
    let order = stage.effects.iter().find_map(|effect| match effect {
        Effect::Client(Command::Call(order)) => Some(order.clone()),
        _ => None,
    });
    order.expect("an order").signature.options
}

#[test]
fn every_option_of_the_list_goes_with_the_call() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o i ex Enter a.b Enter 10s Enter Enter 5 Enter 60 Enter 50");
    stage.keys("Enter tenant=7 Enter zone=east Enter Enter my-id Enter yaml Enter gzip");
    stage.keys("Enter other Enter force F5");
    let options = options_of(&stage);
    assert_eq!(options.exchange.as_deref(), Some("ex"));
    assert_eq!(options.routing_key.as_deref(), Some("a.b"));
    assert_eq!(options.start, Some(Start::After(10 * SECOND)));
    assert_eq!(options.priority, Some(5));
    assert_eq!(options.time_limit, Some(60 * SECOND));
    assert_eq!(options.soft_time_limit, Some(50 * SECOND));
    let names: Vec<&str> = options
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["tenant", "zone"]);
    assert_eq!(options.serializer, Some(Serializer::Yaml));
    assert_eq!(options.compression, Some(Compression::Gzip));
    assert_eq!(options.shadow.as_deref(), Some("other"));
    assert_eq!(options.ignore_result, Some(false));
    assert_eq!(stage.last_id().as_str(), "my-id");
}

#[test]
fn a_choice_is_made_by_h_l_and_blanks_and_del_gives_the_default_back() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o G k l");
    assert!(says(&stage, "ignore_result=False"));
    stage.keys("Space");
    assert!(says(&stage, "ignore_result=True"));
    stage.keys("h");
    assert!(says(&stage, "ignore_result=False"));
    for key in ["Del", "d"] {
        stage.keys(key);
        assert!(!says(&stage, "ignore_result"));
        stage.keys("l");
    }
}

#[test]
fn an_error_follows_what_is_typed() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o j j j j i 25");
    assert!(!says(&stage, "is not a priority"));
    stage.keys("6");
    assert!(says(&stage, "\"256\" is not a priority"));
    assert!(says(&stage, "priority=?"));
    stage.keys("Backspace");
    assert!(!says(&stage, "is not a priority"));
    stage.keys("Backspace Backspace Esc o Tab");
}

#[rstest]
#[case("j j i 5s Enter 2099-01-01T00:00:00Z", "exclude each other")]
#[case("j j j j j i 5 Enter 6", "above the hard one")]
#[case("j j j j j j j i id=7", "Celery or the broker use themselves")]
#[case("j j j j j j j i a=1 Enter a=2", "is given twice")]
fn what_contradicts_or_collides_is_told_and_not_sent(#[case] keys: &str, #[case] says_: &str) {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o");
    stage.keys(keys);
    assert!(says(&stage, "1 problem"), "{}", stage.screen());
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    let screen: String = stage.screen().replace(['┃', '│'], " ");
    let words: Vec<&str> = screen.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains(says_), "{text}");
}

#[test]
fn an_eta_in_the_past_is_a_doubt_that_a_second_press_sets_aside() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o j j j i 2001-01-01T00:00:00Z Esc o F5");
    assert!(sent(&stage).is_empty());
    assert!(says(&stage, "is in the past"), "{}", stage.screen());
    stage.pass(SECOND);
    stage.keys("F5");
    assert_eq!(sent(&stage).len(), 1);
}

#[test]
fn an_id_is_used_once() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc o G k k k k k i my-id Enter F5");
    assert_eq!(sent(&stage).len(), 1);
    stage.keys("2 F5");
    assert_eq!(sent(&stage).len(), 1);
    assert!(
        says(&stage, "has the id my-id already"),
        "{}",
        stage.screen()
    );
}

#[test]
fn a_row_that_means_nothing_stands_in_the_preview_as_a_question_mark() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter x:=nope Enter :int=y Enter");
    assert!(
        says(&stage, "send_receipt(1, ?, x=?)"),
        "{}",
        stage.screen()
    );
}

#[rstest]
#[case("a\rb")]
#[case("a\r\nb")]
#[case("a\nb\r")]
fn the_line_breaks_of_a_paste_become_blanks_however_they_are_written(#[case] paste: &str) {
    let mut stage = shop();
    stage.keys("Enter");
    stage.paste(paste);
    assert!(says(&stage, "str \"a b\""), "{}", stage.screen());
    assert!(says(&stage, "2 lines were pasted as one"));
}

#[test]
fn the_button_says_that_enter_calls() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter Enter");
    assert!(says(&stage, "NAV  Enter/F5 call"));
}

#[test]
fn quitting_with_a_form_that_was_not_sent_asks_first() {
    let mut stage = shop();
    stage.keys("Enter 1 Esc Esc q");
    assert!(!quit(&stage));
    assert!(says(&stage, "holds what was not sent"));
    stage.keys("Esc");
    stage.keys("2 F5 q");
    assert!(!says(&stage, "holds what was not sent"));
}

#[test]
fn a_form_that_was_emptied_again_is_not_asked_about() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter Esc k Del Esc q");
    assert!(quit(&stage));
}
