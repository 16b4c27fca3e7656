//! Calls that others made or heard more of, a disk that fails, and what is typed and deleted meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use umbel::backend::Results;
use umbel::call::{Call, CallState};
use umbel::client::{Command, Event};
use umbel::error::{Error, Kind};
use umbel::history::record::{Unreadable, Waited};
use umbel::history::store::Store;
use umbel::history::{Filter, Found, Notice, Record};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, TaskId};
use umbel::tui::effect::Effect;
use umbel::tui::message::Message;
use umbel::tui::past::{PAGE, Purpose, Told, Wish};

use crate::looks::look;
use crate::past::{self, answer, call, listed, record, stage};
use crate::stage::{Stage, failure, result, started};

const HOUR: Duration = Duration::from_hours(1);

fn tell(stage: &mut Stage, told: Told) {
    stage.tell(Message::History(vec![told]));
}

fn got(record: &Record, purpose: Purpose) -> Told {
    Told::Got(Found::One(Box::new(record.clone())), purpose)
}

/// A call of history is opened.
fn opened(stage: &mut Stage, record: &Record) {
    past::open(stage, Found::One(Box::new(record.clone())));
}

/// A call that another program made, timed out an hour ago.
fn open(stage: &Stage, number: u64) -> (Call, Record) {
    let (mut call, at) = call(number, &[], stage.now, HOUR);
    let over = at.plus(Duration::from_secs(10));
    call.tick(over);
    let record = record(&call, over);
    (call, record)
}

fn wishes_for(stage: &Stage, id: &TaskId) -> usize {
    let asks = |effect: &&Effect| matches!(effect, Effect::History(Wish::Get((asked, _), Purpose::Renew)) if asked == id);
    stage.effects.iter().filter(asks).count()
}

#[test]
fn a_record_that_is_looked_at_is_renewed_when_another_umbel_writes_its_end() {
    let mut stage = stage(80, 24);
    stage.event(Event::Results(Results::Rpc));
    let (mut call, before) = open(&stage, 7);
    opened(&mut stage, &before);
    let screen = stage.screen();
    assert!(screen.contains("TIMEOUT"), "{screen}");
    assert!(
        screen.contains("umbel wait"),
        "nobody here listens: {screen}"
    );
    assert!(
        !screen.contains("a late result is shown here and kept"),
        "{screen}"
    );
    stage.keys("+");
    assert!(
        stage.screen().contains("does not wait for it"),
        "{}",
        stage.screen()
    );
    stage.effects.clear();
    tell(&mut stage, Told::Notice(Notice::Changed));
    assert_eq!(wishes_for(&stage, before.id()), 1);
    stage.redrawn = false;
    tell(&mut stage, got(&before, Purpose::Renew));
    assert!(!stage.redrawn, "nothing new draws nothing");
    let end = stage.now.plus(Duration::from_mins(1));
    call.apply(result(&call.id().clone(), TaskState::Success, "1"), end);
    tell(&mut stage, got(&record(&call, end), Purpose::Renew));
    assert!(stage.screen().contains("LATE OK"), "{}", stage.screen());
}

#[test]
fn a_call_that_nobody_listens_for_is_told_as_of_when_it_was_heard_of_last() {
    let mut stage = stage(80, 24);
    stage.event(Event::Results(Results::Rpc));
    let (mut call, at) = call(7, &[], stage.now, HOUR);
    call.apply(
        started(&call.id().clone()),
        at.plus(Duration::from_millis(800)),
    );
    let over = at.plus(Duration::from_secs(10));
    call.tick(over);
    opened(&mut stage, &record(&call, over));
    let screen = stage.screen();
    assert!(screen.contains("when last heard of"), "{screen}");
    assert!(!screen.contains("Where it is now"), "{screen}");
    assert!(!screen.contains("Likely why"), "{screen}");
    for minute in 1..=2 {
        stage.now = stage.now.plus(Duration::from_mins(1));
        let later = stage.screen();
        let said = |text: &str| {
            let lines = text.lines().skip(3);
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(said(&later), said(&screen), "after {minute} min");
    }
}

#[test]
fn a_call_that_was_left_alone_is_listened_for_as_soon_as_it_is_looked_at() {
    let mut stage = stage(80, 24);
    let (_, before) = open(&stage, 7);
    opened(&mut stage, &before);
    let follows = |effect: &Effect| matches!(effect, Effect::Client(Command::Follow(id)) if id == before.id());
    assert!(stage.effects.iter().any(follows), "{:?}", stage.effects);
    let fact = result(before.id(), TaskState::Success, "1");
    stage.fact_of(&before.id().clone(), fact);
    assert!(stage.screen().contains("LATE OK"), "{}", stage.screen());
}

/// How often the notice line can be opened for something of an earlier run.
fn notices(stage: &mut Stage) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let screen = stage.screen();
        let line = screen.lines().rev().nth(1).unwrap_or_default().to_owned();
        if !line.contains("that another umbel made has ended") {
            return seen;
        }
        seen.push(line);
        let now = stage.now;
        stage.state.notices.open(now);
    }
}

