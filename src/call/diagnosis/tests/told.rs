//! That the same facts say the same in any order, and what documents have of it.

use super::*;

/// What may become known of one call, each with its time.
fn story() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    let answered = |looked, held, asked| Fact::Answered {
        node: NODE.into(),
        looked,
        held,
        asked: at(asked).mono,
    };
    let answers = (any::<bool>(), 1_000..9_000_u64);
    let fact = prop_oneof![
        Just(Fact::Asked),
        Just(Fact::NotStored),
        Just(Fact::Eta(at(90_000).wall)),
        (answers.clone()).prop_map(move |(held, asked)| answered(Looked::Tasks, held, asked)),
        answers.prop_map(move |(held, asked)| answered(Looked::Scheduled, held, asked)),
    ];
    prop::collection::vec((1_000..9_000_u64, fact), 0..12)
}

proptest! {
    #[test]
    fn the_same_facts_in_any_order_give_the_same_diagnosis(
        (facts, shuffled) in story().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
        received in any::<bool>(),
        waiting in 0..3_u64,
        busy in any::<bool>(),
    ) {
        let told = |facts: Vec<(u64, Fact)>| {
            let mut world = World::new();
            world.hear(depth(waiting, 1), 9_500);
            if busy {
                world.busy(900);
            }
            if received {
                world.seen(At::Reserved, 950);
            }
            for (ms, fact) in facts {
                world.fact(fact, ms);
            }
            world.diagnosis(10_000)
        };
        prop_assert_eq!(told(facts), told(shuffled));
    }

    #[test]
    fn whatever_is_known_something_is_said_and_nothing_panics(
        facts in story(), now in 0..20_000_u64, down in any::<bool>(),
    ) {
        let mut world = World::new();
        if down {
            world.broker = Way::Down { since: at(3_000), reason: "x".to_owned(), retry_at: None };
        }
        for (ms, fact) in facts {
            world.fact(fact, ms);
        }
        let diagnosis = world.diagnosis(now);
        prop_assert!(!diagnosis.why.is_empty());
        prop_assert!(diagnosis.why.iter().all(|verdict| !verdict.line().is_empty()));
        prop_assert!(!(down && diagnosis.lost()));
    }
}

#[test]
fn a_document_has_the_word_the_evidence_and_the_sentence_of_each_reason() {
    let mut world = World::new();
    world.seen(At::Reserved, 100);
    world.busy(200);
    let diagnosis = world.diagnosis(1_000);
    let document = serde_json::to_value(DiagnosisDocument::new(&diagnosis, at(1_000))).unwrap();
    assert_eq!(document["now"]["state"], "recv");
    assert_eq!(document["why"][1]["kind"], "worker_busy");
    assert_eq!(document["why"][1]["oldest"], "reports.daily");
    assert_eq!(document["why"][1]["inferred"], false);
    assert_eq!(document["why"][0]["text"], "held by w1@h behind 1 running");
    assert!(document["asked"].is_null());
}
