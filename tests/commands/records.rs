//! What the command line makes of records that hold little, nothing readable, or what a look concluded.

use std::time::Duration;

use serde_json::{Value, json};
use umbel::call::document::{CUT_SHORT, CallDocument};
use umbel::call::{Call, CallState, Fact, Look};
use umbel::clock::{Clock, Now};
use umbel::commands::around::Around;
use umbel::commands::progress::{self, Closing};
use umbel::history::store::Store;
use umbel::history::{Known, Record, Scribe};
use umbel::protocol::{Json, Options, Signature, State, TaskResult};

use crate::contract;
use crate::history::{ADD, FAIL, home};
use crate::support::Sandbox;

#[test]
fn a_result_that_was_too_large_to_keep_is_not_shown_as_if_it_were_whole() {
    let home = home(&[&ADD]);
    let mut store = Store::open(&file(&home)).unwrap();
    store
        .upsert(&[record("large", Json::from("x".repeat(5 << 20)))])
        .unwrap();
    drop(store);
    let words = "larger than history keeps";
    for command in [
        &["history", "show", "large"][..],
        &["result", "large"],
        &["--demo", "result", "large"],
    ] {
        let outcome = home.cli(command).expect_code(0);
        assert_eq!(outcome.stdout, "", "{command:?}");
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        let document = home
            .cli(&[command, &["--json"]].concat())
            .expect_code(0)
            .json();
        assert_eq!(
            (&document["result"], &document["result_known"]),
            (&Value::Null, &json!(false))
        );
        assert!(
            document["warnings"].to_string().contains(words),
            "{document}"
        );
    }
}

#[test]
fn where_a_call_was_when_it_was_kept_is_not_told_as_now() {
    let home = home(&[&[
        "demo.slow.sleep",
        "5",
        "--timeout",
        "300ms",
        "--task-id",
        "slow-1",
    ]]);
    let shown = home.cli(&["history", "show", "slow-1"]).expect_code(0);
    assert!(shown.stderr.contains("when last "), "{}", shown.stderr);
    assert!(!shown.stderr.contains("now:"), "{}", shown.stderr);
    let document = home
        .cli(&["history", "show", "slow-1", "--json"])
        .expect_code(0)
        .json();
    assert!(document["diagnosed_at"].is_string(), "{document}");
}

/// A home with these calls, each as a record of it at a moment.
fn keeping(records: &[Record]) -> Sandbox {
    let home = Sandbox::new();
    let file = file(&home);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder is made");
    let mut store = Store::open(&file).expect("a history");
    store.upsert(records).expect("records are kept");
    home
}

#[test]
fn a_call_that_a_look_found_nowhere_is_listed_and_searched_as_that() {
    let made = Clock::default().now();
    let mut call = sent("ccc-1", Vec::new(), made);
    let record = Record::of(&call, &Scribe::default(), Known::default(), made);
    call.looked = Some(Look {
        at: made.plus(Duration::from_secs(90)),
        state: Some(CallState::Lost),
        inferred: true,
    });
    let why = Json::parse_strict(
        r#"{"asked": {"replied": 1}, "now": {"state": "lost"}, "why": [{"text": "gone"}]}"#,
    );
    let home = keeping(&[record.looked_for(&call, &why.unwrap())]);
    for words in [&["state:lost"][..], &["--state", "lost"], &["state:lost?"]] {
        let listed = home.cli(&[&["history"], words].concat()).expect_code(0);
        assert!(listed.stdout.contains("LOST?"), "{}", listed.stdout);
    }
    let document = home
        .cli(&["history", "--jsonl"])
        .expect_code(0)
        .json_lines()
        .remove(0);
    assert_eq!(contract::keys(&document), contract::CALL);
    assert_eq!(document["state"], "lost");
    let at = made.plus(Duration::from_secs(90)).wall;
    assert_eq!(document["diagnosed_at"], format!("{at:.3}"));
    let shown = home
        .cli(&["history", "show", "ccc-1"])
        .expect_code(0)
        .stderr;
    let time = at.to_zoned(jiff::tz::TimeZone::system());
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    assert!(
        shown.contains(&format!("when last asked, {time}: LOST?")),
        "{shown}"
    );
    assert!(
        shown.contains("\nLOST?  t  id ccc-1") && shown.contains("why then: gone"),
        "{shown}"
    );
    let unknown = home.cli(&["history", "state:zzz"]).expect_code(2);
    assert!(unknown.stderr.contains(" lost "), "{}", unknown.stderr);
}

