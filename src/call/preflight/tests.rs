//! The verdicts before sending. No IO, no async.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::broker::{Depth, Held};
use crate::clock::Now;
use crate::cluster::{Answer as Answered, Heard, Question};
use crate::protocol::control::{Conf, ConsumedQueue, Report};
use crate::protocol::{Options, TaskId};

fn now() -> Now {
    Now::fixed(Duration::from_secs(1))
}

fn signature(task: &str, queue: Option<&str>) -> Signature {
    let options = Options {
        queue: queue.map(Into::into),
        ..Options::default()
    };
    Signature {
        task: task.into(),
        id: TaskId::random(),
        args: vec![],
        kwargs: vec![],
        options,
    }
}

/// A cluster of workers: name, tasks, queue.
fn cluster(workers: &[(&str, &[&str], &str)]) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.apply(
        Heard::Asked {
            question: Question::Registered,
            reach: Reach::Somebody,
        },
        now(),
    );
    for (node, tasks, queue) in workers {
        let queue = ConsumedQueue {
            name: (*queue).into(),
            exchange: String::new(),
            routing_key: String::new(),
            ..ConsumedQueue::default()
        };
        tell(
            &mut cluster,
            node,
            Answered::Tasks(tasks.iter().map(|&task| task.into()).collect()),
        );
        tell(&mut cluster, node, Answered::Queues(vec![queue]));
        let kept = tasks
            .iter()
            .map(|&task| (task.into(), "False".to_owned()))
            .collect();
        tell(
            &mut cluster,
            node,
            Answered::Item {
                item: "ignore_result".into(),
                values: kept,
            },
        );
    }
    cluster
}

fn tell(cluster: &mut Cluster, node: &str, answer: Answered) {
    cluster.apply(
        Heard::Answer {
            node: node.into(),
            answer,
            took: Duration::ZERO,
        },
        now(),
    );
}

fn depth(cluster: &mut Cluster, queue: &str, depth: Depth) {
    cluster.apply(
        Heard::Depth {
            queue: queue.into(),
            depth: Ok(depth),
            took: Duration::ZERO,
        },
        now(),
    );
}

fn consumers(consumers: u64) -> Depth {
    Depth::Known {
        ready: 3,
        held: Held::Unknown,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: Some(consumers),
    }
}

fn look(cluster: &Cluster, task: &str) -> Preflight {
    preflight(cluster, &signature(task, None), &Results::Rpc)
}

fn routed(conf: Conf) -> Cluster {
    let mut cluster = cluster(&[("w1", &["shop.add", "shop.mail"], "celery")]);
    tell(&mut cluster, "w1", Answered::Conf(Box::new(conf)));
    cluster
}

#[test]
fn a_registered_task_with_a_reader_is_sent_without_a_word() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let verdict = look(&cluster, "a");
    assert_eq!(
        (verdict.refusal, verdict.warnings.as_slice(), verdict.answer),
        (None, [].as_slice(), Answer::Result)
    );
    assert_eq!(
        (verdict.queue.as_str(), verdict.lines[0].waiting),
        ("celery", Some(3))
    );
}

#[rstest]
#[case(Some("mine"), Conf::default(), "mine", QueueSource::User)]
#[case(None, Conf { routes: vec![("shop.*".into(), "globbed".into()), ("shop.add".into(), "exact".into())], ..Conf::default() }, "exact", QueueSource::Routes)]
#[case(None, Conf { routes: vec![("shop.*".into(), "globbed".into())], ..Conf::default() }, "globbed", QueueSource::Routes)]
#[case(None, Conf { default_queue: Some("main".into()), ..Conf::default() }, "main", QueueSource::Default)]
#[case(None, Conf::default(), "celery", QueueSource::Celery)]
fn the_queue_is_chosen_by_the_first_who_says(
    #[case] named: Option<&str>,
    #[case] conf: Conf,
    #[case] queue: &str,
    #[case] source: QueueSource,
) {
    assert_eq!(
        choose_queue(&routed(conf), &signature("shop.add", named)),
        (queue.into(), source)
    );
}

