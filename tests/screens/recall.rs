//! Recall: the calls of the past under one line of typing, and what they do to the form. History answers as the disk would.

use std::time::Duration;

use umbel::call::{Call, CallState, Fact};
use umbel::clock::Now;
use umbel::error::{Error, Kind};
use umbel::history::store::Store;
use umbel::history::{Known, Origin, Record, Scribe};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, Options, Signature, TaskId};
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::panes::Pane;
use umbel::tui::past::{Answer, PAGE, Question, Told, Wish};

use crate::looks::look;
use crate::rules::{says, sent};
use crate::stage::{Stage, failure, result};

const HOUR: Duration = Duration::from_hours(1);
const HERE: &str = "amqp://localhost:5672/";
const THERE: &str = "redis://stg-redis:6379/0";

fn scribe(broker: &str) -> Scribe {
    Scribe {
        origin: Origin {
            broker: broker.to_owned(),
            ..Origin::default()
        },
        ..Scribe::default()
    }
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes(), umbel::protocol::json::Limits::default()).expect("JSON")
}

/// What was called, how long ago, where.
struct Past {
    task: &'static str,
    kwargs: &'static [(&'static str, &'static str)],
    ago: Duration,
    broker: &'static str,
    end: fn(&TaskId) -> Fact,
}

fn ok(id: &TaskId) -> Fact {
    result(id, TaskState::Success, "null")
}

fn failed(id: &TaskId) -> Fact {
    failure(id, "OutOfStock", "[\"no stock\"]", None)
}

const REFUND: Past = Past {
    task: "shop.orders.refund",
    kwargs: &[],
    ago: HOUR,
    broker: HERE,
    end: ok,
};

fn record(number: u64, past: &Past, now: Now) -> Record {
    let at = Now {
        wall: now.wall - past.ago,
        mono: now.mono,
    };
    let kwargs = past.kwargs.iter();
    let signature = Signature {
        task: past.task.into(),
        id: TaskId(format!("{number:08x}-0000-4000-8000-00000000000a")),
        args: Vec::new(),
        kwargs: kwargs
            .map(|(name, value)| ((*name).to_owned(), json(value)))
            .collect(),
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), at);
    call.apply(Fact::Publishing, at);
    call.apply(Fact::Confirmed, at);
    let end = at.plus(Duration::from_millis(212));
    let id = call.id().clone();
    call.apply((past.end)(&id), end);
    Record::of(&call, &scribe(past.broker), Known::default(), end)
}

const MOCK_UP: [Past; 6] = [
    Past {
        kwargs: &[
            ("order_id", "42"),
            ("amount", r#"{"__type__": "decimal", "__value__": "12.50"}"#),
            ("note", "\"客戶要求退款\""),
        ],
        ..REFUND
    },
    Past {
        kwargs: &[
            ("order_id", "40"),
            ("amount", "5"),
            ("note", "\"customer asked\""),
        ],
        ago: Duration::from_hours(2),
        end: failed,
        ..REFUND
    },
    Past {
        kwargs: &[("order_id", "7"), ("note", "\"customer error\"")],
        ago: Duration::from_hours(6 * 24),
        ..REFUND
    },
    Past {
        kwargs: &[("order_id", "1009"), ("note", "\"customer test\"")],
        ago: Duration::from_hours(6 * 24 + 1),
        broker: THERE,
        ..REFUND
    },
    Past {
        task: "shop.mail.send_receipt",
        kwargs: &[("to", "\"王小明\"")],
        ago: Duration::from_hours(30 * 24),
        ..REFUND
    },
    Past {
        kwargs: &[("order_id", "3"), ("password", "\"hunter2xyz\"")],
        ago: Duration::from_hours(400 * 24),
        ..REFUND
    },
];

fn disk(past: &[Past], now: Now) -> Store {
    let mut store = Store::memory().expect("a store in memory");
    let numbered = past.iter().zip(1..);
    let records: Vec<Record> = numbered
        .map(|(past, number)| record(number, past, now))
        .collect();
    store.upsert(&records).expect("records are kept");
    store
}

/// Answers what recall asked until it asks nothing more; how many questions it were.
fn answer(stage: &mut Stage, store: &Store) -> usize {
    let mut asked = 0;
    loop {
        let effects = std::mem::take(&mut stage.effects);
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::History(Wish::Recall(number, question)) => {
                    let answer = match question {
                        Question::Newest(filter, before) => {
                            Answer::Newest(store.page(&filter, before, 1_000).expect("a page"))
                        }
                        Question::Older(filter, before) => {
                            Answer::Older(store.page(&filter, Some(before), PAGE).expect("a page"))
                        }
                        Question::Call(id) => {
                            let found = store.get_call(&id).expect("an answer");
                            Answer::Call(id, found)
                        }
                    };
                    told.push(Told::Recall(number, Ok(answer)));
                }
                other => stage.effects.push(other),
            }
        }
        if told.is_empty() {
            return asked;
        }
        asked += told.len();
        let kept = std::mem::take(&mut stage.effects);
        stage.tell(Message::History(told));
        stage.effects.splice(0..0, kept);
    }
}

