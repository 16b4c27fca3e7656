//! What the screen looks like: each pane loading, empty, full and in trouble. Lines are kept without the blanks at their ends.

use std::time::Duration;

use umbel::backend::Results;
use umbel::call::Fact;
use umbel::client::{Event, LinkName};
use umbel::cluster::Heard;
use umbel::error::{Error, Kind};
use umbel::protocol::control::{HeldTask, Place};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{NodeName, TaskName};
use umbel::tui::theme::{Depth, Glyphs, Look, Tone};

use crate::stage::{Stage, down, failure, result, started};

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/usr/lib/python3/site-packages/celery/app/trace.py\", line 477, in trace_task
    R = retval = fun(*args, **kwargs)
  File \"/srv/shop/orders/tasks.py\", line 42, in refund
    service.reserve(order)
  File \"/srv/shop/orders/service.py\", line 88, in reserve
    raise OutOfStock(sku, need=need, left=left)
shop.errors.OutOfStock: 庫存不足 (sku=A-1009, 需要 3, 剩 1)\u{1b}[31m
";

const ORDER: &str = r#"{
    "order_id": 42,
    "amount": {"__type__": "decimal", "__value__": "12.50"},
    "customer": "王小明",
    "refunded_at": {"__type__": "datetime", "__value__": "2026-11-22T12:04:31+00:00"},
    "lines": [{"sku": "A-1009", "qty": 1}, {"sku": "B-0042", "qty": 2}, {"sku": "C", "qty": 3}, 4],
    "audit": {"by": "cron", "note": "客戶要求退款"}
}"#;

pub fn look(name: &str, stage: &Stage) {
    let screen = stage.screen();
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, lines.join("\n"));
    });
}

pub fn small() -> Stage {
    Stage::new(80, 24).shop()
}

fn large() -> Stage {
    Stage::new(160, 48).shop()
}

fn after(mut stage: Stage, keys: &str) -> Stage {
    stage.keys(keys);
    stage
}

/// A refund that is under way.
pub fn called(stage: Stage) -> Stage {
    let mut stage = after(
        stage,
        "j Enter order_id=42 Enter amount:decimal=12.50 Enter note=客戶要求退款 Enter",
    );
    stage.send();
    stage
}

pub fn running(stage: Stage) -> Stage {
    let mut stage = called(stage);
    let id = stage.last_id();
    stage.pass(Duration::from_millis(16));
    stage.fact(Fact::Seen {
        place: Place::Reserved,
        node: NodeName::from("w1@stg-1"),
        task: HeldTask {
            id: id.clone(),
            name: TaskName::from("shop.orders.refund"),
            started: None,
            acknowledged: false,
            pid: None,
            redelivered: false,
        },
    });
    stage.pass(Duration::from_millis(836));
    stage.fact(started(&id));
    stage.pass(Duration::from_millis(2350));
    stage
}

fn timed_out(stage: Stage) -> Stage {
    let mut stage = running(stage);
    stage.pass(Duration::from_secs(8));
    stage
}

fn returned(stage: Stage) -> Stage {
    let mut stage = running(stage);
    let id = stage.last_id();
    stage.fact(result(&id, TaskState::Success, ORDER));
    stage
}

fn failed(stage: Stage) -> Stage {
    let mut stage = running(stage);
    let id = stage.last_id();
    let args = r#"["庫存不足 (sku=A-1009, 需要 3, 剩 1)\u001b[31m"]"#;
    stage.fact(failure(&id, "OutOfStock", args, Some(TRACEBACK)));
    stage
}

fn late(stage: Stage) -> Stage {
    let mut stage = timed_out(stage);
    stage.keys("1");
    stage.pass(Duration::from_secs(9));
    let id = stage.last_id();
    stage.fact(result(&id, TaskState::Success, ORDER));
    stage
}

fn lost(mut stage: Stage) -> Stage {
    let now = stage.now;
    let reason = "amqp://localhost:5672/: connection reset by peer";
    stage.event(Event::Link(LinkName::Broker, down(now, reason)));
    stage.heard(Heard::Lost);
    stage.pass(Duration::from_secs(4));
    stage
}

// Starting

#[test]
fn start() {
    look("start_connecting", &Stage::new(80, 24));
    look("start_asking", &Stage::new(80, 24).up());
    let mut empty = Stage::new(80, 24).up();
    empty.heard(Heard::Surveyed);
    look("start_no_worker", &empty);
    look("start_unreachable", &lost(Stage::new(80, 24)));
    look("welcome", &Stage::new(80, 24).without_broker());
    look("start_large", &Stage::new(160, 48));
}

// Tasks

