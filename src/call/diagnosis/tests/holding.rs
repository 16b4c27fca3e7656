//! What keeps it from starting, or is no reason: the queue, busy slots, a limit, its time.

use super::*;

#[test]
fn what_expired_is_told_unless_it_started() {
    let mut world = World::new();
    world.call.signature.options.expires = Some(Duration::from_millis(500));
    assert!(!world.kinds(400).contains(&"expired"));
    assert_eq!(
        world.line("expired", 2_505),
        "it expired 2.0s ago: a worker that meets it will drop it"
    );
    world.seen(At::Active, 450);
    assert!(!world.kinds(2_505).contains(&"expired"));
}

#[test]
fn what_expires_before_its_time_is_not_said_to_start() {
    let mut world = World::new();
    world.call.signature.options.expires = Some(Duration::from_secs(30));
    world.call.signature.options.start = Some(Start::After(Duration::from_secs(40)));
    world.seen(At::Scheduled, 500);
    world.fact(Fact::Eta(at(40_005).wall), 500);
    let kept = "it is kept on w1@h for its ETA in";
    let over = "at 1970-01-01T00:00:40.005Z, but expires before that: no worker runs it";
    let line = world.line("scheduled", 10_005);
    assert_eq!(line, format!("{kept} 30s, {over}"));
    let why = &world.diagnosis(10_005).why[0];
    assert!(why.inferred(), "a worker's clock decides: {why:?}");
    assert_eq!(world.kinds(35_005), ["expired", "scheduled"]);
    let line = world.line("scheduled", 35_005);
    assert_eq!(line, format!("{kept} 5.0s, {over}"));
}

/// Each try has the `expires` of the first (seen on Celery 5.7).
#[test]
fn what_expires_before_its_retry_is_not_said_to_run_again() {
    let mut world = World::new();
    world.call.signature.options.expires = Some(Duration::from_secs(3));
    world.fact(result(State::Retry), 500);
    world.seen(At::Scheduled, 900);
    world.fact(Fact::Eta(at(6_500).wall), 900);
    assert_eq!(
        world.line("retry_waiting", 1_500),
        "it failed and waits for retry 1 on w1@h, next try in 5.0s, but expires before that"
    );
    assert_eq!(world.kinds(4_005), ["expired", "retry_waiting"]);
}

#[test]
fn behind_others_in_the_queue_the_wait_is_told_only_where_the_speed_is_known() {
    let mut world = World::new();
    world.hear(depth(12, 1), 20);
    world.busy(61_000);
    assert_eq!(world.kinds(61_000), ["queued", "worker_busy"]);
    assert_eq!(
        world.line("queued", 61_000),
        "in queue celery: 12 waiting, it among them, 1 worker reads it"
    );
    assert_eq!(
        world.line("worker_busy", 61_000),
        "w1@h is BUSY 1/1, oldest reports.daily 1m0s"
    );
    for second in 1..=10 {
        world.hear(depth(120 - second * 10, 1), 61_000 + second * 1_000);
    }
    world.hear(depth(10, 1), 72_000);
    assert!(world.line("queued", 72_000).contains("wait~ 1.0s at most"));
}

#[test]
fn held_by_a_worker_behind_what_it_runs() {
    let mut world = World::new();
    world.seen(At::Reserved, 100);
    world.busy(200);
    assert_eq!(world.kinds(1_000), ["held", "worker_busy"]);
    assert_eq!(world.line("held", 1_000), "held by w1@h behind 1 running");
    let place = world.diagnosis(1_000).now;
    assert_eq!((place.word(), place.inferred), ("RECV", false));
}

/// What ran beside it in an old list has ended, perhaps: a slot was free for it.
#[test]
fn what_ran_before_it_was_started_is_no_longer_told() {
    let mut world = World::new();
    world.seen(At::Reserved, 100);
    world.busy(1_500);
    let busy = "w1@h is BUSY 1/1, oldest reports.daily 499ms";
    assert_eq!(world.line("worker_busy", 4_000), busy, "as it was told");
    assert_eq!(
        world.line("worker_busy", 9_000),
        "w1@h was BUSY 1/1 7.5s ago, oldest reports.daily 499ms then"
    );
    assert_eq!(world.line("held", 9_000), "held by w1@h, not started");
    world.seen(At::Active, 9_100);
    assert_eq!(world.kinds(9_200), ["running"]);
    world.busy(9_300);
    assert_eq!(world.kinds(9_400), ["running", "worker_busy"]);
}