fn stage(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height);
    stage.state.shared.scribe = Some(scribe(HERE));
    stage.shop()
}

/// The form of refund holds `order_id=41`, and recall is open.
fn opened(width: u16, height: u16) -> (Stage, Store) {
    let mut stage = stage(width, height);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter order_id=41 Enter ^R");
    answer(&mut stage, &store);
    (stage, store)
}

/// Recall over a form full of wide characters, after these keys.
pub fn wide(more: &str) -> Stage {
    let mut stage = stage(80, 24);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter note=不鏽鋼保溫瓶ｶﾞ한글👨‍👩‍👧 Enter ^R");
    answer(&mut stage, &store);
    for key in more.split(' ').filter(|key| !key.is_empty()) {
        keys(&mut stage, &store, key);
    }
    stage
}

fn keys(stage: &mut Stage, store: &Store, keys: &str) {
    for key in keys.split(' ') {
        stage.keys(key);
        answer(stage, store);
    }
}

#[test]
fn looks_of_recall() {
    look("recall", &opened(80, 24).0);
    look("recall_large", &opened(160, 48).0);
    look("recall_least", &opened(60, 16).0);
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "Down");
    look("recall_failed_call", &stage);
    keys(&mut stage, &store, "^R ^R");
    keys(&mut stage, &store, "1009");
    look("recall_other_broker", &stage);
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "password");
    look("recall_secret", &stage);
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "客戶");
    look("recall_wide", &stage);
}

#[test]
fn a_secret_of_the_form_is_not_told_beside_what_a_call_would_change() {
    let mut stage = stage(160, 48);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter api_token=hunter2xyz Enter ^R");
    answer(&mut stage, &store);
    keys(&mut stage, &store, "customer Space error");
    let screen = stage.screen();
    assert!(screen.contains("api_token '***' -> (omitted)"), "{screen}");
    assert!(!screen.contains("hunter2xyz"), "{screen}");
}

#[test]
fn looks_of_recall_without_calls() {
    let mut stage = stage(80, 24);
    let store = disk(&[], stage.now);
    stage.keys("j Enter ^R");
    look("recall_loading", &stage);
    answer(&mut stage, &store);
    look("recall_empty", &stage);
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "zzz");
    look("recall_no_match", &stage);
    let mut stage = Stage::new(80, 24).shop();
    stage.keys("^R");
    look("recall_off", &stage);
}

#[test]
fn a_history_that_cannot_be_read_says_so_and_is_asked_again() {
    let mut stage = stage(80, 24);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter ^R");
    let number = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Recall(number, _)) => Some(*number),
        _ => None,
    });
    let error = Error::new(Kind::Internal, "disk I/O error");
    stage.effects.clear();
    stage.tell(Message::History(vec![Told::Recall(
        number.expect("a question"),
        Err(error),
    )]));
    assert!(says(&stage, "History cannot be read: disk I/O error"));
    keys(&mut stage, &store, "^R");
    assert!(says(&stage, "order_id=42"), "{}", stage.screen());
}