#[test]
fn a_tasks_own_queue_goes_before_the_routes() {
    let mut cluster = routed(Conf {
        routes: vec![("*".into(), "routed".into())],
        ..Conf::default()
    });
    tell(
        &mut cluster,
        "w1",
        Answered::Item {
            item: "queue".into(),
            values: vec![("shop.mail".into(), "mail".into())],
        },
    );
    assert_eq!(
        choose_queue(&cluster, &signature("shop.mail", None)),
        ("mail".into(), QueueSource::Task)
    );
}

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

#[rstest]
#[case(Results::Disabled, Answer::Events)]
#[case(Results::Unreadable("db+sqlite".into()), Answer::Events)]
#[case(Results::Unknown, Answer::Either)]
#[case(Results::Rpc, Answer::Result)]
fn where_no_result_can_be_read_the_end_is_taken_from_events(
    #[case] results: Results,
    #[case] answer: Answer,
) {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let verdict = preflight(&cluster, &signature("a", None), &results);
    assert_eq!(verdict.answer, answer);
    assert_eq!(verdict.warnings.is_empty(), matches!(results, Results::Rpc));
}

#[rstest]
#[case::not_told(None, None, Answer::Events, "ignores its result")]
#[case::new(None, Some("5.7.0"), Answer::Events, "--result force")]
#[case::forced(Some(false), Some("5.6.3"), Answer::Result, "")]
#[case::too_old(Some(false), Some("5.5.3"), Answer::Events, "only Celery 5.6")]
#[case::perhaps(Some(false), None, Answer::Either, "not every worker")]
#[case::not_wanted(Some(true), Some("5.7.0"), Answer::Nothing, "")]
fn a_task_that_ignores_its_result_is_told_otherwise_where_that_helps(
    #[case] wish: Option<bool>,
    #[case] celery: Option<&str>,
    #[case] answer: Answer,
    #[case] said: &str,
) {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let item = Answered::Item {
        item: "ignore_result".into(),
        values: vec![("a".into(), "True".into())],
    };
    tell(&mut cluster, "w1", item);
    report(&mut cluster, "w1", celery);
    let mut signature = signature("a", None);
    signature.options.ignore_result = wish;
    let verdict = preflight(&cluster, &signature, &Results::Rpc);
    assert_eq!(verdict.answer, answer);
    let warnings = verdict.warnings.join("\n");
    assert!(warnings.contains(said), "{warnings}");
    assert_eq!(warnings.is_empty(), said.is_empty(), "{warnings}");
}

fn report(cluster: &mut Cluster, node: &str, celery: Option<&str>) {
    if let Some(version) = celery {
        let report = Report {
            celery: Some(version.to_owned()),
            ..Report::default()
        };
        tell(cluster, node, Answered::Report(report));
    }
}

/// A queue bound to an exchange.
fn bound(name: &str, exchange: (&str, &str), key: &str) -> ConsumedQueue {
    ConsumedQueue {
        name: name.into(),
        exchange: exchange.0.to_owned(),
        exchange_type: Some(exchange.1.to_owned()),
        routing_key: key.to_owned(),
        ..ConsumedQueue::default()
    }
}

/// One worker that has the task `a` and reads these queues, each with one consumer.
fn reading(queues: Vec<ConsumedQueue>) -> Cluster {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    let names: Vec<_> = queues.iter().map(|queue| queue.name.to_string()).collect();
    tell(&mut cluster, "w1", Answered::Queues(queues));
    for name in names {
        depth(&mut cluster, &name, consumers(1));
    }
    cluster
}

fn sent_to(cluster: &Cluster, options: Options) -> Preflight {
    let signature = Signature {
        options,
        ..signature("a", None)
    };
    preflight(cluster, &signature, &Results::Rpc)
}

fn names(queues: &[QueueName]) -> Vec<&str> {
    queues.iter().map(QueueName::as_str).collect()
}