/// A cluster whose tasks have names that differ at their ends.
fn long_names(stage: Stage) -> Stage {
    let mut stage = stage.up();
    let numbered = |number| format!("proj.module.do_something_quite_long_{number}");
    let names = (490..500).map(numbered);
    let names = names.chain(["proj.module.客戶要求退款的每月報表四九九之一號".to_owned()]);
    stage.heard(Heard::Answer {
        node: NodeName::from("w1@stg-1"),
        answer: umbel::cluster::Answer::Tasks(names.map(TaskName).collect()),
        took: Duration::from_millis(4),
    });
    stage.heard(Heard::Surveyed);
    stage
}

#[test]
fn what_the_filter_hit_stays_marked_in_a_name_cut_in_the_middle() {
    for (filter, hit) in [("499", "499"), ("do_so", "do_so"), ("號", "號")] {
        let stage = after(long_names(Stage::new(80, 24)), &format!("/ {filter}"));
        let role = stage
            .state
            .shared
            .theme
            .style(umbel::tui::theme::Role::Match);
        let buffer = stage.buffer();
        let row = (2..26).filter_map(|x| buffer.cell((x, 6)));
        let marked = row.filter(|cell| cell.style().fg == role.fg);
        let marked: String = marked.map(|cell| cell.symbol().to_owned()).collect();
        assert_eq!(marked.replace(' ', ""), hit, "{}", stage.screen());
    }
}

#[test]
fn tasks() {
    look("tasks_tree", &small());
    look("tasks_flat", &after(small(), "`"));
    look("tasks_builtins", &after(small(), "b"));
    look("tasks_filter", &after(small(), "/ 月報"));
    look("tasks_filter_nothing", &after(small(), "/ refnd"));
    look(
        "tasks_long",
        &after(long_names(Stage::new(80, 24)), "/ quite 499"),
    );
    let wide = after(long_names(Stage::new(160, 48)), "/ quite 49");
    look("tasks_long_large", &wide);
    look("tasks_type_name", &after(small(), "a shop.new"));
    look("tasks_large", &large());
}

// Call

#[test]
fn call() {
    look("call_empty", &after(small(), "j Enter"));
    let rows = "j Enter order_id=42 Enter amount:decimal=12.50 Enter note=客戶要求退款 Enter";
    look("call_rows", &after(small(), rows));
    look(
        "call_duplicate",
        &after(small(), &format!("{rows} order_id=7 Enter")),
    );
    look("call_doubt", &after(small(), "Enter x=None F5"));
    look(
        "call_option",
        &after(
            small(),
            "Enter 1 Enter Tab Tab Backspace Backspace Backspace Backspace soon Tab",
        ),
    );
    look("call_button", &after(small(), "Enter 1 Enter Enter"));
    let keys = "Enter 1 Enter Tab Tab Tab Backspace Backspace Backspace Backspace legacy F5";
    look("call_refused", &after(small(), keys));
    look("call_json", &after(small(), &format!("{rows} F2")));
    look(
        "call_json_mistake",
        &after(small(), &format!("{rows} F2 End Down End ,")),
    );
    look("call_broker_down", &lost(after(small(), rows)));
    look("call_few_workers", &after(small(), "j j Enter"));
    look("call_large", &after(large(), rows));
}

/// A form with options that were set.
const SET: &str = "Enter 1 Esc o j j i 10s Enter Tab 5 Esc";

#[test]
fn options() {
    let closed = format!("{SET} o");
    look("options_set", &after(small(), &closed));
    look("options_set_large", &after(large(), &closed));
    look("options_open", &after(small(), SET));
    look("options_open_large", &after(large(), SET));
    let header = "Enter 1 Esc o j j j j j j j i tenant=7 Enter zone:=x Esc";
    look("options_headers", &after(small(), header));
    let wrong = "Enter 1 Esc o j j j i 2026-11-22T12:00";
    look("options_wrong", &after(small(), wrong));
    look("options_wrong_large", &after(large(), wrong));
    look(
        "options_wrong_closed",
        &after(small(), &format!("{wrong} Esc o F5")),
    );
    look("options_end", &after(small(), "Enter 1 Esc o G k l l"));
    look("options_json", &after(small(), "Enter 1 F2 Esc o j"));
    look("options_narrow", &after(Stage::new(62, 18).shop(), SET));
    look("quit_unsent", &after(small(), "Enter 1 Esc q"));
}

// Result

