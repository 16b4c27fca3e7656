//! Calls of earlier runs: listed, listened for again, loaded, and never told twice.

use std::time::Duration;

use umbel::call::diagnosis::Looked;
use umbel::call::{Call, CallState, Fact, Look};
use umbel::client::{Command, Event};
use umbel::clock::Now;
use umbel::cluster::{Answer, Heard};
use umbel::history::store::Store;
use umbel::history::{Filter, Found, Key, Known, Origin, Record, Scribe, compare};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, Options, QueueName, Signature, TaskId};
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::past::{Purpose, Told, Want, Wish};

use crate::looks::look;
use crate::stage::{CAST, Stage, failure, result};

const HOUR: Duration = Duration::from_hours(1);

pub fn scribe() -> Scribe {
    Scribe {
        origin: Origin {
            broker: "amqp://localhost:5672/".to_owned(),
            ..Origin::default()
        },
        ..Scribe::default()
    }
}

pub fn stage(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height);
    stage.state.shared.scribe = Some(scribe());
    stage.shop()
}

/// A call that was made `ago` before `now` and sent.
pub fn call(number: u64, kwargs: &[(&str, Json)], now: Now, ago: Duration) -> (Call, Now) {
    let at = Now {
        wall: now.wall - ago,
        mono: now.mono,
    };
    let signature = Signature {
        task: "shop.orders.refund".into(),
        id: TaskId(format!("{number:08x}-0000-4000-8000-00000000000a")),
        args: Vec::new(),
        kwargs: kwargs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), at);
    call.queue = Some(QueueName::from("default"));
    call.apply(Fact::Publishing, at);
    call.apply(Fact::Confirmed, at);
    (call, at)
}

pub fn record(call: &Call, at: Now) -> Record {
    Record::of(call, &scribe(), Known::default(), at)
}

/// Five calls of the last hours, as the disk has them.
pub fn records(now: Now) -> Vec<Record> {
    let order = |number: u64| [("order_id", Json::from(number))];
    let ended = |number: u64, ago: u32, fact: fn(&TaskId) -> Fact| {
        let (mut call, at) = call(number, &order(number), now, HOUR * ago);
        let end = at.plus(Duration::from_millis(212));
        let fact = fact(&call.id().clone());
        call.apply(fact, end);
        record(&call, end)
    };
    let (mut open, at) = call(7, &order(7), now, HOUR * 3);
    open.tick(at.plus(Duration::from_secs(10)));
    vec![
        ended(42, 1, |id| {
            result(id, TaskState::Success, "{\"refunded\": true}")
        }),
        ended(41, 2, |id| {
            failure(id, "OutOfStock", "[\"no stock\"]", None)
        }),
        record(&open, at.plus(Duration::from_secs(10))),
        ended(40, 30, |id| result(id, TaskState::Success, "null")),
    ]
}

/// A key was pressed where the user is; history tells what it has for that.
fn wanted(stage: &mut Stage, want: Want, purpose: fn(u64) -> Purpose, found: Found) {
    let context = stage.state.context();
    let press = stage.state.awaited.pressed(want, context);
    let told = Told::Got(found, purpose(press.expect("nothing is asked for")));
    stage.tell(Message::History(vec![told]));
}

/// A call of history is opened.
pub fn open(stage: &mut Stage, found: Found) {
    wanted(stage, Want::Show(Key::default()), Purpose::Show, found);
}

/// A call of history is loaded into the form.
pub fn load(stage: &mut Stage, found: Found) {
    wanted(stage, Want::Load(Key::default()), Purpose::Load, found);
}

/// Answers what History asked, as the disk would.
pub fn answer(stage: &mut Stage, store: &Store) {
    let wishes = std::mem::take(&mut stage.effects);
    let (told, others) = answers(wishes, store);
    stage.effects = others;
    stage.tell(Message::History(told));
}

