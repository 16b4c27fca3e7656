//! What runs it, and what became of who had it.

use super::*;

#[test]
fn what_runs_is_compared_with_what_is_usual() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    assert_eq!(world.line("running", 3_000), "it runs on w1@h for 2.0s");
    assert!(!world.diagnosis(3_000).tells());
    let times = (1..=100).map(Duration::from_millis);
    world.usual = Usual::of(times.collect());
    assert!(world.diagnosis(3_000).tells());
    assert!(
        world
            .line("running", 3_000)
            .ends_with("slower than 99% of 100 earlier calls")
    );
    assert!(world.line("running", 9_000).contains("last told 8.0s ago"));
}

#[test]
fn a_worker_that_is_no_longer_connected_may_still_finish_what_it_runs() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.hear(depth(0, 1), 1_100);
    world.silent(2_000, 4_500);
    assert_eq!(
        world.kinds(5_000),
        ["running", "worker_silent", "queue_fine"]
    );
    assert!(world.diagnosis(5_000).now.inferred);
    world.hear(depth(0, 0), 5_100);
    assert_eq!(world.kinds(5_200), ["worker_lost"]);
    assert_eq!(
        world.line("worker_lost", 5_200),
        "w1@h is no longer connected (stopping, cut off or dead) and was running it, which may still finish: acknowledged before, so it will not run again"
    );
    let diagnosis = world.diagnosis(5_200);
    assert!(diagnosis.why[0].inferred());
    let place = diagnosis.now;
    assert_eq!(
        (
            place.name().as_str(),
            place.inferred,
            place.worker.is_some()
        ),
        ("run", true, true)
    );
}

#[test]
fn a_worker_that_was_started_again_knows_nothing_of_what_it_ran() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.denies(5_000);
    assert!(
        world
            .line("worker_lost", 6_000)
            .starts_with("w1@h had it and has it no longer")
    );
    let stats = Stats {
        uptime: Some(2),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5_500);
    // Stopped in order it has stopped to listen, and goes on.
    assert_eq!(
        world.line("worker_lost", 6_000),
        "w1@h was restarted while it ran it, and what its earlier process does is not known: stopped in order, it may still finish; if it was killed: acknowledged before, so it will not run again"
    );
    assert!(world.diagnosis(6_000).why[0].inferred());
}

#[test]
fn what_was_held_by_a_dead_worker_goes_back_to_the_queue() {
    let mut world = World::new();
    world.seen(At::Reserved, 1_000);
    world.hear(depth(0, 0), 1_100);
    world.silent(2_000, 4_500);
    assert!(
        world
            .line("worker_lost", 5_000)
            .contains("the broker gives it to another")
    );
}

const EITHER: &str = "so it is given out again: at once if the worker stopped in order, else (on a Redis) after the visibility_timeout (1h unless set)";

fn looked_at_redis(ready: u64, held: Held, held_ago: Duration) -> Heard {
    let depth = Depth::Known {
        ready,
        held,
        held_ago,
        rates: None,
        consumers: None,
    };
    let (queue, depth, took) = ("celery".into(), Ok(depth), Duration::ZERO);
    Heard::Depth { queue, depth, took }
}

/// What a worker of a Redis held that is silent now and was told by nobody else.
fn lost_on_redis() -> World {
    let mut world = World::new();
    world.seen(At::Reserved, 1_000);
    let asked = Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(0),
    };
    world.hear(asked, 1_500);
    world.silent(2_000, 4_500);
    world
}

fn after_visibility_timeout(world: &World, ms: u64) -> Option<bool> {
    let why = world.diagnosis(ms).why;
    let mut told = why.iter().filter_map(|it| match it {
        Verdict::WorkerLost {
            after_visibility_timeout,
            ..
        } => Some(*after_visibility_timeout),
        _ => None,
    });
    told.next().expect("a lost worker")
}