#[test]
fn a_worker_that_has_lost_it_is_not_said_to_be_busy_beside_it() {
    let mut world = World::new();
    world.fact(result(State::Started), 500);
    world.busy(1_500);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["worker_lost"]);
}

/// It took it, and has it no longer: what it runs now keeps that from nothing.
#[rstest]
#[case::restarted(Some(1))]
#[case::denied(None)]
fn a_worker_that_has_lost_what_it_held_is_not_said_to_be_busy(#[case] uptime: Option<u64>) {
    let mut world = World::new();
    let stats = || Stats {
        slots: Some(1),
        pool: Some("prefork".to_owned()),
        uptime,
        ..Stats::default()
    };
    world.hear(answer(NODE, limit("None")), 5);
    world.seen(At::Reserved, 500);
    world.busy(2_000);
    world.denies(2_100);
    world.hear(answer(NODE, Answer::Stats(stats())), 2_900);
    assert_eq!(world.kinds(3_500), ["worker_lost"]);
}

#[test]
fn what_waits_for_its_time_does_not_wait_for_a_slot() {
    let mut world = World::new();
    world.fact(result(State::Retry), 500);
    world.fact(Fact::Eta(at(60_000).wall), 900);
    world.busy(1_000);
    assert_eq!(world.kinds(2_000), ["retry_waiting"]);
    let mut world = World::new();
    world.seen(At::Scheduled, 500);
    world.fact(Fact::Eta(at(60_000).wall), 900);
    world.busy(1_000);
    assert_eq!(world.kinds(2_000), ["scheduled"]);
}

/// Its pool lists only what it runs.
#[test]
fn what_may_wait_in_a_full_pool_waits_for_a_slot_of_it() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("None")), 5);
    world.seen(At::Reserved, 500);
    world.busy(2_000);
    world.denies(2_100);
    assert_eq!(world.kinds(3_500), ["worker_busy", "pool_unseen"]);
}

#[test]
fn a_worker_that_told_what_it_runs_before_the_call_was_sent_is_not_said_to_be_busy() {
    let mut world = World::new();
    world.busy(2);
    world.seen(At::Reserved, 100);
    assert_eq!(world.kinds(1_000), ["held"]);
    assert_eq!(world.line("held", 1_000), "held by w1@h, not started");
}

#[test]
fn a_rate_limit_is_perhaps_the_reason_where_no_list_has_what_was_received() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("10/m")), 5);
    world.hear(depth(0, 1), 1_500);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
    assert_eq!(
        world.line("rate_limited", 3_000),
        "perhaps held back by a worker for the rate limit of 10/m of shop.refund: such tasks are in no list"
    );
    assert!(!world.diagnosis(3_000).lost());
}

#[rstest]
#[case("None")]
#[case("0")]
#[case("0/m")]
fn no_limit_is_no_reason(#[case] value: &str) {
    let mut world = World::new();
    world.hear(answer(NODE, limit(value)), 5);
    world.hear(depth(0, 1), 1_500);
    world.denies(2_000);
    assert!(!world.kinds(3_000).contains(&"rate_limited"));
}

#[test]
fn an_idle_worker_that_takes_nothing_is_told_with_the_limit_of_another_task_if_there_is_one() {
    let mut world = World::new();
    world.hear(depth(4, 1), 1_500);
    world.denies(2_000);
    assert_eq!(
        world.line("not_taken", 3_000),
        "4 waiting in celery and w1@h has nothing to do: perhaps it lost its consumer, or a rate limit holds it up"
    );
    world.hear(
        answer(
            NODE,
            Answer::Item {
                item: "rate_limit".to_owned(),
                values: vec![("shop.other".into(), "1/m".to_owned())],
            },
        ),
        2_100,
    );
    assert!(
        world
            .line("rate_limited", 3_000)
            .contains("1/m of shop.other")
    );
}