#[test]
fn result_of_a_call() {
    look("result_none", &after(small(), "3"));
    look("result_sent", &called(small()));
    look("result_running", &running(small()));
    let mut progress = running(small());
    let id = progress.last_id();
    progress.fact(result(
        &id,
        TaskState::Custom("PROGRESS".to_owned()),
        r#"{"done": 3, "of": 10, "now": "客戶"}"#,
    ));
    look("result_progress", &progress);
    progress.fact(result(
        &id,
        TaskState::Custom("PROGRESS".to_owned()),
        r#"{"current": 2, "total": 30, "msg": "step 2: 客戶\u001b[31m 1 of 7, which takes a while"}"#,
    ));
    look("result_progress_words", &progress);
    look("result_timeout", &timed_out(small()));
    look("result_detached", &after(running(small()), "d"));
    look("result_ok", &returned(small()));
    look("result_failed", &failed(small()));
    look("result_late", &after(late(small()), "!"));
    look("result_large_running", &running(large()));
    look("result_large_ok", &returned(large()));
    look("result_large_failed", &failed(large()));
    look(
        "result_ascii",
        &running(small().look(Look {
            glyphs: Glyphs::Ascii,
            depth: Depth::None,
            tone: Tone::Dark,
        })),
    );
}

#[test]
fn result_in_trouble() {
    let mut unsent = after(small(), "Enter 1 F5");
    let error = Error::new(Kind::Unsent, "amqp://localhost:5672/: connection refused");
    unsent.fact(Fact::Unsent(
        error.hint("is the broker running? nothing was queued"),
    ));
    look("result_unsent", &unsent);
    let mut unknown = after(small(), "Enter 1 F5");
    unknown.fact(Fact::Publishing);
    unknown.fact(Fact::Unknown(Error::new(
        Kind::UnknownDelivery,
        "connection reset before the confirm",
    )));
    look("result_unknown_delivery", &unknown);
    let mut unread = running(small());
    unread.fact(Fact::BackendLost(
        "redis://localhost:6379/0: connection refused".to_owned(),
    ));
    look("result_backend_lost", &unread);
    let mut none = called(small());
    none.fact(Fact::NoResult);
    look("result_not_kept", &none);
    let mut no_task = called(small());
    let id = no_task.last_id();
    no_task.fact(failure(
        &id,
        "NotRegistered",
        r#"["shop.orders.refund"]"#,
        None,
    ));
    look("result_no_task", &no_task);
    let mut large = called(small());
    let id = large.last_id();
    let rows = vec!["\"不鏽鋼保溫瓶 500ml, 濾掛咖啡 10 入, A-1009\""; 9_000].join(",");
    large.fact(result(&id, TaskState::Success, &format!("[{rows}]")));
    look("result_cut", &large);
    let mut alone = called(small());
    alone.event(Event::Results(Results::Rpc));
    let id = alone.last_id();
    let rows = vec!["\"0123456789\""; 500_000].join(",");
    alone.fact(result(&id, TaskState::Success, &format!("[{rows}]")));
    look("result_cut_rpc", &alone);
    let mut text = called(small());
    let id = text.last_id();
    text.fact(result(
        &id,
        TaskState::Success,
        r#""第一行 客戶要求退款\nsecond line\u001b[2J\nthird""#,
    ));
    look("result_text", &text);
}

// History, queues, workers

#[test]
fn lists() {
    look("history_empty", &after(small(), "4"));
    let mut several = late(small());
    several.keys("2 c");
    several.fact(Fact::Publishing);
    several.fact(Fact::Confirmed);
    several.pass(Duration::from_secs(1));
    several.keys("4");
    look("history", &several);
    look("queues", &after(small(), "5"));
    look("queues_asking", &after(Stage::new(80, 24).up(), "5"));
    look("workers", &after(small(), "6 j"));
    look("workers_none", &{
        let mut none = after(Stage::new(80, 24).up(), "6");
        none.heard(Heard::Surveyed);
        none
    });
}

// Trouble, notices, questions

#[test]
fn trouble() {
    look("banner", &lost(after(small(), "6")));
    look("banner_large", &lost(large()));
    let mut backend = small();
    let now = backend.now;
    let reason = "redis://localhost:6379/0: connection refused";
    backend.event(Event::Link(LinkName::Backend, down(now, reason)));
    backend.pass(Duration::from_secs(4));
    look("banner_backend", &backend);
    look("notice_late", &late(small()));
    look("notice_late_large", &late(large()));
}

#[test]
fn over_the_panes() {
    look("help", &after(small(), "2 ?"));
    look("revoke", &after(called(small()), "X"));
    look("revoke_started", &after(running(small()), "X"));
    look("quit", &after(running(small()), "q"));
}

#[test]
fn too_small() {
    look("tiny", &Stage::new(48, 12).up());
    look("tiny_running", &running(Stage::new(48, 12).shop()));
    look("narrow", &Stage::new(62, 18).shop());
    look(
        "narrow_call",
        &after(Stage::new(62, 18).shop(), "Enter x=客戶 Enter"),
    );
}

#[test]
fn no_screen_ever_says_pending() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let mut looked = 0;
    for entry in std::fs::read_dir(directory).expect("snapshots") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!text.contains("PENDING"), "{}", path.display());
        looked += 1;
    }
    assert!(looked > 100, "{looked}");
}