#[test]
fn a_call_that_nobody_waited_for_is_told_without_a_timeout_and_as_of_when_it_was_heard_of() {
    let made = Clock::default().now();
    let mut call = sent("ccc-1", Vec::new(), made);
    call.detach(made.plus(Duration::from_millis(50)));
    // A screen that listens writes it down much later.
    let written = made.plus(Duration::from_mins(5));
    let record = Record::of(&call, &Scribe::default(), Known::default(), written);
    let home = keeping(&[record]);
    let shown = home
        .cli(&["history", "show", "ccc-1"])
        .expect_code(0)
        .stderr;
    assert!(shown.contains("\nDETACHED  t  id ccc-1"), "{shown}");
    let time = made.wall.to_zoned(jiff::tz::TimeZone::system());
    let heard = format!(
        "when last heard of, {}: SENT",
        time.strftime("%Y-%m-%d %H:%M:%S")
    );
    assert!(shown.contains(&heard), "{shown}");
}

/// The history of this home.
pub fn file(home: &Sandbox) -> std::path::PathBuf {
    home.home().join(".local/share/umbel/history.db")
}

/// A call that returned this just now.
pub fn record(id: &str, value: Json) -> Record {
    let now = Clock::default().now();
    let call = returned(sent(id, Vec::new(), now), value, now);
    Record::of(&call, &Scribe::default(), Known::default(), now)
}

fn sent(id: &str, kwargs: Vec<(String, Json)>, now: Now) -> Call {
    let signature = Signature {
        task: "t".into(),
        id: id.into(),
        args: Vec::new(),
        kwargs,
        options: Options::default(),
    };
    let mut call = Call::new(signature, std::time::Duration::from_secs(9), now);
    call.apply(Fact::Publishing, now);
    call.apply(Fact::Confirmed, now);
    call
}

fn returned(mut call: Call, value: Json, now: Now) -> Call {
    let result = TaskResult {
        size: 1,
        ..TaskResult::new(call.signature.id.clone(), State::Success, value)
    };
    call.apply(Fact::Result(Box::new(result)), now);
    call
}

#[test]
fn a_result_that_is_not_kept_for_a_secret_s_sake_has_no_beginning() {
    let home = home(&[&ADD]);
    let now = Clock::default().now();
    let kwargs = vec![("password".to_owned(), Json::from("hunter2xyz"))];
    let earlier = sent("secret", kwargs, now);
    let earlier = Record::of(&earlier, &Scribe::default(), Known::default(), now);
    let call = returned(earlier.pick_up(now), Json::from("hunter2xyz"), now);
    let record = Record::after(&earlier, &call, &Scribe::default(), now);
    let mut store = Store::open(&file(&home)).unwrap();
    store.upsert(&[record]).unwrap();
    drop(store);
    let shown = home.cli(&["history", "show", "secret"]).expect_code(0);
    assert!(shown.stderr.contains("not kept: it may quote"), "{shown:?}");
    assert!(!shown.stderr.contains("begins"), "{shown:?}");
}

#[test]
fn a_history_that_cannot_be_read_is_no_empty_one() {
    let home = Sandbox::new();
    let file = home.home().join("history.db");
    std::fs::write(&file, "this is no database").unwrap();
    let home = home.env("UMBEL_HISTORY", &file.display().to_string());
    for words in [
        &["history"][..],
        &["history", "show", "a"],
        &["history", "export"],
        &["--demo", "again"],
        &["--demo", "call", "--from", "a"],
    ] {
        let outcome = home.cli(&[words, &["--json"]].concat());
        let document = contract::failure(&outcome, 11, "config");
        assert_eq!(document["error"]["hint"], "umbel history repair");
    }
    home.cli(&["history", "repair"]).expect_code(0);
    home.cli(&["history"]).expect_code(0);
}

