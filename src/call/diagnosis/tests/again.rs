//! What was delivered or started for a second time.

use super::*;

fn runs_in(pid: u64, redelivered: bool) -> Fact {
    Fact::Seen {
        place: At::Active,
        node: NODE.into(),
        task: HeldTask {
            pid: Some(pid),
            redelivered,
            ..task("x", "shop.refund", None)
        },
    }
}

#[test]
fn a_second_delivery_is_told() {
    let mut world = World::new();
    let mut again = task("x", "shop.refund", Some(1.0));
    again.redelivered = true;
    world.fact(
        Fact::Seen {
            place: At::Active,
            node: NODE.into(),
            task: again,
        },
        1_000,
    );
    assert_eq!(
        world.line("redelivered", 2_000),
        "delivered a second time, to w1@h: whether it had started before is not known"
    );
    assert_eq!(world.kinds(2_000), ["running", "redelivered"]);
    assert!(world.diagnosis(2_000).why[1].inferred());
}

#[test]
fn a_second_start_that_was_seen_is_told_as_one() {
    let mut world = World::new();
    world.fact(runs_in(7, false), 1_000);
    world.fact(runs_in(8, true), 3_000);
    world.fact(runs_in(8, true), 4_000);
    assert_eq!(
        world.line("redelivered", 4_100),
        "started again on w1@h: it may have run twice"
    );
    assert!(!world.diagnosis(4_100).why[1].inferred());
}

#[test]
fn what_its_worker_holds_again_after_a_restart_runs_no_longer() {
    let mut world = World::new();
    world.fact(runs_in(7, false), 1_000);
    let mut again = task("x", "shop.refund", None);
    again.redelivered = true;
    let held = |ms| {
        let node = NODE.into();
        let task = again.clone();
        (
            Fact::Seen {
                place: At::Reserved,
                node,
                task,
            },
            ms,
        )
    };
    let (fact, ms) = held(1_500);
    world.fact(fact, ms);
    assert_eq!(
        world.call.whereabouts(),
        Some(CallState::Run),
        "a list from before"
    );
    let (fact, ms) = held(3_000);
    world.fact(fact, ms);
    assert_eq!(world.call.whereabouts(), Some(CallState::Recv));
    assert!(!world.line("redelivered", 3_100).contains("twice"));
    world.fact(runs_in(7, true), 4_000);
    assert!(
        world
            .line("redelivered", 4_100)
            .contains("it may have run twice")
    );
}
