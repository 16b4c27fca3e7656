//! What comes from elsewhere, pastes and remote text among it: it moves no focus and no selection, and touches nothing that is typed.

use std::time::Duration;

use rstest::rstest;
use umbel::backend::Results;
use umbel::call::{CallState, Fact};
use umbel::client::{Event, LinkName, LinkState};
use umbel::cluster::{Answer, Heard};
use umbel::error::{Error, Kind};
use umbel::protocol::result::State as TaskState;
use umbel::protocol::{Json, NodeName, TaskId, TaskName};
use umbel::tui::keymap::Context;
use umbel::tui::panes::Pane;

use crate::rules::{SECOND, quit, revoked, says, sent, shop, state_of};
use crate::stage::{CAST, Stage, down, failure, result, started};

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
    assert_eq!(
        stage.state.history.selected().map(|(id, _)| id),
        Some(&first)
    );
    stage.keys("2");
    stage.send();
    assert_eq!(
        stage.state.history.selected().map(|(id, _)| id),
        Some(&first)
    );
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

#[test]
fn a_worker_that_may_be_gone_is_not_shown_as_ok() {
    let mut stage = shop();
    assert!(says(&stage, "w1 OK 0/8"));
    stage.depth("default", 12, 1);
    stage.pass(Duration::from_millis(100));
    stage.ping_all_but("w1@stg-1");
    stage.pass(Duration::from_millis(600));
    assert!(says(&stage, "w1 OK? 0/8"), "{}", stage.screen());
    assert!(says(&stage, "w2 BUSY 2/2"), "it has answered");
    stage.keys("6");
    assert!(says(&stage, "perhaps gone"), "{}", stage.screen());
    stage.pass(2 * SECOND);
    assert!(says(&stage, "no reply within 2s"), "{}", stage.screen());
}
