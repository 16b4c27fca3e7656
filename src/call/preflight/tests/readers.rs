//! Who reads the queue and has the task: what is proof, and what a doubt.

use super::*;

#[rstest]
#[case(Depth::Missing)]
#[case(consumers(0))]
fn a_queue_that_nobody_reads_is_refused(#[case] found: Depth) {
    let mut cluster = cluster(&[]);
    depth(&mut cluster, "celery", found);
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

#[test]
fn the_one_other_queue_that_would_work_is_named() {
    let mut cluster = cluster(&[("w1", &["a"], "other"), ("w2", &["a"], "other")]);
    depth(&mut cluster, "celery", Depth::Missing);
    assert!(
        look(&cluster, "a")
            .refusal
            .unwrap()
            .hint
            .unwrap()
            .contains("--queue other")
    );
}

#[test]
fn a_task_that_none_of_all_readers_knows_is_refused_with_a_near_name() {
    let mut cluster = cluster(&[("w1", &["shop.refund"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let refusal = look(&cluster, "shop.refnd").refusal.unwrap();
    assert_eq!(refusal.kind, Kind::NoWorker);
    assert!(refusal.hint.unwrap().contains("did you mean shop.refund?"));
}

#[test]
fn where_a_task_is_not_registered_the_queues_of_who_has_it_are_named_and_not_the_task_itself() {
    let mut cluster = cluster(&[
        ("w1", &["a"], "celery"),
        ("w2", &["a"], "other"),
        ("w3", &["b"], "third"),
    ]);
    depth(&mut cluster, "third", consumers(1));
    let hint = |cluster: &Cluster| {
        let signature = signature("a", Some("third"));
        let seen = preflight(cluster, &signature, &Results::Rpc);
        seen.refusal.expect("refused").hint.expect("a hint")
    };
    let told = "workers that have a read celery, other: --queue celery, or another of them";
    assert_eq!(hint(&cluster), told);
    depth(&mut cluster, "third", consumers(0));
    assert_eq!(hint(&cluster), told);
}

#[test]
fn a_task_whose_workers_are_silent_is_not_offered_instead_of_itself() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    let question = Question::Ping;
    let reach = Reach::Somebody;
    let asked = Now::fixed(Duration::from_secs(10));
    cluster.apply(Heard::Asked { question, reach }, asked);
    let later = Now::fixed(Duration::from_mins(10));
    assert!(cluster.tick(later), "w1 is SILENT");
    let tasks = Answered::Tasks(vec!["b".into()]);
    for answer in [tasks, reads("third")] {
        let node = "w3".into();
        let took = Duration::ZERO;
        let heard = Heard::Answer { node, answer, took };
        cluster.apply(heard, later);
    }
    depth(&mut cluster, "third", consumers(1));
    let seen = preflight(&cluster, &signature("a", Some("third")), &Results::Rpc);
    let hint = seen.refusal.expect("refused").hint.expect("a hint");
    assert!(!hint.contains("did you mean a?"), "{hint}");
}

#[test]
fn a_reader_that_did_not_answer_may_know_the_task_so_it_is_sent_with_a_warning() {
    let mut cluster = cluster(&[("w1", &["b"], "celery")]);
    depth(&mut cluster, "celery", consumers(2));
    let verdict = look(&cluster, "a");
    assert_eq!(verdict.refusal, None);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.contains("none of the 1 workers"))
    );
}

#[test]
fn nobody_listening_is_proof() {
    let mut cluster = Cluster::default();
    cluster.apply(
        Heard::Asked {
            question: Question::Registered,
            reach: Reach::Nobody,
        },
        now(),
    );
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

/// `worker_enable_remote_control` is off.
#[test]
fn readers_that_hear_no_question_are_a_doubt_and_no_proof() {
    let mut cluster = Cluster::default();
    let reach = Reach::Nobody;
    let question = Question::Registered;
    cluster.apply(Heard::Asked { question, reach }, now());
    depth(&mut cluster, "celery", consumers(1));
    let verdict = look(&cluster, "a");
    assert_eq!(verdict.refusal, None);
    let told = "it has readers, which may have remote control switched off";
    assert!(verdict.warnings.iter().any(|it| it.contains(told)));
    depth(&mut cluster, "celery", consumers(0));
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

#[test]
fn an_unknown_depth_is_a_doubt_and_no_proof() {
    let cluster = cluster(&[("w1", &["a"], "celery")]);
    let verdict = look(&cluster, "a");
    assert_eq!(verdict.refusal, None);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.contains("is not known"))
    );
}

#[test]
fn a_task_on_some_workers_only_may_end_as_no_task() {
    let mut cluster = cluster(&[("w1", &["a"], "celery"), ("w2", &["b"], "celery")]);
    depth(&mut cluster, "celery", consumers(2));
    assert!(
        look(&cluster, "a")
            .warnings
            .iter()
            .any(|warning| warning.contains("1 of 2 workers"))
    );
}

#[test]
fn who_reads_the_queue_and_how_long_its_line_is_is_known_or_said_not_to_be() {
    let mut counted = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut counted, "celery", consumers(2));
    let line = look(&counted, "a").lines.remove(0);
    assert_eq!((line.readers, line.waiting), (Readers::Exactly(2), Some(3)));
    let told = cluster(&[("w1", &["a"], "celery")]);
    let line = look(&told, "a").lines.remove(0);
    assert_eq!((line.readers, line.waiting), (Readers::AtLeast(1), None));
    let line = look(&Cluster::default(), "a").lines.remove(0);
    assert_eq!((line.readers, line.waiting), (Readers::Unknown, None));
    depth(&mut counted, "celery", Depth::Missing);
    let line = look(&counted, "a").lines.remove(0);
    assert_eq!((line.readers, line.missing), (Readers::Exactly(0), true));
    let mut heard = cluster(&[("w1", &["a"], "celery")]);
    heard_by(&mut heard, 1, "celery");
    let line = look(&heard, "a").lines.remove(0);
    assert_eq!(line.readers, Readers::Exactly(1), "all who heard have told");
}

#[test]
fn only_workers_that_read_the_queue_count_for_where_a_task_is_registered() {
    let workers: [(&str, &[&str], &str); 4] = [
        ("w1", &["a"], "celery"),
        ("w2", &["b"], "celery"),
        ("w3", &["b"], "other"),
        ("w4", &["a"], "other"),
    ];
    let mut cluster = cluster(&workers);
    depth(&mut cluster, "celery", consumers(3));
    let seen = look(&cluster, "a");
    let registered = &seen.registered;
    assert_eq!((registered.on, registered.of()), (1, 2));
    assert_eq!(
        (registered.missing_on(), registered.unheard),
        ("w2".to_owned(), 1)
    );
    let text = seen.warnings.join("\n");
    assert!(
        text.contains("on 1 of 2 workers that read it, not on w2"),
        "{text}"
    );
}

#[test]
fn a_queue_whose_readers_lack_a_task_that_others_have_is_doubted() {
    let mut cluster = cluster(&[("w1", &["b"], "celery"), ("w2", &["a"], "other")]);
    depth(&mut cluster, "celery", consumers(2));
    let seen = look(&cluster, "a");
    assert_eq!(seen.refusal, None, "one more reads it");
    let text = seen.warnings.join("\n");
    assert!(
        text.contains("the one worker that answered and reads it has no a"),
        "{text}"
    );
}

/// `w3` lacks it and cannot get it, `w2` has it and cannot get it, and who reads the queue is frozen.
#[rstest]
#[case::others_may_lack_it("b")]
#[case::all_others_have_it("a")]
fn workers_that_cannot_get_a_call_say_nothing_of_those_that_can(#[case] third: &str) {
    let mut cluster = cluster(&[("w2", &["a"], "other"), ("w3", &[third], "third")]);
    depth(&mut cluster, "celery", consumers(1));
    let told = "no worker that told its tasks reads queue celery: whether those that read it have a is not known";
    assert_eq!(look(&cluster, "a").warnings, [told]);
}