/// A worker of a Redis that stops puts back what it holds at once; one that dies does not.
#[rstest]
#[case::died(
    0,
    Held::Queue(1),
    0,
    Some(true),
    "gives it out again after the visibility_timeout"
)]
#[case::put_back(1, Held::Queue(0), 0, Some(false), "perhaps back in its queue")]
#[case::taken(0, Held::Queue(0), 0, Some(false), "perhaps another worker has it")]
#[case::one_waits_and_one_is_held(1, Held::Queue(1), 0, None, "perhaps back in its queue")]
#[case::not_counted(0, Held::Unknown, 0, None, EITHER)]
#[case::counted_before(0, Held::Queue(0), 4_000, None, EITHER)]
fn when_what_a_lost_worker_held_runs_again_is_said_as_the_redis_shows_it(
    #[case] ready: u64,
    #[case] held: Held,
    #[case] held_ago: u64,
    #[case] late: Option<bool>,
    #[case] told: &str,
) {
    let mut world = lost_on_redis();
    let held_ago = Duration::from_millis(held_ago);
    world.hear(looked_at_redis(ready, held, held_ago), 4_600);
    let line = world.line("worker_lost", 5_000);
    assert!(line.contains(told), "{line}");
    assert_eq!(after_visibility_timeout(&world, 5_000), late);
}

#[test]
fn where_nobody_looked_since_nothing_is_said_of_when_it_is_given_out_again() {
    let mut world = lost_on_redis();
    assert!(world.line("worker_lost", 5_000).ends_with(EITHER));
    assert_eq!(after_visibility_timeout(&world, 5_000), None);
    world.hear(looked_at_redis(0, Held::Queue(1), Duration::ZERO), 900);
    assert!(world.line("worker_lost", 5_000).ends_with(EITHER));
    let (queue, took) = ("celery".into(), Duration::ZERO);
    let depth = Err("NOPERM".to_owned());
    world.hear(Heard::Depth { queue, depth, took }, 4_600);
    assert!(world.line("worker_lost", 5_000).ends_with(EITHER));
}

#[test]
fn right_after_the_end_of_a_task_its_worker_is_believed() {
    let mut world = World::new();
    world.seen(At::Active, 1_000);
    world.denies(1_300);
    assert_eq!(world.kinds(1_400), ["running"]);
}

/// However long ago it was heard of: its end shows in the lists first, in a result a moment later, in an event up to a second later.
#[rstest]
#[case::by_result(Results::Rpc, 700, 900)]
#[case::by_event(Results::Disabled, 1_400, 1_600)]
fn a_moment_is_left_for_the_end_from_when_its_worker_had_it_no_longer(
    #[case] results: Results,
    #[case] open: u64,
    #[case] over: u64,
) {
    let mut world = World::new();
    world.results = results;
    world.fact(result(State::Started), 500);
    for (ms, kind) in [(5_000, "running"), (5_000 + open, "running")] {
        world.denies(ms);
        assert_eq!(world.kinds(ms + 10), [kind]);
    }
    assert_eq!(world.kinds(5_000 + over), ["worker_lost"]);
    // A word of it since takes all that back.
    world.seen(At::Active, 5_000 + over);
    world.denies(6_700);
    assert_eq!(world.kinds(6_700 + open), ["running"]);
    assert_eq!(world.kinds(6_700 + over), ["worker_lost"]);
}

/// It is not the order of merging that says when it had it no longer.
#[test]
fn an_older_word_that_is_heard_of_later_moves_no_moment() {
    let mut world = World::new();
    world.denies(2_000);
    world.denies(5_000);
    world.fact(result(State::Started), 4_000);
    world.denies(5_600);
    assert_eq!(world.kinds(5_700), ["running"]);
    assert_eq!(world.kinds(5_900), ["worker_lost"]);
}