/// What the disk answers; and what is not asked of it.
fn answers(wishes: Vec<Effect>, store: &Store) -> (Vec<Told>, Vec<Effect>) {
    let (mut told, mut others) = (Vec::new(), Vec::new());
    for effect in wishes {
        match effect {
            Effect::History(Wish::Page {
                asked,
                filter,
                before,
            }) => told.push(Told::Page {
                asked,
                before,
                rows: store.page(&filter, before, 200).expect("a page"),
            }),
            Effect::History(Wish::Compare(id, other, press)) => {
                let one = |key| {
                    store
                        .records(&Filter::default(), None, 999)
                        .expect("records")
                        .records
                        .into_iter()
                        .find(|record: &Record| record.key() == key)
                };
                let other = match other {
                    Some(other) => one(other),
                    None => store.previous(&id).expect("a record"),
                };
                let compared = one(id).zip(other);
                let compared = compared.map(|(one, other)| Box::new(compare(&one, &other)));
                told.push(Told::Compared(
                    compared.ok_or_else(|| "nothing to compare".to_owned()),
                    press,
                ));
            }
            Effect::History(Wish::Get(id, purpose)) => {
                let found = store.get_call(&id).expect("a record");
                told.push(Told::Got(found, purpose));
            }
            Effect::History(Wish::Counts(number, filter)) => {
                let open = Filter {
                    states: vec![CallState::Timeout],
                    ..Filter::default()
                };
                let counts = [&Filter::default(), &open, &filter];
                let counts = counts.map(|filter| store.count(filter).expect("a count"));
                told.push(Told::Counts(number, counts));
            }
            other => others.push(other),
        }
    }
    (told, others)
}

pub fn listed(width: u16, height: u16) -> (Stage, Store) {
    let mut stage = stage(width, height);
    let mut store = Store::memory().expect("a store in memory");
    store.upsert(&records(stage.now)).expect("records are kept");
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    (stage, store)
}

#[test]
fn looks_of_the_calls_on_disk() {
    look("past", &listed(80, 24).0);
    look("past_large", &listed(160, 48).0);
    let (mut stage, store) = listed(80, 24);
    stage.keys("/ state:fail");
    answer(&mut stage, &store);
    look("past_filter", &stage);
    let mut stage = self::stage(80, 24);
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &Store::memory().expect("a store in memory"));
    look("past_empty", &stage);
}

#[test]
fn the_disk_is_asked_at_once_when_the_pane_is_opened_so_that_no_old_count_stands_over_new_rows() {
    let (mut stage, mut store) = listed(80, 24);
    assert!(stage.screen().contains("4 kept"), "{}", stage.screen());
    stage.keys("1");
    let (call, at) = call(9, &[], stage.now, Duration::from_secs(1));
    store.upsert(&[record(&call, at)]).expect("a record");
    stage.effects.clear();
    stage.keys("4");
    answer(&mut stage, &store);
    assert!(stage.screen().contains("5 kept"), "{}", stage.screen());
    stage.effects.clear();
    stage.tell(Message::Tick);
    let asks = |effect: &Effect| matches!(effect, Effect::History(Wish::Counts(..)));
    assert!(!stage.effects.iter().any(asks), "it was just asked");
}

#[test]
fn the_same_rows_again_draw_nothing() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("1 4");
    let asks = |effect: &Effect| matches!(effect, Effect::History(Wish::Page { .. }));
    assert!(stage.effects.iter().any(asks), "{:?}", stage.effects);
    stage.redrawn = false;
    answer(&mut stage, &store);
    assert!(!stage.redrawn);
}

/// What the disk says to what is wished now; the answer is still under way.
pub fn under_way(stage: &mut Stage, store: &Store) -> Vec<Told> {
    let wishes = std::mem::take(&mut stage.effects);
    let (told, others) = answers(wishes, store);
    stage.effects = others;
    told
}