#[rstest]
#[case("direct", "k", &["q1"], "")]
#[case("direct", "other", &[], "returns the message")]
#[case("fanout", "whatever", &["q1", "q2"], "2 queues (q1, q2): it runs once for each")]
#[case("topic", "k.x", &["q2"], "")]
#[case("headers", "k", &[], "returns the message")]
fn a_named_exchange_is_published_to_and_its_queues_are_told(
    #[case] kind: &str,
    #[case] key: &str,
    #[case] takers: &[&str],
    #[case] said: &str,
) {
    let patterns = if kind == "topic" {
        ("k", "k.#.x")
    } else {
        ("k", "l")
    };
    let cluster = reading(vec![
        bound("q1", ("shop", kind), patterns.0),
        bound("q2", ("shop", kind), patterns.1),
        bound("q3", ("other", kind), key),
    ]);
    let options = Options {
        exchange: Some("shop".to_owned()),
        routing_key: Some(key.to_owned()),
        ..Options::default()
    };
    let verdict = sent_to(&cluster, options);
    let route = Route {
        exchange: "shop".to_owned(),
        routing_key: key.to_owned(),
    };
    assert_eq!((&verdict.route, verdict.refusal), (&route, None));
    assert_eq!(names(&verdict.takers), takers);
    let warnings = verdict.warnings.join("\n");
    assert!(
        warnings.contains(said) && warnings.is_empty() == said.is_empty(),
        "{warnings}"
    );
}

#[test]
fn a_routing_key_alone_goes_through_the_exchange_of_the_queue() {
    let cluster = reading(vec![bound("q1", ("shop", "topic"), "a.#")]);
    let options = |queue: &str| Options {
        queue: Some(queue.into()),
        routing_key: Some("a.b".to_owned()),
        ..Options::default()
    };
    let verdict = sent_to(&cluster, options("q1"));
    assert_eq!(
        (
            verdict.route.exchange.as_str(),
            verdict.route.routing_key.as_str()
        ),
        ("shop", "a.b")
    );
    assert_eq!(verdict.only_queue(), Some(&"q1".into()));
    let refusal = sent_to(&cluster, options("unread")).refusal.unwrap();
    assert_eq!(refusal.kind, Kind::Usage);
    assert!(refusal.hint.unwrap().contains("--exchange"));
}

fn in_three_seconds() -> Options {
    Options {
        queue: Some("q1".into()),
        start: Some(crate::protocol::message::Start::After(Duration::from_secs(
            3,
        ))),
        ..Options::default()
    }
}

#[rstest]
#[case::native("topic", "quorum", Some("5.7.0"), Some("a.b"))]
#[case::direct("direct", "quorum", Some("5.7.0"), None)]
#[case::classic("topic", "classic", Some("5.7.0"), None)]
#[case::old("topic", "quorum", Some("5.4.0"), None)]
#[case::unknown("topic", "quorum", None, None)]
fn a_countdown_for_a_quorum_queue_is_held_back_by_the_broker_where_the_workers_do_so(
    #[case] exchange: &str,
    #[case] kind: &str,
    #[case] celery: Option<&str>,
    #[case] delayed: Option<&str>,
) {
    let queue = ConsumedQueue {
        queue_type: Some(kind.to_owned()),
        ..bound("q1", ("shop", exchange), "a.b")
    };
    let mut cluster = reading(vec![queue]);
    report(&mut cluster, "w1", celery);
    let verdict = sent_to(&cluster, in_three_seconds());
    assert_eq!(verdict.delayed.as_deref(), delayed);
    assert_eq!(verdict.route, Route::to_queue(&"q1".into()));
}

#[test]
fn what_would_reach_two_queues_is_not_held_back_by_the_broker() {
    let quorum = |name: &str, key: &str| ConsumedQueue {
        queue_type: Some("quorum".to_owned()),
        ..bound(name, ("shop", "topic"), key)
    };
    let mut cluster = reading(vec![quorum("q1", "a.b"), quorum("q2", "a.#")]);
    report(&mut cluster, "w1", Some("5.7.0"));
    assert_eq!(sent_to(&cluster, in_three_seconds()).delayed, None);
}

