//! A call of the past whose header was masked is loaded and called again: its mask is never sent.

use std::time::Duration;

use umbel::client::Command;
use umbel::clock::Now;
use umbel::history::{Found, Record};
use umbel::protocol::Json;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::past::{Purpose, Told, Wish};

use crate::past::{call, record, stage};
use crate::stage::Stage;

fn masked(now: Now) -> Record {
    let (mut call, at) = call(7, &[], now, Duration::from_hours(1));
    let header = ("Authorization".to_owned(), Json::from("Bearer hunter2xyz"));
    call.signature.options.headers.push(header);
    let record = record(&call, at);
    assert_eq!(record.masked.len(), 1);
    record
}

fn got(purpose: Purpose) -> Stage {
    let mut stage = stage(80, 24);
    let record = masked(stage.now);
    let found = Told::Got(Found::One(Box::new(record)), purpose);
    stage.tell(Message::History(vec![found]));
    stage
}

fn sent(stage: &Stage) -> Vec<String> {
    let sends = stage.effects.iter().filter_map(|effect| match effect {
        Effect::Client(Command::Call(order)) => Some(format!("{order:?}")),
        _ => None,
    });
    sends.collect()
}

#[test]
fn a_call_whose_header_is_masked_is_not_sent_again_but_loaded_with_the_reason() {
    let mut stage = got(Purpose::Show);
    stage.keys(".");
    let press = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Get(_, purpose @ Purpose::Again(_))) => Some(*purpose),
        _ => None,
    });
    let found = Found::One(Box::new(masked(stage.now)));
    let told = Told::Got(found, press.expect("it is asked for"));
    stage.tell(Message::History(vec![told]));
    assert_eq!(sent(&stage), Vec::<String>::new());
    let screen = stage.screen();
    assert!(screen.contains("type it again"), "{screen}");
    for _ in 0..2 {
        stage.pass(Duration::from_secs(5));
        stage.keys("F5");
    }
    assert_eq!(sent(&stage), Vec::<String>::new());
}

#[test]
fn a_masked_header_that_was_loaded_is_not_sent_as_it_is() {
    let mut stage = got(Purpose::Load);
    stage.pass(Duration::from_secs(5));
    stage.keys("F5");
    assert_eq!(sent(&stage), Vec::<String>::new());
    let screen = stage.screen();
    assert!(screen.contains("type it again"), "{screen}");
}