/// The same old number does not acquit a rate limit either.
#[test]
fn a_rate_limit_is_perhaps_the_reason_though_nothing_was_held_before() {
    let mut world = World::new();
    world.hear(answer(NODE, limit("10/m")), 5);
    world.hear(held(Held::Queue(0), Duration::from_secs(7)), 2_000);
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
    world.hear(held(Held::Queue(0), Duration::ZERO), 3_100);
    assert!(!world.kinds(3_200).contains(&"rate_limited"));
}

#[test]
fn a_rate_limit_is_not_blamed_where_its_worker_tells_none() {
    let mut world = World::new();
    let stats = Stats {
        pool: Some("prefork".to_owned()),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    world.seen(At::Reserved, 1_000);
    world.fact(Fact::Asked, 2_000);
    for looked in [Looked::Tasks, Looked::Scheduled] {
        let node = NODE.into();
        let asked = at(2_000).mono;
        world.fact(
            Fact::Answered {
                node,
                looked,
                held: false,
                asked,
            },
            2_000,
        );
    }
    assert_eq!(
        world.kinds(3_000),
        ["rate_limited"],
        "its limit is not told"
    );
    world.hear(answer(NODE, limit("None")), 2_000);
    assert_eq!(world.kinds(3_000), ["worker_lost"]);
    assert!(
        world
            .line("worker_lost", 3_000)
            .contains("has it no longer")
    );
    world.hear(answer(NODE, limit("10/m")), 2_100);
    assert_eq!(world.kinds(3_000), ["rate_limited"]);
}

#[test]
fn a_retry_whose_time_is_over_may_be_back_in_its_queue_or_with_another() {
    let mut world = World::new();
    world.fact(result(State::Retry), 500);
    world.fact(Fact::Eta(at(3_000).wall), 900);
    world.hear(depth(2, 1), 5_000);
    world.busy(4_000);
    world.denies(4_500);
    assert_eq!(
        world.kinds(5_100),
        ["queued", "worker_busy", "retry_waiting"]
    );
    assert_eq!(
        world.line("retry_waiting", 5_100),
        "it failed and waits for retry 1, its time has come"
    );
    world.seen(At::Reserved, 6_000);
    let tasks = Looked::Tasks;
    let node = NODE.into();
    let asked = at(5_900).mono;
    world.fact(
        Fact::Answered {
            node,
            looked: tasks,
            held: true,
            asked,
        },
        6_000,
    );
    let kinds = ["held", "worker_busy", "retry_waiting", "queue_fine"];
    assert_eq!(world.kinds(6_100), kinds);
    assert!(
        world
            .line("retry_waiting", 6_100)
            .contains("retry 1 on w1@h")
    );
}

/// The time of the try before is over, and so is what its worker listed then.
#[test]
fn a_retry_waits_for_its_own_time_and_not_for_that_of_the_one_before() {
    let mut world = World::new();
    let listed = |asked: u64| Fact::Answered {
        node: NODE.into(),
        looked: Looked::Tasks,
        held: true,
        asked: at(asked).mono,
    };
    world.fact(result(State::Retry), 500);
    assert_eq!(
        world.line("retry_waiting", 600),
        "it failed and waits for retry 1"
    );
    world.seen(At::Scheduled, 900);
    world.fact(Fact::Eta(at(6_000).wall), 900);
    world.fact(listed(5_900), 5_950);
    world.fact(result(State::Started), 6_010);
    world.fact(result(State::Retry), 6_020);
    assert_eq!(world.kinds(8_000), ["retry_waiting"]);
    let line = "it failed and waits for retry 2";
    assert_eq!(world.line("retry_waiting", 8_000), line);
    world.fact(listed(8_100), 8_110);
    assert_eq!(
        world.line("retry_waiting", 8_200),
        format!("{line} on w1@h")
    );
    world.fact(Fact::Eta(at(12_000).wall), 8_300);
    assert_eq!(
        world.line("retry_waiting", 9_000),
        format!("{line} on w1@h, next try in 3.0s")
    );
    assert_eq!(
        world.line("retry_waiting", 12_100),
        format!("{line}, its time has come"),
        "nobody was asked since"
    );
    assert!(!world.kinds(12_100).contains(&"held"));
}

/// Without `task_track_started` nobody tells that it ran between.
#[test]
fn the_time_of_the_try_before_is_not_told_for_one_that_is_ordered_later() {
    let retry = |before| {
        let mut fact = result(State::Retry);
        if let Fact::Result(result) = &mut fact {
            result.retries = Some(before);
        }
        fact
    };
    let mut world = World::new();
    world.fact(retry(0), 1_000);
    world.fact(Fact::Eta(at(5_000).wall), 1_500);
    let line = "it failed and waits for retry 1 on w1@h, next try in 3.0s";
    assert_eq!(world.line("retry_waiting", 2_000), line);
    world.fact(retry(1), 6_000);
    let line = "it failed and waits for retry 2";
    assert_eq!(world.line("retry_waiting", 6_100), line);
    world.fact(retry(1), 6_200);
    world.fact(Fact::Eta(at(11_000).wall), 6_500);
    world.fact(retry(1), 6_600);
    assert_eq!(
        world.line("retry_waiting", 7_000),
        format!("{line} on w1@h, next try in 4.0s")
    );
}

#[test]
fn a_retry_tells_when_how_often_and_why() {
    let mut world = World::new();
    let mut fact = result(State::Retry);
    if let Fact::Result(result) = &mut fact {
        result.retries = Some(1);
        result.exception = Some(crate::protocol::result::Exception {
            kind: "KeyError".to_owned(),
            module: None,
            args: vec!["sku".into()],
        });
    }
    world.fact(fact, 500);
    world.fact(Fact::Eta(at(31_000).wall), 900);
    world.hear(
        answer(
            NODE,
            Answer::Item {
                item: "max_retries".to_owned(),
                values: vec![("shop.refund".into(), "3".to_owned())],
            },
        ),
        900,
    );
    world.denies(2_000);
    assert_eq!(world.kinds(3_000), ["retry_waiting"]);
    assert_eq!(
        world.line("retry_waiting", 3_000),
        "it failed and waits for retry 2/3 on w1@h, next try in 28s: KeyError: sku"
    );
}

#[test]
fn an_eta_of_ours_is_known_before_a_worker_tells_it() {
    let mut world = World::new();
    world.call.signature.options.start = Some(Start::After(Duration::from_mins(1)));
    assert!(
        world
            .line("scheduled", 1_000)
            .starts_with("it is kept for its ETA: starts in 59s")
    );
    world.seen(At::Scheduled, 1_100);
    assert!(
        world
            .line("scheduled", 1_500)
            .starts_with("it is kept on w1@h")
    );
    assert!(!world.kinds(70_000).contains(&"scheduled"));
}

/// A worker takes several times what it can run, and tells no order of it.
#[test]
fn what_was_taken_before_is_counted_with_what_runs() {
    let taken = || {
        ["x", "y", "z"]
            .map(|id| task(id, "reports.daily", None))
            .to_vec()
    };
    let mut world = World::new();
    world.hear(depth(2, 1), 50);
    world.busy(60);
    assert_eq!(
        world.line("queued", 1_000),
        "in queue celery: 2 waiting, it among them, 1 worker reads it"
    );
    world.hear(answer(NODE, Answer::Reserved(taken()[1..].to_vec())), 70);
    // `y` runs since.
    assert_eq!(
        world.line("queued", 1_000),
        "in queue celery: 2 waiting, it among them, 1 worker reads it, 1 taken before and not started"
    );
    world.seen(At::Reserved, 100);
    world.hear(answer(NODE, Answer::Reserved(taken())), 110);
    assert_eq!(
        world.line("held", 1_000),
        "held by w1@h behind 1 running and at most 1 held"
    );
}