#[test]
fn answers_that_overtake_each_other_never_bring_back_an_old_count_or_a_deleted_call() {
    let (mut stage, mut store) = listed(80, 24);
    stage.keys("1 4");
    let first = under_way(&mut stage, &store);
    stage.keys("1 4");
    let second = under_way(&mut stage, &store);
    stage.keys("Del");
    let forget = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Forget(key, now)) => Some((key.clone(), *now)),
        _ => None,
    });
    let (key, now) = forget.expect("it is deleted");
    let gone = store.forget_call(&key, now).expect("a store that works");
    let gone = Told::Forgotten(key, gone.map(Box::new));
    stage.tell(Message::History(vec![gone]));
    let after = under_way(&mut stage, &store);
    assert!(after.len() >= 2, "rows and counts are asked again");
    let has_it = |stage: &Stage| stage.screen().contains("11:04:43");
    assert!(has_it(&self::listed(80, 24).0));
    for told in first {
        stage.tell(Message::History(vec![told]));
        assert!(!has_it(&stage), "{}", stage.screen());
    }
    for told in after.into_iter().chain(second) {
        stage.tell(Message::History(vec![told]));
        assert!(!has_it(&stage), "{}", stage.screen());
    }
    assert!(stage.screen().contains("3 kept"), "{}", stage.screen());
}

#[test]
fn of_two_looks_the_later_one_stands_whichever_is_answered_first() {
    let (mut stage, mut store) = listed(80, 24);
    stage.keys("1 4");
    let first = under_way(&mut stage, &store);
    let (call, at) = call(
        9,
        &[("order_id", Json::from(9))],
        stage.now,
        Duration::from_secs(1),
    );
    store.upsert(&[record(&call, at)]).expect("a record");
    stage.keys("1 4");
    let second = under_way(&mut stage, &store);
    assert!(!first.is_empty() && !second.is_empty());
    // Counts before their rows.
    for told in second.into_iter().rev().chain(first) {
        stage.tell(Message::History(vec![told]));
        let screen = stage.screen();
        let rows = screen.matches("refund  ").count();
        let kept = ["4 kept", "5 kept"].map(|kept| screen.contains(kept));
        assert_eq!(kept, [rows == 5, rows == 6], "{screen}");
    }
    let screen = stage.screen();
    assert!(screen.contains("5 kept"), "{screen}");
    assert!(screen.contains("refund(order_id=9)"), "{screen}");
}

#[test]
fn a_call_of_an_earlier_run_is_listened_for_and_its_end_lands_in_the_same_record() {
    let mut stage = stage(80, 24);
    let records = records(stage.now);
    let open = records[2].clone();
    stage.tell(Message::History(vec![Told::Unresolved(vec![open.clone()])]));
    let followed = stage
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Client(Command::Follow(id)) if id == open.id()));
    assert!(followed, "{:?}", stage.effects);
    let focus = stage.state.focus;
    let fact = result(open.id(), TaskState::Success, "1");
    stage.fact_of(&open.id().clone(), fact);
    assert_eq!(stage.state.focus, focus);
    assert!(stage.screen().contains("LATE OK"), "{}", stage.screen());
    let saved = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) if record.id() == open.id() => Some(record),
        _ => None,
    });
    let saved = saved.expect("it was not written down");
    assert_eq!(saved.state, CallState::LateOk);
    assert_eq!(saved.times.created, open.times.created);
    stage.keys("!");
    assert!(stage.screen().contains("[3 Result]"), "{}", stage.screen());
}

#[test]
fn a_call_that_another_umbel_still_waits_for_is_left_to_it() {
    let mut stage = stage(80, 24);
    let (call, at) = call(1, &[], stage.now, Duration::from_secs(1));
    let waited_for = record(&call, at);
    stage.tell(Message::History(vec![Told::Unresolved(vec![waited_for])]));
    let follows = |effect: &Effect| matches!(effect, Effect::Client(Command::Follow(_)));
    assert!(!stage.effects.iter().any(follows));
}

