//! No secret is seen on the screen, whether it is typed, sent or repeated; a mask is never sent.

use std::time::Duration;

use umbel::call::Fact;
use umbel::client::Command;
use umbel::clock::Now;
use umbel::history::{Found, Record};
use umbel::protocol::Json;
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::past::{Purpose, Told, Wish};

use umbel::history::{Known, Scribe, Secrets};
use umbel::tui::theme::{Depth, Glyphs, Look, Tone};

use crate::looks::look;
use crate::past::{self, call, record, scribe, stage};
use crate::rules::shop;
use crate::stage::{Stage, failure};

fn masked(now: Now) -> Record {
    let (mut call, at) = call(7, &[], now, Duration::from_hours(1));
    let header = ("Authorization".to_owned(), Json::from("Bearer hunter2xyz"));
    call.signature.options.headers.push(header);
    let record = record(&call, at);
    assert_eq!(record.masked.len(), 1);
    record
}

fn got(wanted: fn(&mut Stage, Found)) -> Stage {
    let mut stage = stage(80, 24);
    let record = masked(stage.now);
    wanted(&mut stage, Found::One(Box::new(record)));
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
    let mut stage = got(past::open);
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
    let mut stage = got(past::load);
    stage.pass(Duration::from_secs(5));
    stage.keys("F5");
    assert_eq!(sent(&stage), Vec::<String>::new());
    let screen = stage.screen();
    assert!(screen.contains("type it again"), "{screen}");
}

const SECRET: &str = "hunter2xyz";

/// Nothing of the secret is seen, and the call with its secret is what is sent.
#[track_caller]
fn assert_covered(stage: &Stage) {
    let screen = stage.screen();
    assert!(
        !screen.contains("hunter2") && !screen.contains("xyz"),
        "{screen}"
    );
}

fn typed(stage: &mut Stage, keys: &str) {
    for key in keys.split(' ') {
        stage.keys(key);
        assert_covered(stage);
    }
}

#[test]
fn a_password_is_covered_while_it_is_typed_and_after() {
    let mut stage = shop();
    typed(&mut stage, "Enter order_id=42 Enter password=h");
    typed(&mut stage, "u n t e r 2 x y z");
    look("secret_typing", &stage);
    typed(&mut stage, "Enter token:int=123456 Esc");
    look("secret_typed", &stage);
    let screen = stage.screen();
    assert!(screen.contains("str, 10 characters"), "{screen}");
    assert!(screen.contains("password='***'"), "{screen}");
    assert!(!screen.contains("123456"), "{screen}");
    typed(&mut stage, "y F2 Esc");
    look("secret_as_json", &stage);
    typed(&mut stage, "F2 F5");
    assert!(
        sent(&stage).concat().contains("hunter2xyz"),
        "what is sent is exact"
    );
    let copies = stage.effects.iter().filter_map(|effect| match effect {
        Effect::Copy(text) => Some(text.as_str()),
        _ => None,
    });
    let copies: Vec<&str> = copies.collect();
    assert!(copies.concat().contains("password='***'"), "{copies:?}");
    assert!(!copies.concat().contains(SECRET), "{copies:?}");
}

#[test]
fn a_wide_screen_covers_it_as_well() {
    let mut stage = Stage::new(160, 48).shop();
    typed(&mut stage, "Enter password=客戶x Enter");
    stage.paste("u:={\"n\": \"王\", \"token\": \"hunter2xyz\"}");
    typed(&mut stage, "Enter Esc o");
    look("secret_large", &stage);
    assert!(!stage.screen().contains("客戶x"));
}

#[test]
fn the_ascii_look_covers_with_asterisks() {
    let mut stage = shop().look(Look {
        glyphs: Glyphs::Ascii,
        depth: Depth::None,
        tone: Tone::Dark,
    });
    typed(&mut stage, "Enter password=1234 Esc");
    let screen = stage.screen();
    assert!(screen.contains("password=****"), "{screen}");
}

#[test]
fn a_header_is_covered_in_its_place_and_among_the_options() {
    let mut stage = shop();
    stage.keys("Enter 1 Enter Esc o");
    while stage.state.call.draft().map(|draft| draft.spot)
        != Some(umbel::tui::panes::call::Spot::Option(
            umbel::cli::options::Name::Header.into(),
        ))
    {
        stage.keys("j");
    }
    stage.keys("Enter");
    stage.paste("Authorization=Bearer hunter2xyz");
    assert_covered(&stage);
    typed(&mut stage, "Esc k o");
    let screen = stage.screen();
    assert!(screen.contains("headers={'Authorization':"), "{screen}");
    assert!(screen.contains("Authorization=•••"), "{screen}");
}