#[test]
fn enter_loads_the_call_and_sends_nothing() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "Enter");
    assert_eq!(stage.state.focus, Pane::Call);
    assert!(says(&stage, "loaded into the form; u brings back"));
    assert!(sent(&stage).is_empty());
    stage.keys("F5");
    assert_eq!(
        sent(&stage),
        ["shop.orders.refund(order_id=42, amount=Decimal('12.50'), note='客戶要求退款')"]
    );
}

#[test]
fn the_key_that_loads_does_not_send_when_it_is_pressed_twice() {
    let (mut stage, _) = opened(80, 24);
    stage.fast_keys("Enter Enter Enter F5");
    assert!(sent(&stage).is_empty());
}

#[test]
fn what_a_load_replaced_comes_back_and_the_load_too() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "Enter");
    assert!(!says(&stage, "order_id=41"));
    stage.keys("u");
    assert!(says(&stage, "order_id=41"), "{}", stage.screen());
    stage.keys("u");
    assert!(says(&stage, "order_id=42"), "{}", stage.screen());
    stage.keys("q");
    assert!(
        says(&stage, "holds what was not sent"),
        "{}",
        stage.screen()
    );
}

#[test]
fn without_a_load_u_takes_back_nothing() {
    let mut stage = stage(80, 24);
    stage.keys("j Enter order_id=41 Enter Esc u");
    assert!(says(&stage, "nothing to take back"));
    assert!(says(&stage, "order_id=41"));
}

#[test]
fn esc_closes_and_nothing_changed() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "40 Esc");
    assert!(!says(&stage, "Recall a call"));
    assert!(says(&stage, "order_id=41"));
    assert!(stage.state.typing(), "the user goes on typing");
}

#[test]
fn ctrl_r_widens_from_the_task_to_the_broker_to_everything_and_comes_back() {
    let (mut stage, store) = opened(80, 24);
    let seen = |stage: &Stage| {
        (
            says(stage, "note='customer error'"),
            says(stage, "send_receipt(to"),
            says(stage, "stg-redis:6379/0 refund"),
        )
    };
    assert_eq!(seen(&stage), (true, false, false), "{}", stage.screen());
    keys(&mut stage, &store, "^R");
    assert_eq!(seen(&stage), (true, true, false), "{}", stage.screen());
    keys(&mut stage, &store, "^R");
    assert_eq!(seen(&stage), (true, true, true), "{}", stage.screen());
    keys(&mut stage, &store, "^R");
    assert_eq!(seen(&stage), (true, false, false), "{}", stage.screen());
}

#[test]
fn tab_narrows_to_calls_that_returned_or_failed_and_comes_back() {
    let (mut stage, store) = opened(80, 24);
    let seen = |stage: &Stage| (says(stage, "order_id=7,"), says(stage, "order_id=40,"));
    assert!(says(&stage, "this task · this broker · any outcome"));
    assert_eq!(seen(&stage), (true, true), "{}", stage.screen());
    keys(&mut stage, &store, "Tab");
    assert!(says(&stage, "this broker · ok only"), "{}", stage.screen());
    assert_eq!(seen(&stage), (true, false), "{}", stage.screen());
    keys(&mut stage, &store, "Tab");
    assert!(says(&stage, "failed only"), "{}", stage.screen());
    assert_eq!(seen(&stage), (false, true), "{}", stage.screen());
    // What is typed and how far is looked stand.
    keys(&mut stage, &store, "^R receipt");
    let screen = stage.screen();
    assert!(screen.contains("Tab looks at any"), "{screen}");
    keys(&mut stage, &store, "Tab");
    assert!(says(&stage, "send_receipt(to"), "{}", stage.screen());
}

#[test]
fn a_call_of_another_broker_says_in_the_form_where_it_came_from() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "^R ^R 1009 Enter");
    let screen = stage.screen();
    assert!(
        screen.contains("! made at redis://stg-redis:6379/0"),
        "{screen}"
    );
    stage.keys("u");
    assert!(
        !says(&stage, "made at"),
        "the form of before came from nowhere"
    );
}