/// Everybody is asked about a call, and nobody has it: nor is it in its queue.
pub fn vanishes(stage: &mut Stage, id: &TaskId) {
    stage.depth("default", 0, 2);
    stage.pass(Duration::from_millis(10));
    stage.fact_of(id, Fact::Asked);
    stage.depth("default", 0, 2);
    let asked = stage.now.mono;
    for cast in CAST {
        for looked in [Looked::Tasks, Looked::Scheduled] {
            let fact = Fact::Answered {
                node: cast.name.into(),
                looked,
                held: false,
                asked,
            };
            stage.fact_of(id, fact);
        }
        let limits = Heard::Answer {
            node: cast.name.into(),
            answer: Answer::Item {
                item: "rate_limit".to_owned(),
                values: Vec::new(),
            },
            took: Duration::ZERO,
        };
        stage.heard(limits);
    }
    stage.fact_of(id, Fact::NotStored);
}

#[test]
fn a_call_that_the_last_look_found_nowhere_is_listed_so_until_it_is_heard_of() {
    let mut stage = stage(80, 24);
    let (call, at) = call(1, &[], stage.now, HOUR);
    let id = call.id().clone();
    stage.tell(Message::History(vec![Told::Unresolved(vec![record(
        &call, at,
    )])]));
    stage.keys("4");
    vanishes(&mut stage, &id);
    stage.effects.clear();
    stage.tell(Message::Tick);
    assert!(stage.screen().contains("LOST?"), "{}", stage.screen());
    let saved = saved(&stage, &id).expect("it was not written down");
    assert_eq!(saved.listed(), CallState::Lost);
    stage.effects.clear();
    stage.tell(Message::Tick);
    assert!(self::saved(&stage, &id).is_none(), "nobody looked again");
    stage.pass(Duration::from_millis(10));
    stage.fact_of(&id, result(&id, TaskState::Success, "1"));
    assert!(!stage.screen().contains("LOST?"), "{}", stage.screen());
    let end = self::saved(&stage, &id).expect("its end was not written down");
    assert!(end.listed().is_final() && end.revision() > saved.revision());
}

#[test]
fn what_another_umbel_s_look_came_to_is_listed_here() {
    let mut stage = stage(80, 24);
    let (call, at) = call(1, &[], stage.now, HOUR);
    let record = record(&call, at);
    stage.tell(Message::History(vec![Told::Unresolved(vec![
        record.clone(),
    ])]));
    stage.keys("4");
    assert!(!stage.screen().contains("LOST?"), "{}", stage.screen());
    let mut looked = call.clone();
    looked.looked = Some(Look {
        at: at.plus(HOUR / 2),
        state: Some(CallState::Lost),
        inferred: true,
    });
    let record = record.looked_for(&looked, &Json::Null);
    let renew = Told::Got(Found::One(Box::new(record)), Purpose::Renew);
    stage.tell(Message::History(vec![renew]));
    assert!(stage.screen().contains("LOST?"), "{}", stage.screen());
}

/// What was written down of a call last.
pub fn saved(stage: &Stage, id: &TaskId) -> Option<Record> {
    stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) if record.id() == id => Some((**record).clone()),
        _ => None,
    })
}

#[test]
fn the_reply_queue_of_a_run_that_has_gone_is_lost_and_that_is_written_down() {
    let mut stage = stage(80, 24);
    stage.event(Event::Results(umbel::backend::Results::Rpc));
    let (call, at) = call(1, &[], stage.now, HOUR);
    stage.tell(Message::History(vec![Told::Unresolved(vec![record(
        &call, at,
    )])]));
    let saved = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) => Some(record),
        _ => None,
    });
    let saved = saved.expect("it was not written down");
    assert_eq!(saved.state, CallState::Detached);
    assert!(
        saved.warnings[0].contains("reply queue"),
        "{:?}",
        saved.warnings
    );
}

#[test]
fn a_secret_is_typed_again_before_a_call_is_repeated() {
    let mut stage = stage(80, 24);
    let secret = [("password", Json::from("hunter2xyz"))];
    let (call, at) = call(1, &secret, stage.now, HOUR);
    let mut store = Store::memory().expect("a store in memory");
    store.upsert(&[record(&call, at)]).expect("a record");
    stage.keys("4");
    stage.tell(Message::Tick);
    answer(&mut stage, &store);
    stage.keys(".");
    answer(&mut stage, &store);
    let calls = |effect: &Effect| matches!(effect, Effect::Client(Command::Call(_)));
    assert!(!stage.effects.iter().any(calls));
    let screen = stage.screen();
    assert!(screen.contains("type it again"), "{screen}");
    assert!(!screen.contains("hunter2xyz"));
}