#[test]
fn in_json_a_secret_is_seen_only_while_the_caret_is_in_it() {
    let mut stage = shop();
    stage.keys("Enter password=hunter2xyz Enter note=late Enter F2");
    assert_covered(&stage);
    assert!(stage.screen().contains("\"password\": \"••••••••••\""));
    // Into the value, then out of it again.
    stage.keys("Down Down Down End Left Left Left");
    let screen = stage.screen();
    assert!(screen.contains("\"password\": \"hunter2xyz\""), "{screen}");
    stage.keys("Down");
    assert_covered(&stage);
    stage.keys("Up");
    stage.keys("Esc");
    assert_covered(&stage);
}

#[test]
fn a_word_without_a_name_is_no_secret_yet() {
    let mut stage = shop();
    stage.keys("Enter password");
    assert!(stage.screen().contains("password"));
    stage.keys("=");
    typed(&mut stage, "h u n t e r 2");
}

#[test]
fn a_mistake_in_a_secret_is_told_without_it() {
    let mut stage = shop();
    typed(&mut stage, "Enter password:int=hunter2xyz Enter Esc F5");
    assert!(stage.screen().contains("not a whole number"));
    assert_eq!(sent(&stage), Vec::<String>::new());
    let mut stage = shop();
    typed(&mut stage, "Enter");
    stage.paste("password:=[NaN, hunter2xyz]");
    typed(&mut stage, "Enter Esc");
}

/// A call of which `iban` and the first argument were secret, by a configuration that is not ours.
fn of_others(now: Now) -> Record {
    let (mut call, at) = call(
        8,
        &[("iban", Json::from("DE00"))],
        now,
        Duration::from_hours(1),
    );
    call.signature.args = vec![Json::from(7_u64)];
    let theirs = Scribe {
        secrets: Secrets::with(&["iban", "pin"]).expect("names"),
        ..scribe()
    };
    let parameters = ["pin".to_owned()];
    let known = Known {
        parameters: &parameters,
        ..Known::default()
    };
    Record::of(&call, &theirs, known, at)
}

#[test]
fn an_end_that_is_heard_for_another_umbel_is_shown_and_kept_without_what_may_quote_a_secret() {
    let mut stage = stage(80, 24);
    let secret = [("password", Json::from("hunter2xyz"))];
    let (mut call, at) = call(9, &secret, stage.now, Duration::from_hours(1));
    call.tick(at.plus(Duration::from_secs(10)));
    let open = record(&call, at.plus(Duration::from_secs(10)));
    let id = open.id().clone();
    stage.tell(Message::History(vec![Told::Unresolved(vec![open])]));
    let fact = failure(&id, "ValueError", "[\"hunter2xyz\"]", Some("hunter2xyz"));
    stage.fact_of(&id, fact);
    stage.keys("!");
    assert!(stage.screen().contains("ValueError"), "{}", stage.screen());
    let mut saved = stage.effects.iter().filter_map(|effect| match effect {
        Effect::History(Wish::Save(record)) => Some(record),
        _ => None,
    });
    let saved = saved.next_back().expect("it was not written down");
    assert!(saved.state.is_final());
    assert!(!format!("{saved:?}").contains("hunter2"), "{saved:?}");
    assert_eq!(saved.masked.len(), 1);
}

#[test]
fn a_place_that_a_loaded_call_calls_secret_is_covered_and_stays_so_in_what_is_sent() {
    let mut stage = stage(80, 24);
    let record = of_others(stage.now);
    assert_eq!(record.masked.len(), 2);
    past::load(&mut stage, Found::One(Box::new(record)));
    stage.keys("Enter ^u hunter2xyz Enter ^u iban=hunter2xyz Esc");
    assert_covered(&stage);
    look("secret_by_place", &stage);
    // Through JSON and back they are the same places.
    stage.keys("F2 Esc");
    assert_covered(&stage);
    stage.keys("F2");
    assert_covered(&stage);
    stage.pass(Duration::from_secs(5));
    stage.keys("F5");
    assert!(sent(&stage).concat().contains(SECRET), "{:?}", sent(&stage));
    stage.fact(Fact::Publishing);
    stage.fact(Fact::Confirmed);
    assert_covered(&stage);
    let saved = stage.effects.iter().filter_map(|effect| match effect {
        Effect::History(Wish::Save(record)) => Some(record),
        _ => None,
    });
    let saved: Vec<_> = saved.collect();
    assert!(!saved.is_empty());
    for record in saved {
        assert_eq!(record.masked.len(), 2);
        assert!(!format!("{record:?}").contains(SECRET));
    }
}
