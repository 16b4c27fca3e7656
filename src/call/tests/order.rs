//! Same facts, same state: a worker's life, and anything at all, merged in random orders, twice, in part, with clocks that are off.

use super::hostile::hostile;
use super::*;

/// What happens to a call: a fact heard, or something done about the waiting.
#[derive(Clone, Debug)]
pub(super) enum Do {
    Hear(Fact),
    Look,
    Wait(Duration),
    Detach,
}

pub(super) type Heard = (Do, u64);

pub(super) fn merged(all: &[Heard]) -> Call {
    let mut call = draft();
    for (what, ms) in all {
        match what {
            Do::Hear(fact) => {
                call.apply(fact.clone(), at(*ms));
            }
            Do::Look => {
                call.tick(at(*ms));
            }
            Do::Wait(timeout) => call.set_timeout(*timeout, at(*ms)),
            Do::Detach => call.detach(at(*ms)),
        }
    }
    call
}

/// All that is shown of a call, in words: a difference can be read.
pub(super) fn shown(call: &Call) -> String {
    let Call {
        timeline,
        waiting,
        told_at,
        worker,
        pid,
        acknowledged,
        retries,
        custom,
        result,
        source,
        repr,
        arriving,
        trouble,
        backend_lost,
        timeout,
        warnings,
        ..
    } = call;
    let mut warnings = warnings.clone();
    warnings.sort();
    let words = (call.state(), call.whereabouts(), call.sent(), call.late());
    let place = (worker, pid, acknowledged, retries, call.started_again());
    let brought = (
        custom,
        result,
        source,
        repr,
        arriving,
        trouble,
        backend_lost,
    );
    let asked = (
        call.inquiry.asked,
        call.inquiry.told,
        call.inquiry.eta,
        call.inquiry.acknowledged,
    );
    format!(
        "{words:?}\n{place:?}\n{timeline:?}\n{brought:?}\n{:?}\n{asked:?}",
        (waiting, told_at, timeout, warnings)
    )
}

/// What does not depend on when anything was heard.
fn told(call: &Call) -> String {
    let words = (call.state(), call.whereabouts(), &call.worker, call.retries);
    format!("{words:?} {:?} {:?}", call.result, call.repr)
}

/// A worker: its name, and by how many milliseconds its clock is wrong.
type Place = (&'static str, i64);

/// How one attempt of a task ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    Retried,
    /// Its worker dies; the broker gives it to the next one.
    Killed,
    Rejected,
    Succeeded,
    Failed,
    Revoked,
    Expired,
    StillRuns,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says which of the sources tells of it"
)]
struct Life {
    turns: Vec<(Turn, usize, u64)>,
    skews: [i64; 2],
    tracked: bool,
    extended: bool,
    events: bool,
    lists: bool,
}

fn life() -> impl Strategy<Value = Life> {
    let again = prop_oneof![
        4 => Just(Turn::Retried),
        1 => Just(Turn::Killed),
        1 => Just(Turn::Rejected)
    ];
    let last = prop_oneof![
        Just(Turn::Succeeded),
        Just(Turn::Failed),
        Just(Turn::Revoked),
        Just(Turn::Expired),
        Just(Turn::StillRuns)
    ];
    let again = proptest::collection::vec((again, 0..2_usize, 1..4_000_u64), 0..4);
    let flags = any::<[bool; 4]>();
    let skew = || prop_oneof![Just(0_i64), -600_000..600_000_i64];
    (
        again,
        (last, 0..2_usize, 1..4_000_u64),
        flags,
        [skew(), skew()],
    )
        .prop_map(
            |(mut turns, last, [tracked, extended, events, lists], skews)| {
                turns.push(last);
                Life {
                    turns,
                    skews,
                    tracked,
                    extended,
                    events: events || !tracked,
                    lists,
                }
            },
        )
}

/// The facts of a life, each when it is heard; with the one worker that tells it, events are heard up to a second later.
struct Teller {
    heard: Vec<Heard>,
    now: u64,
    clock: u64,
    retries: u64,
}

impl Teller {
    fn event(&mut self, (name, skew): Place, kind: TaskEventKind) {
        self.clock += 1;
        let ms = i64::try_from(1_000_000 + self.now).unwrap() + skew;
        let event = TaskEvent {
            uuid: "c7a31f09-0000-4000-8000-000000000000".into(),
            node: name.into(),
            at: Timestamp::from_millisecond(ms).ok(),
            clock: self.clock,
            kind,
        };
        let late = self.clock * 37 % 900;
        self.heard
            .push((Do::Hear(Fact::Event(Box::new(event))), self.now + late));
    }