#[test]
fn a_silent_solo_worker_is_no_dead_one() {
    let mut world = World::new();
    let stats = Stats {
        pool: Some("solo".to_owned()),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    world.hear(depth(0, 1), 1_500);
    world.silent(2_000, 4_500);
    assert_eq!(
        world.line("worker_silent", 5_005),
        "w1@h does not answer, last heard 5.0s ago; a solo pool cannot answer while it runs a task"
    );
    assert!(!world.diagnosis(5_005).lost());
}

#[test]
fn a_silent_worker_whose_pool_is_not_known_may_be_a_solo_one() {
    let mut world = World::new();
    world.hear(depth(0, 1), 1_500);
    world.silent(2_000, 4_500);
    assert_eq!(
        world.line("worker_silent", 5_005),
        "w1@h does not answer, last heard 5.0s ago: busy with a solo pool, hanging or cut off"
    );
    let next = &world.diagnosis(5_005).next[0];
    assert_eq!(
        next.line(),
        "look at w1@h: its process hangs, is cut off, or cannot answer just now"
    );
}

#[rstest]
#[case("solo", false)]
#[case("threads", false)]
#[case("prefork", true)]
fn to_terminate_it_is_advised_only_where_its_pool_can_be_killed(
    #[case] pool: &str,
    #[case] advised: bool,
) {
    let mut world = World::new();
    let stats = Stats {
        pool: Some(pool.to_owned()),
        ..Stats::default()
    };
    world.hear(answer(NODE, Answer::Stats(stats)), 5);
    world.seen(At::Active, 1_000);
    let next = world.diagnosis(3_000).next;
    assert_eq!(next.iter().any(|it| it.kind() == "terminate"), advised);
    assert!(next.iter().all(|it| it.kind() != "revoke"), "it runs");
}

/// As the result backend tells it to an umbel that came while it worked.
#[test]
fn a_worker_that_has_it_and_was_never_heard_does_not_answer() {
    let mut world = World::new();
    world.cluster = Cluster::default();
    world.fact(result(State::Started), 1_000);
    world.fact(Fact::Asked, 2_000);
    assert_eq!(world.kinds(3_000), ["running"]);
    let told = "w1@h, which has it, does not answer: busy with a solo pool, without remote control, hanging, cut off or gone";
    assert_eq!(world.line("worker_silent", 4_000), told);
    let (question, reach) = (Question::Registered, Reach::Nobody);
    world.hear(Heard::Asked { question, reach }, 3_500);
    let silent = ["running", "worker_silent"];
    assert_eq!(
        world.kinds(4_000),
        silent,
        "it may be without remote control"
    );
    world.hear(depth(0, 1), 3_600);
    assert!(
        world.kinds(4_000).starts_with(&silent),
        "somebody reads its queue"
    );
    world.hear(depth(0, 0), 3_700);
    assert_eq!(world.kinds(4_000), ["worker_lost"], "nobody is there");
}

/// It was started after nobody was found to listen, and cannot answer while it works.
#[test]
fn a_worker_that_came_after_nobody_was_there_is_not_gone() {
    let mut world = World::new();
    world.cluster = Cluster::default();
    world.fact(Fact::Asked, 1_000);
    let (question, reach) = (Question::Registered, Reach::Nobody);
    world.hear(Heard::Asked { question, reach }, 1_000);
    world.hear(depth(1, 0), 1_010);
    world.fact(result(State::Started), 5_000);
    assert_eq!(
        world.kinds(5_100),
        ["running"],
        "it was not there to be asked"
    );
    world.hear(Heard::Reached(Reach::Somebody), 6_000);
    world.hear(depth(0, 1), 6_100);
    assert_eq!(world.kinds(20_000), ["running", "queue_fine"]);
    world.fact(Fact::Asked, 20_000);
    let silent = ["running", "worker_silent", "queue_fine"];
    assert_eq!(world.kinds(22_000), silent);
    world.hear(Heard::Reached(Reach::Nobody), 22_100);
    world.hear(depth(0, 0), 22_200);
    assert_eq!(
        world.kinds(22_300),
        ["running", "worker_silent"],
        "somebody was"
    );
}

/// A call that somebody else made, of which the result backend has kept that it was started.
fn stored() -> World {
    let mut world = World::new();
    let signature = world.call.signature.clone();
    world.call = Call::stranger(signature, Duration::from_secs(10), at(2_000));
    world.fact(Fact::BackendBack, 2_010);
    world.fact(result(State::Started), 2_010);
    world
}

#[test]
fn what_the_backend_alone_has_kept_is_told_as_its_word() {
    let world = stored();
    assert_eq!(
        world.line("running", 2_100),
        "it runs on w1@h, as the result backend has kept it; no worker told of it"
    );
    let diagnosis = world.diagnosis(2_100);
    assert!(diagnosis.why[0].inferred() && diagnosis.now.inferred);
    let mut seen = stored();
    seen.seen(At::Active, 2_200);
    let diagnosis = seen.diagnosis(2_300);
    assert!(!diagnosis.why[0].inferred() && !diagnosis.now.inferred);
}

#[test]
fn what_the_backend_alone_has_kept_does_not_run_where_its_worker_denies_it() {
    let mut world = stored();
    world.denies(2_000);
    assert_eq!(
        world.kinds(3_000),
        ["running"],
        "it may have come after that"
    );
    world.denies(2_100);
    let scene = Scene {
        cluster: &world.cluster,
        broker: &world.broker,
        backend: &world.backend,
        results: &world.results,
        usual: None,
    };
    assert!(
        !world.call.inquiry_complete(&scene, at(2_200)),
        "its result may follow"
    );
    assert!(world.call.inquiry_complete(&scene, at(3_000)));
    assert_eq!(
        world.line("worker_lost", 3_000),
        "the result backend has kept that w1@h started it, and w1@h does not have it: perhaps it ended without a result, or its process died"
    );
    let diagnosis = world.diagnosis(3_000);
    assert_eq!(
        (diagnosis.now.state, diagnosis.now.worker),
        (None, Some(NODE.into()))
    );
    assert!(diagnosis.why[0].inferred());
    assert_eq!(diagnosis.next, [Advice::Wait]);
}

/// A Redis counts who hears requests, and nobody who only reads queues.
#[test]
fn a_worker_that_the_backend_names_and_that_is_none_of_those_that_listen_may_be_without_remote_control()
 {
    let mut world = World::new();
    let elsewhere = TaskResult {
        worker: Some("w0@h".into()),
        ..TaskResult::new("x".into(), State::Started, Json::Null)
    };
    world.fact(Fact::Result(Box::new(elsewhere)), 1_100);
    world.fact(Fact::Asked, 1_200);
    for listeners in [2, 1] {
        let reach = Reach::Listeners(listeners);
        let question = Question::Registered;
        world.hear(Heard::Asked { question, reach }, 1_200);
        world.hear(answer(NODE, Answer::Pong), 1_250);
        world.hear(looked_at_redis(0, Held::Queue(0), Duration::ZERO), 1_260);
        assert_eq!(world.kinds(3_000), ["running", "worker_silent"]);
    }
}

/// That somebody else ordered it to start later only its worker tells.
#[test]
fn what_somebody_else_sent_for_later_waits_for_its_eta() {
    let mut world = stored();
    world.call = Call::stranger(
        world.call.signature.clone(),
        Duration::from_secs(10),
        at(2_000),
    );
    world.seen(At::Scheduled, 2_100);
    world.fact(Fact::Eta(at(60_000).wall), 2_100);
    assert_eq!(world.kinds(2_200), ["scheduled"]);
    let told = world.line("scheduled", 2_200);
    assert!(
        told.contains("it is kept on w1@h for its ETA: starts in 58s"),
        "{told}"
    );
}