#[test]
fn every_end_of_a_call_of_an_earlier_run_is_told_once() {
    let states = [
        ("LATE OK", TaskState::Success, None),
        ("LATE FAIL", TaskState::Failure, Some("OutOfStock")),
        ("REVOKED", TaskState::Revoked, Some("TaskRevokedError")),
    ];
    for (word, _, exception) in states {
        let mut stage = stage(80, 24);
        let (_, before) = open(&stage, 7);
        tell(&mut stage, Told::Unresolved(vec![before.clone()]));
        tell(&mut stage, Told::Unresolved(vec![before.clone()]));
        let id = before.id().clone();
        let fact = match exception {
            None => result(&id, TaskState::Success, "1"),
            Some("TaskRevokedError") => {
                let mut fact = failure(&id, "TaskRevokedError", "[\"revoked\"]", None);
                if let umbel::call::Fact::Result(told) = &mut fact {
                    told.state = TaskState::Revoked;
                }
                fact
            }
            Some(kind) => failure(&id, kind, "[1]", None),
        };
        stage.fact_of(&id, fact);
        let mut ended = before.clone();
        ended.state = CallState::LateOk;
        tell(&mut stage, got(&ended, Purpose::Renew));
        let seen = notices(&mut stage);
        assert_eq!(seen.len(), 1, "{word}: {seen:?}");
        assert!(seen[0].contains(word), "{seen:?}");
    }
}

#[test]
fn an_end_that_another_umbel_wrote_first_is_told_once() {
    let mut stage = stage(80, 24);
    let (mut call, before) = open(&stage, 7);
    tell(&mut stage, Told::Unresolved(vec![before.clone()]));
    stage.effects.clear();
    tell(&mut stage, Told::Notice(Notice::Changed));
    assert_eq!(wishes_for(&stage, before.id()), 1);
    let id = before.id().clone();
    let fact = result(&id, TaskState::Success, "1");
    let end = stage.now;
    call.apply(fact.clone(), end);
    tell(&mut stage, got(&record(&call, end), Purpose::Renew));
    stage.fact_of(&id, fact);
    assert_eq!(notices(&mut stage).len(), 1);
}

#[test]
fn a_disk_that_fails_is_told_as_long_as_it_does() {
    let trouble = || {
        let message = "history /home/u/.local/share/umbel/history.db: file is not a database; calls are kept in memory only";
        Error::new(Kind::Config, message).hint("umbel history repair")
    };
    let (mut stage, _) = listed(80, 24);
    tell(&mut stage, Told::Notice(Notice::InMemory(trouble())));
    stage.keys("!");
    stage.pass(Duration::from_mins(1));
    look("past_broken", &stage);
    let (mut large, _) = listed(160, 48);
    tell(&mut large, Told::Notice(Notice::InMemory(trouble())));
    assert!(
        large.screen().contains("umbel history repair"),
        "{}",
        large.screen()
    );
    tell(
        &mut stage,
        Told::Notice(Notice::OnDisk(PathBuf::from("/home/u/history.db"))),
    );
    let screen = stage.screen();
    assert!(!screen.contains("umbel history repair"), "{screen}");
    assert!(!screen.contains("in memory"), "{screen}");
}

#[test]
fn an_unknown_state_is_told_with_those_that_are_known() {
    let (mut stage, store) = listed(80, 24);
    stage.keys("/ state:xyz");
    answer(&mut stage, &store);
    let screen = stage.screen();
    assert!(screen.contains("No state is called"), "{screen}");
    assert!(screen.contains("timeout late_ok"), "{screen}");
}