#[test]
fn a_secret_is_never_shown_and_has_to_be_typed_again() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "password");
    assert!(says(&stage, "password *** to be typed again"));
    keys(&mut stage, &store, "Enter");
    stage.keys("F5");
    assert!(sent(&stage).is_empty());
    assert!(!says(&stage, "hunter2xyz"));
    assert!(says(&stage, "type it again"), "{}", stage.screen());
}

#[test]
fn another_task_opens_its_own_form() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "^R receipt");
    assert!(says(&stage, "opens the form of shop.mail.send_receipt"));
    keys(&mut stage, &store, "Enter");
    assert!(says(&stage, "send_receipt(to='王小明')"));
    stage.keys("Esc Enter");
    assert!(says(&stage, "order_id=41"), "its form kept what it held");
}

#[test]
fn enter_before_the_call_has_come_loads_it_when_it_comes() {
    let mut stage = stage(80, 24);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter ^R");
    answer(&mut stage, &store);
    stage.keys("Down Enter");
    assert!(says(&stage, "Recall a call"));
    answer(&mut stage, &store);
    assert!(!says(&stage, "Recall a call"));
    assert!(says(&stage, "order_id=40"), "{}", stage.screen());
}

#[test]
fn an_answer_to_an_older_question_is_thrown_away() {
    let mut stage = stage(80, 24);
    let store = disk(&MOCK_UP, stage.now);
    stage.keys("j Enter ^R");
    let late = std::mem::take(&mut stage.effects);
    stage.keys("Esc ^R ^R");
    answer(&mut stage, &store);
    let before = stage.screen();
    stage.effects = late;
    answer(&mut stage, &store);
    assert_eq!(stage.screen(), before);
}

#[test]
fn help_lies_over_recall_and_gives_it_back() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "cust F1");
    assert!(says(&stage, "Help: Recall a call"));
    stage.keys("Esc");
    assert!(says(&stage, "cust "), "{}", stage.screen());
    assert!(says(&stage, "Recall a call"));
}

#[test]
fn only_the_newest_calls_are_looked_through_and_words_find_older_ones() {
    let mut stage = stage(80, 24);
    let mut store = Store::memory().expect("a store in memory");
    let now = stage.now;
    let template = record(0, &MOCK_UP[1], now);
    let many = (0..6_200_u32).map(|number| {
        let mut record = template.clone();
        record.signature.id = TaskId(format!("{number:08x}-0000-4000-8000-00000000000b"));
        record.times.created = now.wall - Duration::from_mins(1) * (number + 1);
        record.signature.kwargs[0].1 = Json::from(u64::from(number));
        if number == 6_000 {
            record.signature.kwargs[2].1 = Json::from("needle");
        }
        record
    });
    let many: Vec<Record> = many.collect();
    store.upsert(&many).expect("records are kept");
    stage.keys("j Enter ^R");
    assert_eq!(answer(&mut stage, &store), 7, "six pages and one call");
    assert!(
        says(&stage, "5,000 of the newest 5,000"),
        "{}",
        stage.screen()
    );
    keys(&mut stage, &store, "needle");
    assert!(
        says(&stage, "1 older with these words"),
        "{}",
        stage.screen()
    );
    keys(&mut stage, &store, "Enter");
    assert!(says(&stage, "order_id=6000"), "{}", stage.screen());
}

#[test]
fn what_matches_best_comes_first_and_of_equals_the_newest() {
    let (mut stage, store) = opened(80, 24);
    keys(&mut stage, &store, "customer");
    let screen = stage.screen();
    let place = |text: &str| screen.find(text).unwrap_or(usize::MAX);
    assert!(
        place("customer asked") < place("customer error"),
        "{screen}"
    );
    assert!(screen.contains("2 of 4"), "{screen}");
    keys(&mut stage, &store, "Space fail");
    assert!(says(&stage, "1 of 4"), "{}", stage.screen());
    assert_eq!(CallState::Fail.word(), "FAIL");
}

#[test]
fn a_paste_is_looked_for_and_chooses_nothing() {
    let (mut stage, _) = opened(80, 24);
    stage.paste("customer\nasked");
    assert!(says(&stage, "customer asked  "), "{}", stage.screen());
    stage.burst("Enter");
    assert!(says(&stage, "Recall a call"));
}