#[test]
fn a_priority_that_does_nothing_or_the_opposite_is_told() {
    let urgent = |queue: &str, priority| Options {
        queue: Some(queue.into()),
        priority: Some(priority),
        ..Options::default()
    };
    let with = ConsumedQueue {
        max_priority: Some(10),
        ..bound("prio", ("prio", "direct"), "prio")
    };
    let mut cluster = reading(vec![bound("plain", ("plain", "direct"), "plain"), with]);
    let said = |cluster: &Cluster, queue, priority| {
        sent_to(cluster, urgent(queue, priority))
            .warnings
            .join("\n")
    };
    assert_eq!(said(&cluster, "prio", 5), "");
    assert_eq!(
        said(&cluster, "plain", 5),
        "queue plain has no priorities: priority 5 is ignored"
    );
    let asked = Heard::Asked {
        question: Question::Registered,
        reach: Reach::Listeners(1),
    };
    cluster.apply(asked, now());
    assert!(said(&cluster, "plain", 12).contains("0 is served first on Redis; 12 is as 9"));
}

fn accepting(workers: &[(&str, Option<&[&str]>)]) -> Cluster {
    let cast: Vec<(&str, &[&str], &str)> = workers
        .iter()
        .map(|(node, _)| (*node, ["a"].as_slice(), "celery"))
        .collect();
    let mut cluster = cluster(&cast);
    for (node, accepted) in workers {
        let names = accepted.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let conf = Conf {
            accept_content: names,
            ..Conf::default()
        };
        tell(&mut cluster, node, Answered::Conf(Box::new(conf)));
    }
    depth(&mut cluster, "celery", consumers(workers.len() as u64));
    cluster
}

#[rstest]
#[case::unset(&[None, None], None, Serializer::Json, "")]
#[case::by_type(&[Some(["application/x-msgpack"].as_slice())], None, Serializer::Msgpack, "")]
#[case::all_take(&[Some(["json", "yaml"].as_slice()), Some(["yaml"].as_slice())], None, Serializer::Yaml, "")]
#[case::some_take(&[None, Some(["msgpack"].as_slice())], None, Serializer::Json, "w2 accepts msgpack")]
#[case::named(&[None, Some(["json", "yaml"].as_slice())], Some(Serializer::Yaml), Serializer::Yaml, "w1 accepts json")]
fn the_form_is_one_that_the_readers_accept(
    #[case] accepted: &[Option<&[&str]>],
    #[case] named: Option<Serializer>,
    #[case] chosen: Serializer,
    #[case] said: &str,
) {
    let workers: Vec<_> = ["w1", "w2"]
        .into_iter()
        .zip(accepted.iter().copied())
        .collect();
    let options = Options {
        serializer: named,
        ..Options::default()
    };
    let verdict = sent_to(&accepting(&workers), options);
    let warnings = verdict.warnings.join("\n");
    assert_eq!((verdict.serializer, verdict.refusal), (chosen, None));
    assert!(
        warnings.contains(said) && warnings.is_empty() == said.is_empty(),
        "{warnings}"
    );
}

#[test]
fn a_form_that_no_reader_accepts_is_refused_and_says_who_accepts_what() {
    let mut cluster = accepting(&[("w1", None), ("w2", Some(&["json", "msgpack"]))]);
    let options = || Options {
        serializer: Some(Serializer::Yaml),
        ..Options::default()
    };
    let refusal = sent_to(&cluster, options()).refusal.unwrap();
    assert_eq!(refusal.kind, Kind::NoWorker);
    assert!(
        refusal
            .message
            .contains("w1 accepts json; w2 accepts json, msgpack"),
        "{}",
        refusal.message
    );
    depth(&mut cluster, "celery", consumers(3));
    let verdict = sent_to(&cluster, options());
    assert_eq!(verdict.refusal, None, "the third reader may accept it");
    assert!(verdict.warnings.join("\n").contains("throws it away"));
}

#[test]
fn a_form_that_no_reader_accepts_is_refused_where_consumers_are_not_counted_too() {
    let mut cluster = accepting(&[("w1", None)]);
    let msgpack = || Options {
        serializer: Some(Serializer::Msgpack),
        ..Options::default()
    };
    heard_by(&mut cluster, 1, "celery");
    let refusal = sent_to(&cluster, msgpack()).refusal.unwrap();
    assert!(refusal.message.contains("w1 accepts json"), "{refusal}");
    heard_by(&mut cluster, 2, "celery");
    assert_eq!(sent_to(&cluster, msgpack()).refusal, None);
}