    fn state(&mut self, extended: bool, status: &str, value: &str) {
        let more = if extended {
            format!(r#", "retries": {}"#, self.retries)
        } else {
            String::new()
        };
        let text = format!(r#"{{"status": "{status}", "result": {value}, "task_id": "x"{more}}}"#);
        self.heard.push((Do::Hear(result(&text)), self.now));
    }

    fn list(&mut self, (name, skew): Place, place: super::Place) {
        let task = HeldTask {
            id: "x".into(),
            name: "t".into(),
            started: Some((1_000_000.0 + self.now as f64 + skew as f64) / 1000.0),
            acknowledged: true,
            pid: Some(7),
            redelivered: false,
        };
        let node = name.into();
        self.heard
            .push((Do::Hear(Fact::Seen { place, node, task }), self.now));
    }
}

impl Life {
    fn facts(&self) -> Vec<Heard> {
        let mut all = Teller {
            heard: vec![
                (Do::Hear(Fact::Ordered), 0),
                (Do::Hear(Fact::Publishing), 0),
                (Do::Hear(Fact::Confirmed), 2),
            ],
            now: 5,
            clock: 0,
            retries: 0,
        };
        let seat = |seat: usize| (["a@h", "b@h"][seat], self.skews[seat]);
        for (step, (turn, at, took)) in self.turns.iter().enumerate() {
            let next = self.turns.get(step + 1).map_or(*at, |next| next.1);
            self.turn(&mut all, *turn, (seat(*at), seat(next)), *took);
        }
        all.heard
    }

    fn turn(&self, all: &mut Teller, turn: Turn, (place, next): (Place, Place), took: u64) {
        if matches!(turn, Turn::Revoked | Turn::Expired) {
            return self.end(all, turn, place);
        }
        if self.events && all.retries == 0 {
            all.event(place, received(0));
        }
        all.now += took;
        if self.events {
            all.event(place, TaskEventKind::Started);
        }
        if self.tracked {
            let value = format!(r#"{{"pid": {}, "hostname": "{}"}}"#, 7 + all.clock, place.0);
            all.state(self.extended, "STARTED", &value);
        }
        all.now += took;
        if self.lists {
            all.list(place, super::Place::Active);
        }
        all.now += took;
        match turn {
            Turn::Retried => {
                let raised =
                    r#"{"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}"#;
                all.state(self.extended, "RETRY", raised);
                all.retries += 1;
                if self.events {
                    all.event(next, received(all.retries));
                    all.event(place, retried());
                }
            }
            Turn::Rejected if self.events => {
                all.event(place, TaskEventKind::Rejected { requeue: true });
            }
            Turn::Succeeded | Turn::Failed => self.end(all, turn, place),
            _ => {}
        }
    }

    fn end(&self, all: &mut Teller, turn: Turn, place: Place) {
        let raised = |kind: &str, why: &str| {
            format!(r#"{{"exc_type": "{kind}", "exc_message": ["{why}"], "exc_module": "m"}}"#)
        };
        let revoked = |expired| TaskEventKind::Revoked {
            terminated: false,
            signum: None,
            expired,
        };
        let (status, value, event) = match turn {
            Turn::Succeeded => ("SUCCESS", "5".to_owned(), succeeded("5")),
            Turn::Failed => ("FAILURE", raised("KeyError", "x"), failed("KeyError('x')")),
            Turn::Expired => (
                "REVOKED",
                raised("TaskRevokedError", "expired"),
                revoked(true),
            ),
            _ => (
                "REVOKED",
                raised("TaskRevokedError", "revoked"),
                revoked(false),
            ),
        };
        all.state(self.extended, status, &value);
        if self.events {
            all.event(place, event);
        }
    }
}

pub(super) fn done() -> impl Strategy<Value = Heard> {
    let what = prop_oneof![
        2 => Just(Do::Look),
        1 => (1..20_000_u64).prop_map(|ms| Do::Wait(Duration::from_millis(ms))),
        1 => Just(Do::Detach),
    ];
    (what, 0..30_000_u64)
}

/// Some of the facts, some of them twice, with what is done meanwhile; and the same in another order.
fn shuffled(all: Vec<Heard>) -> impl Strategy<Value = (Vec<Heard>, Vec<Heard>)> {
    let count = all.len();
    let keep = proptest::collection::vec(
        prop_oneof![6 => Just(1_usize), 1 => Just(0), 1 => Just(2)],
        count,
    );
    keep.prop_flat_map(move |keep| {
        let some = all
            .iter()
            .zip(keep)
            .flat_map(|(heard, times)| vec![heard.clone(); times]);
        let some: Vec<Heard> = some.collect();
        (Just(some.clone()).prop_shuffle(), Just(some).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_workers_life_ends_in_the_same_state_in_whatever_order_it_is_merged(
        (one, other) in (life(), proptest::collection::vec(done(), 0..4))
            .prop_flat_map(|(life, done)| shuffled([life.facts(), done].concat()))
    ) {
        prop_assert_eq!(shown(&merged(&one)), shown(&merged(&other)));
    }

    #[test]
    fn anything_at_all_ends_in_the_same_state_in_whatever_order_it_is_merged(
        (one, other) in proptest::collection::vec(hostile(), 0..14).prop_flat_map(shuffled)
    ) {
        prop_assert_eq!(shown(&merged(&one)), shown(&merged(&other)));
    }

    #[test]
    fn what_is_merged_twice_changes_nothing(all in proptest::collection::vec(hostile(), 0..14)) {
        let twice: Vec<Heard> = all.iter().flat_map(|heard| [heard.clone(), heard.clone()]).collect();
        prop_assert_eq!(shown(&merged(&all)), shown(&merged(&twice)));
    }

    /// One worker's clock orders its events: only times of ours, and whether it was late, depend on when they were heard.
    #[test]
    fn events_of_one_worker_tell_the_same_whenever_they_are_heard(
        (life, moments) in life().prop_map(|mut life| {
            life.events = true;
            life.tracked = false;
            life.lists = false;
            for turn in &mut life.turns {
                turn.1 = 0;
            }
            life
        }).prop_flat_map(|life| {
            let count = life.facts().len();
            (Just(life), proptest::collection::vec(10..9_000_u64, count))
        })
    ) {
        let events = |(what, _): &Heard| matches!(what, Do::Hear(Fact::Event(_) | Fact::Publishing | Fact::Confirmed));
        let mut all: Vec<Heard> = life.facts().into_iter().filter(events).collect();
        all.push((Do::Wait(Duration::from_mins(1)), 3));
        let sent = |(_, ms): &Heard| *ms < 5;
        let otherwise: Vec<Heard> = all.iter().zip(moments).map(|(heard, ms)| (heard.0.clone(), if sent(heard) { heard.1 } else { ms })).collect();
        prop_assert_eq!(told(&merged(&all)), told(&merged(&otherwise)));
    }

    /// Whatever part of a life is heard: nothing is told that did not happen.
    #[test]
    fn a_part_of_a_life_tells_less_and_nothing_else(
        (life, (part, _)) in life().prop_flat_map(|life| { let facts = life.facts(); (Just(life), shuffled(facts)) })
    ) {
        let call = merged(&part);
        let whole = merged(&life.facts());
        let retries = life.turns.iter().filter(|turn| turn.0 == Turn::Retried).count() as u64;
        prop_assert!(call.retries.is_none_or(|told| told <= retries), "{:?} of {retries}", call.retries);
        prop_assert!(call.outcome.is_none() || call.outcome == whole.outcome);
        let timeline = call.timeline;
        let order = [timeline.published, timeline.received, timeline.started, timeline.last_started, timeline.done];
        let known: Vec<Moment> = order.into_iter().skip(1).flatten().map(|at| at.mono).collect();
        prop_assert!(known.is_sorted(), "{timeline:?}");
    }

    /// A clock that is minutes off is found out; what it alone tells is on its own clock and said to be.
    #[test]
    fn a_clock_that_is_off_moves_no_time_of_ours(mut life in life(), skew in prop_oneof![-600_000..-120_000_i64, 120_000..600_000_i64]) {
        life.skews = [skew, skew];
        let off = merged(&life.facts()).timeline;
        prop_assert!(!off.told && !off.last_told);
        prop_assert_ne!(off.queued_on(), Some(Clock::Both));
        prop_assert_ne!(off.ran_on(), Some(Clock::Both));
        prop_assert!(off.started.is_none_or(|at| at.mono >= self::at(5).mono));
    }
}
