//! In which form it is sent.

use super::*;

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