/// On Redis: so many heard the question; the queue has no count of consumers.
fn heard_by(cluster: &mut Cluster, listeners: u64, queue: &str) {
    let reach = Reach::Listeners(listeners);
    let question = Question::Registered;
    cluster.apply(Heard::Asked { question, reach }, now());
    let known = Depth::Known {
        ready: 0,
        held: Held::Queue(0),
        held_ago: Duration::ZERO,
        rates: None,
        consumers: None,
    };
    depth(cluster, queue, known);
}

#[test]
fn where_consumers_are_not_counted_the_answers_of_all_who_heard_are_proof() {
    let mut unread = cluster(&[("w1", &["a"], "other")]);
    heard_by(&mut unread, 1, "celery");
    let refusal = look(&unread, "a").refusal.unwrap();
    assert_eq!(refusal.message, "queue celery: no worker reads it");
    assert!(refusal.hint.unwrap().contains("--queue other"));
    let mut unknown = cluster(&[("w1", &["b"], "celery")]);
    heard_by(&mut unknown, 1, "celery");
    let refusal = look(&unknown, "a").refusal.unwrap();
    assert!(refusal.message.contains("no a registered"), "{refusal}");
    assert_eq!(look(&unknown, "b").refusal, None);
}

#[rstest]
#[case(&["a"], "other")]
#[case(&["b"], "celery")]
fn one_who_heard_and_did_not_answer_may_run_it(#[case] tasks: &[&str], #[case] queue: &str) {
    let mut cluster = cluster(&[("w1", tasks, queue)]);
    heard_by(&mut cluster, 2, "celery");
    assert_eq!(look(&cluster, "a").refusal, None);
}

#[test]
fn a_question_that_nobody_heard_is_proof() {
    let mut cluster = Cluster::default();
    heard_by(&mut cluster, 0, "celery");
    assert_eq!(look(&cluster, "a").refusal.unwrap().kind, Kind::NoWorker);
}

#[test]
fn readers_that_do_not_answer_may_accept_no_json() {
    let mut cluster = Cluster::default();
    depth(&mut cluster, "celery", consumers(1));
    let warnings = look(&cluster, "a").warnings.join("\n");
    assert!(warnings.contains("accept no JSON"), "{warnings}");
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

#[rstest]
#[case(Some(true), false, Results::Rpc, Kept::Ignored, Some(KeptBy::User))]
#[case(Some(false), false, Results::Rpc, Kept::Kept, Some(KeptBy::User))]
#[case(None, false, Results::Rpc, Kept::Kept, None)]
#[case(None, true, Results::Rpc, Kept::Ignored, Some(KeptBy::Task))]
#[case(Some(false), true, Results::Rpc, Kept::Unknown, None)]
#[case(None, false, Results::Disabled, Kept::Ignored, Some(KeptBy::NoBackend))]
#[case(None, false, Results::Unknown, Kept::Unknown, None)]
#[case(None, false, Results::Unreadable("db+sqlite".into()), Kept::Kept, Some(KeptBy::Unreadable("db+sqlite".into())))]
fn what_says_whether_a_result_is_kept(
    #[case] wish: Option<bool>,
    #[case] ignores: bool,
    #[case] results: Results,
    #[case] kept: Kept,
    #[case] by: Option<KeptBy>,
) {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    let ignores = if ignores { "True" } else { "False" };
    let answer = Answered::Item {
        item: "ignore_result".into(),
        values: vec![("a".into(), ignores.to_owned())],
    };
    tell(&mut cluster, "w1", answer);
    let mut signature = signature("a", None);
    signature.options.ignore_result = wish;
    let seen = preflight(&cluster, &signature, &results);
    assert_eq!((seen.kept, seen.kept_by), (kept, by));
}

#[test]
fn a_keyword_named_self_is_warned_of() {
    let mut cluster = cluster(&[("w1", &["a"], "celery")]);
    depth(&mut cluster, "celery", consumers(1));
    let mut signature = signature("a", None);
    signature.kwargs = vec![("self".to_owned(), Json::Null)];
    let warnings = preflight(&cluster, &signature, &Results::Rpc).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("TypeError"));
}
