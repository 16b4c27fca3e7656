//! Whether a result comes back.

use super::*;

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

fn writes_to(cluster: &mut Cluster, node: &str, url: &str) {
    let report = Report {
        results: Some(url.to_owned()),
        ..Report::default()
    };
    tell(cluster, node, Answered::Report(report));
}

#[test]
fn readers_that_send_results_to_the_caller_alone_are_told_where_umbel_looks_elsewhere() {
    let mut cluster = cluster(&[
        ("w1", &["a"], "celery"),
        ("w2", &["a"], "other"),
        ("w3", &["a"], "other"),
    ]);
    depth(&mut cluster, "celery", consumers(1));
    depth(&mut cluster, "other", consumers(2));
    let redis = "redis://localhost:6379/1";
    let stored = stored_at(redis);
    let said = |cluster: &Cluster, queue: &str, results: &Results| {
        let signature = signature("a", Some(queue));
        preflight(cluster, &signature, results).warnings.join("\n")
    };
    writes_to(&mut cluster, "w1", "rpc://");
    writes_to(&mut cluster, "w2", "rpc:///");
    writes_to(&mut cluster, "w3", redis);
    assert_eq!(
        said(&cluster, "celery", &stored),
        "w1, which reads celery, sends results on rpc:// to the caller alone, and umbel looks at redis://localhost:6379/1: only \
         the umbel that calls sees the result, as long as it waits; none finds it later"
    );
    let other = said(&cluster, "other", &stored);
    assert!(
        other.starts_with("1 of 2 workers that read other (w2) sends "),
        "{other}"
    );
    assert_eq!(said(&cluster, "celery", &Results::Rpc), "");
    writes_to(&mut cluster, "w2", redis);
    assert_eq!(said(&cluster, "other", &stored), "");
}
