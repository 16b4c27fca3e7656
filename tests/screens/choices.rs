//! What Result says of a call that is not back: all of the reasons.

use std::time::Duration;

use umbel::cluster::{Answer, Heard};
use umbel::protocol::NodeName;
use umbel::protocol::control::Stats;

use crate::diagnosis::{answered, seconds};
use crate::looks::{running, small};
use crate::rules::says;
use crate::stage::Stage;

/// The words of the screen in one line, without what frames them.
fn words(stage: &Stage) -> String {
    let screen = stage.screen();
    let right = screen.lines().map(|line| {
        let inside = line.rsplit('┃').nth(1).unwrap_or(line);
        inside.trim().to_owned()
    });
    right.collect::<Vec<_>>().join(" ")
}

/// The worker that ran it was started again, and nobody has it, after its time is over.
fn restarted(stage: Stage) -> Stage {
    let mut stage = running(stage);
    stage.pass(seconds(9));
    stage.heard(Heard::Answer {
        node: NodeName::from("w1@stg-1"),
        answer: Answer::Stats(Stats {
            pool: Some("prefork".to_owned()),
            slots: Some(8),
            pid: Some(9_001),
            uptime: Some(0),
            ..Stats::default()
        }),
        took: Duration::from_millis(4),
    });
    answered(&mut stage, None);
    stage.pass(seconds(2));
    stage
}

#[test]
fn the_words_that_decide_are_not_cut_while_lines_stay_blank() {
    let stage = restarted(small());
    let said = words(&stage);
    assert!(
        said.contains(
            "if it was killed: whether it runs again depends on acks_late, which is not known"
        ),
        "{}",
        stage.screen()
    );
}

#[test]
fn what_does_not_fit_is_marked_and_can_be_scrolled_to() {
    let mut stage = restarted(Stage::new(80, 18).shop());
    let last = "acks_late, which is not known";
    assert!(!words(&stage).contains(last), "{}", stage.screen());
    assert!(says(&stage, "of 9, j k"), "{}", stage.screen());
    assert!(says(&stage, "TIMEOUT  shop.orders.refund"));
    stage.keys("G");
    assert!(words(&stage).contains(last), "{}", stage.screen());
    assert!(
        says(&stage, "TIMEOUT  shop.orders.refund"),
        "the title stays"
    );
    stage.keys("g");
    assert!(says(&stage, "No result within 10s"), "{}", stage.screen());
    stage.keys("j");
    assert!(!says(&stage, "No result within 10s"), "{}", stage.screen());
}