/// Deletes what the stage wishes to be deleted, and so on.
pub fn serve(stage: &mut Stage, store: &mut Store) {
    let mut rest = Vec::new();
    let mut told = Vec::new();
    for effect in std::mem::take(&mut stage.effects) {
        match effect {
            Effect::History(Wish::Forget(id, now)) => {
                let record = store.forget_call(&id, now).expect("it is forgotten");
                told.push(Told::Forgotten(id, record.map(Box::new)));
            }
            Effect::History(Wish::Recollect(record)) => {
                store.recollect(&record).expect("it is back");
                told.push(Told::Recollected(record.key()));
            }
            Effect::History(Wish::Save(record)) => {
                store.upsert(&[*record]).expect("it is kept");
            }
            other => rest.push(other),
        }
    }
    stage.effects = rest;
    stage.tell(Message::History(told));
    answer(stage, store);
}

#[test]
fn a_call_that_is_forgotten_in_flight_comes_back_as_it_is_by_then() {
    let mut stage = crate::looks::called(stage(80, 24));
    let mut store = Store::memory().expect("a store in memory");
    let id = stage.last_id();
    stage.fact(umbel::call::Fact::Publishing);
    stage.fact(umbel::call::Fact::Confirmed);
    serve(&mut stage, &mut store);
    stage.keys("4");
    stage.pass(Duration::from_secs(2));
    serve(&mut stage, &mut store);
    stage.keys("Del");
    serve(&mut stage, &mut store);
    assert!(
        stage.screen().contains("the call goes on"),
        "{}",
        stage.screen()
    );
    assert!(!stage.screen().contains("1 kept"), "{}", stage.screen());
    stage.fact(result(&id, TaskState::Success, "1"));
    serve(&mut stage, &mut store);
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 0);
    stage.keys("u");
    serve(&mut stage, &mut store);
    serve(&mut stage, &mut store);
    let row = store.page(&Filter::default(), None, 9).unwrap().remove(0);
    assert_eq!(
        row.state,
        CallState::Ok,
        "not the state of when it was forgotten"
    );
}

#[test]
fn what_cannot_be_taken_back_can_be_tried_again() {
    let (mut stage, mut store) = listed(80, 24);
    stage.keys("Del");
    serve(&mut stage, &mut store);
    stage.keys("u");
    let wish = stage.effects.pop();
    let Some(Effect::History(Wish::Recollect(record))) = wish else {
        panic!("{wish:?}");
    };
    let busy = Error::new(Kind::Config, "database is locked");
    tell(&mut stage, Told::NotRecollected(record, busy));
    assert!(
        stage.screen().contains("not taken back"),
        "{}",
        stage.screen()
    );
    stage.keys("u");
    serve(&mut stage, &mut store);
    assert_eq!(store.count(&Filter::default()).unwrap().calls, 4);
}

/// A history of `count` calls, one a minute.
pub fn many(stage: &Stage, count: u64) -> Store {
    let mut store = Store::memory().expect("a store in memory");
    for first in (0..count).step_by(500) {
        let records = (first..(first + 500).min(count)).map(|number| {
            let ago = Duration::from_mins(number + 1);
            let note = if number % 2 == 0 {
                "客戶要求退款"
            } else {
                "word"
            };
            let kwargs = [("order_id", Json::from(number)), ("note", Json::from(note))];
            let (mut call, at) = call(number, &kwargs, stage.now, ago);
            let id = call.id().clone();
            let fact = if number % 5 == 0 {
                failure(&id, "OutOfStock", "[1]", None)
            } else {
                result(&id, TaskState::Success, "1")
            };
            call.apply(fact, at.plus(Duration::from_millis(5)));
            record(&call, at.plus(Duration::from_millis(5)))
        });
        store
            .upsert(&records.collect::<Vec<_>>())
            .expect("records are kept");
    }
    store
}

/// Answers until nothing is asked any more; returns how often.
fn settle(stage: &mut Stage, store: &Store) -> usize {
    let asks = |effect: &Effect| matches!(effect, Effect::History(Wish::Page { .. }));
    let mut rounds = 0;
    while stage.effects.iter().any(asks) {
        answer(stage, store);
        rounds += 1;
        assert!(rounds < 100, "it never ends");
    }
    rounds
}

