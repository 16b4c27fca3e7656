//! Which queue it goes to, and through which exchange.

use super::*;

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