fn asks_who_is_left(stage: &Stage) -> bool {
    let asks = |effect: &Effect| matches!(effect, Effect::History(Wish::Unresolved(..)));
    stage.effects.iter().any(asks)
}

#[test]
fn a_call_whose_umbel_was_killed_is_listened_for_when_its_time_is_over() {
    let mut stage = stage(80, 24);
    stage.effects.clear();
    let (call, at) = call(1, &[], stage.now, Duration::from_secs(1));
    let left = record(&call, at);
    stage.tell(Message::History(vec![Told::Unresolved(vec![left.clone()])]));
    stage.pass(Duration::from_secs(12));
    stage.tell(Message::Tick);
    assert!(!asks_who_is_left(&stage), "{:?}", stage.effects);
    stage.pass(Duration::from_secs(5));
    stage.tell(Message::Tick);
    assert!(asks_who_is_left(&stage), "{:?}", stage.effects);
    stage.tell(Message::History(vec![Told::Unresolved(vec![left])]));
    let follows = |effect: &Effect| matches!(effect, Effect::Client(Command::Follow(_)));
    assert!(stage.effects.iter().any(follows), "{:?}", stage.effects);
}

#[test]
fn what_another_umbel_leaves_is_asked_for_while_we_run_and_else_nothing_is() {
    let mut stage = stage(80, 24);
    stage.effects.clear();
    stage.pass(Duration::from_secs(30));
    stage.tell(Message::Tick);
    assert!(!asks_who_is_left(&stage), "{:?}", stage.effects);
    let changed = Told::Notice(umbel::history::Notice::Changed);
    stage.tell(Message::History(vec![changed]));
    stage.tell(Message::Tick);
    let since = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Unresolved(_, since)) => Some(*since),
        _ => None,
    });
    // Calls of which we were told at the start are not asked for again.
    assert!(since.is_some_and(|since| since > stage.now.wall - HOUR));
}

#[test]
fn a_screen_that_is_ended_from_outside_leaves_its_calls_to_the_next_one() {
    let mut stage = stage(80, 24);
    stage.keys("Enter");
    stage.send();
    let id = stage.last_id();
    stage.tell(Message::Gone);
    let saved = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) if *record.id() == id => Some(record),
        _ => None,
    });
    assert_eq!(
        saved.expect("it was written down").state,
        CallState::Detached
    );
}

#[test]
fn results_of_many_calls_are_held_by_history_and_read_back_when_one_is_opened() {
    let mut stage = stage(80, 24);
    let mut store = Store::memory().expect("a store in memory");
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    for number in 0..40 {
        let (call, _) = call(number, &[], stage.now, Duration::ZERO);
        let id = call.id().clone();
        stage.state.shared.calls.push(call);
        stage.fact_of(&id, result(&id, TaskState::Success, &large));
        stage.pass(Duration::from_millis(10));
        answer(&mut stage, &store);
        for effect in std::mem::take(&mut stage.effects) {
            if let Effect::History(Wish::Save(record)) = effect {
                store.upsert(&[*record]).expect("it is kept");
            }
        }
    }
    let held = stage.state.shared.calls.newest_first().map(Call::heft);
    assert!(held.sum::<usize>() <= 26 << 20);
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 40);
    stage.keys("4");
    stage.pass(Duration::from_secs(2));
    answer(&mut stage, &store);
    stage.keys("G Enter");
    let first = TaskId("00000000-0000-4000-8000-00000000000a".to_owned());
    let opens =
        |effect: &Effect| matches!(effect, Effect::History(Wish::Get((id, _), _)) if *id == first);
    assert!(stage.effects.iter().any(opens), "{:?}", stage.effects);
}