#[test]
fn the_last_of_5000_calls_is_one_key_away_and_the_first_too() {
    let mut stage = stage(80, 24);
    let store = many(&stage, 5_000);
    stage.keys("4");
    stage.tell(Message::Tick);
    settle(&mut stage, &store);
    assert!(stage.screen().contains("5,000"), "{}", stage.screen());
    stage.keys("G");
    let rounds = settle(&mut stage, &store);
    assert!(rounds >= 5_000 / PAGE - 1, "{rounds}");
    let last = format!("{:08x}-0000-4000-8000-00000000000a", 4_999);
    assert_eq!(
        stage.state.history.selected().map(|(id, _)| id),
        Some(&TaskId::from(last.as_str()))
    );
    stage.keys("g");
    settle(&mut stage, &store);
    let first = format!("{:08x}-0000-4000-8000-00000000000a", 0);
    assert_eq!(
        stage.state.history.selected().map(|(id, _)| id),
        Some(&TaskId::from(first.as_str()))
    );
    stage.keys("G k");
    let stands = stage.state.history.selected().cloned();
    settle(&mut stage, &store);
    assert_eq!(stage.state.history.selected(), stands.as_ref());
}

#[test]
fn a_filter_that_is_typed_while_pages_come_in_shows_only_what_passes() {
    let mut stage = stage(80, 24);
    let store = many(&stage, 2_000);
    stage.keys("4");
    stage.tell(Message::Tick);
    settle(&mut stage, &store);
    stage.keys("G");
    stage.keys("/ state:fail");
    assert!(
        stage.screen().contains("refund"),
        "the old rows stay: {}",
        stage.screen()
    );
    stage.paste(" task:shop.* 客戶");
    settle(&mut stage, &store);
    let screen = stage.screen();
    let rows = |screen: &str, word: &str| {
        let rows = screen.lines().filter(|line| line.contains("refund  "));
        rows.filter(|line| line.contains(word)).count()
    };
    assert!(rows(&screen, " FAIL ") > 5, "{screen}");
    assert_eq!(rows(&screen, " OK "), 0, "{screen}");
    assert!(screen.contains("1,800 hidden by filter"), "{screen}");
    stage.keys("Esc");
    settle(&mut stage, &store);
    assert!(rows(&stage.screen(), " OK ") > 5, "{}", stage.screen());
}

#[test]
fn times_are_drawn_anew_when_the_day_ends() {
    let (mut stage, _) = listed(80, 24);
    let screen = stage.screen();
    stage.pass(Duration::from_secs(1));
    stage.redrawn = false;
    stage.tell(Message::Tick);
    let quiet = !stage.redrawn;
    stage.now = stage.now.plus(Duration::from_hours(24));
    stage.redrawn = false;
    stage.tell(Message::Tick);
    assert!(stage.redrawn);
    assert_ne!(stage.screen(), screen);
    assert!(quiet || stage.state.shared.links.any_down());
}

#[test]
fn who_quits_waits_no_longer_and_the_next_umbel_listens_at_once() {
    let mut stage = stage(80, 24);
    stage.keys("Enter 1");
    stage.send();
    let id = stage.last_id();
    stage.effects.clear();
    stage.keys("q q");
    let kept = stage.effects.iter().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) if *record.id() == id => Some(record.clone()),
        _ => None,
    });
    let kept = kept.expect("it is kept");
    assert!(matches!(kept.waited, Waited::Detached(_)), "{kept:?}");
    let quits = stage.effects.iter().any(|it| matches!(it, Effect::Quit));
    assert!(quits, "{:?}", stage.effects);
}

#[test]
fn what_is_fetched_of_an_earlier_run_did_not_happen_just_now() {
    let mut stage = stage(160, 48);
    let (_, before) = open(&stage, 7);
    let id = before.id().clone();
    opened(&mut stage, &before);
    stage.fact_of(&id, crate::stage::started(&id));
    let call = stage
        .state
        .shared
        .calls
        .get(&id)
        .expect("it is listened for");
    assert_eq!(call.whereabouts(), Some(CallState::Run));
    assert_eq!(call.timeline.started, None, "nobody knows when");
    stage.fact_of(&id, result(&id, TaskState::Success, "1"));
    let screen = stage.screen();
    assert!(screen.contains("LATE OK"), "{screen}");
    assert!(!screen.contains("after its timeout"), "{screen}");
    let saved = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::History(Wish::Save(record)) if *record.id() == id => Some(record),
        _ => None,
    });
    let times = &saved.expect("it was not written down").times;
    assert_eq!((times.started, times.done), (None, None));
}

#[test]
fn a_record_that_cannot_be_read_is_said_when_it_is_opened() {
    let (mut stage, _store) = listed(80, 24);
    let found = Found::Unreadable("c7a31f09".into(), Unreadable("state"));
    past::open(&mut stage, found);
    let screen = stage.screen();
    assert!(
        screen.contains("its record has no readable state"),
        "{screen}"
    );
}