#[test]
fn a_call_whose_record_cannot_be_read_is_said_wherever_it_is_wanted() {
    let home = home(&[&ADD, &FAIL]);
    let garbled = rusqlite::Connection::open(file(&home)).unwrap();
    let sql = "UPDATE bodies SET record = 'no JSON' WHERE number = (SELECT number FROM calls WHERE id = 'aaa-1')";
    assert_eq!(garbled.execute(sql, []).unwrap(), 1);
    drop(garbled);
    let shown = home.cli(&["history", "show", "aaa", "--json"]);
    let document = contract::failure(&shown, 11, "config");
    let message = document["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("aaa-1 is in the history"), "{message}");
    let listed = home.cli(&["history"]).expect_code(0);
    assert!(listed.stdout.contains("aaa-1"), "{}", listed.stdout);
    for words in [&["history", "export"][..], &["history", "export", "--csv"]] {
        let export = home.cli(words).expect_code(11);
        assert!(export.stdout.contains("bbb-2"), "{}", export.stdout);
        assert!(export.stderr.contains("aaa-1"), "{}", export.stderr);
    }
    let document = home.cli(&["history", "--json"]).expect_code(11).json();
    assert_eq!(document["unreadable"][0]["id"], "aaa-1");
    let repaired = home.cli(&["history", "repair"]).expect_code(0);
    assert!(
        repaired.stderr.contains("1 calls were saved, 1 could not"),
        "{}",
        repaired.stderr
    );
    home.cli(&["history", "export"]).expect_code(0);
}

#[test]
fn a_repair_that_reads_nothing_does_not_say_that_nothing_was_lost() {
    for (from, to) in [(0, 16), (100, 300)] {
        let home = home(&[&ADD, &FAIL]);
        let mut bytes = std::fs::read(file(&home)).unwrap();
        bytes[from..to].fill(0x5a);
        std::fs::write(file(&home), bytes).unwrap();
        let repaired = home.cli(&["history", "repair"]).expect_code(0).stderr;
        let said =
            "0 calls were saved; how many could not be read is not known; the history as it was";
        assert!(repaired.contains(said), "{from}: {repaired}");
    }
}

#[test]
fn a_row_that_is_not_what_it_should_be_is_counted_as_one_that_cannot_be_read() {
    let home = home(&[&ADD, &FAIL]);
    let garbled = rusqlite::Connection::open(file(&home)).unwrap();
    let sql = "UPDATE bodies SET record = CAST(x'ff' AS TEXT) WHERE number = (SELECT number FROM calls WHERE id = 'aaa-1')";
    assert_eq!(garbled.execute(sql, []).unwrap(), 1);
    drop(garbled);
    let repaired = home.cli(&["history", "repair"]).expect_code(0).stderr;
    assert!(
        repaired.contains("1 calls were saved, 1 could not"),
        "{repaired}"
    );
}

#[test]
fn where_nobody_confirmed_a_call_at_the_last_look_it_was_told_before() {
    let made = Clock::default().now();
    let mut call = sent("ccc-1", Vec::new(), made);
    let told = made.plus(Duration::from_secs(2));
    let result = TaskResult::new("ccc-1".into(), State::Started, Json::Null);
    call.apply(Fact::Result(Box::new(result)), told);
    let place = r#"{"asked": {"replied": 0}, "now": {"state": "run", "worker": "w1@h"}}"#;
    let place = Json::parse_strict(place).unwrap();
    let mut shown = |inferred| {
        call.looked = Some(Look {
            at: made.plus(Duration::from_secs(90)),
            state: Some(CallState::Run),
            inferred,
        });
        let record = Record::of(&call, &Scribe::default(), Known::default(), told);
        let home = keeping(&[record.looked_for(&call, &place)]);
        home.cli(&["history", "show", "ccc-1"])
            .expect_code(0)
            .stderr
    };
    let (sure, unsure) = (shown(false), shown(true));
    assert!(sure.contains(": RUN on w1@h\n"), "{sure}");
    let time = told.wall.to_zoned(jiff::tz::TimeZone::system());
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    let words = format!(": RUN on w1@h, last told at {time}, not confirmed then\n");
    assert!(unsure.contains(&words), "{unsure}");
}

#[test]
fn of_a_call_whose_sending_was_cut_short_it_is_not_said_that_the_connection_broke() {
    let (made, killed) = (Clock::default().now(), Duration::from_millis(50));
    let signature = sent("ccc-1", Vec::new(), made).signature;
    let mut call = Call::new(signature, Duration::from_secs(1), made);
    call.apply(Fact::Publishing, made);
    let record = Record::of(&call, &Scribe::default(), Known::default(), made);
    let mut picked = record.pick_up(made.plus(killed));
    picked.wait_anew(Duration::from_secs(1), made.plus(Duration::from_secs(2)));
    let over = made.plus(Duration::from_secs(9));
    picked.tick(over);
    let words = progress::closing(&picked, &Around::default(), Closing::default(), over);
    assert!(words.starts_with("SENT?  t  id ccc-1"), "{words}");
    assert!(words.contains(&format!("queued: {CUT_SHORT}\n")), "{words}");
    let document = CallDocument::new(&picked, false, over);
    let error = document.error.map(|error| error.message);
    assert_eq!(error.as_deref(), Some(CUT_SHORT));
}
