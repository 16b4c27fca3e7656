//! Every message that can be made has the one shape that kills no worker.

#[path = "../../../tests/support/shape.rs"]
mod shape;

use super::super::json::arbitrary;
use super::signature::LARGEST;
use super::*;
use crate::clock::Timestamp;
use crate::protocol::{Json, envelope};
use proptest::prelude::*;
use rstest::rstest;

fn sender() -> Sender {
    Sender {
        origin: "gen1@host".to_owned(),
        reply_to: Some("umbel.q".to_owned()),
        now: Timestamp::UNIX_EPOCH,
    }
}

fn signature(args: Vec<Json>, kwargs: Vec<(String, Json)>) -> Signature {
    Signature {
        task: "shop.tasks.add".into(),
        id: "id-1".into(),
        args,
        kwargs,
        options: Options::default(),
    }
}

fn header<'a>(message: &'a Message, name: &str) -> &'a Json {
    let found = message.headers.iter().find(|(key, _)| key == name);
    &found.unwrap().1
}

fn read(text: &str) -> Json {
    Json::parse_strict(text).unwrap()
}

fn keywords(names: &[&str]) -> Vec<(String, Json)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), Json::from(1)))
        .collect()
}

#[rstest]
#[case(None, Json::Null)]
#[case(Some(true), Json::Bool(true))]
#[case(Some(false), Json::Bool(false))]
fn the_task_decides_about_its_result_unless_told(
    #[case] option: Option<bool>,
    #[case] expected: Json,
) {
    let mut call = signature(vec![], vec![]);
    call.options.ignore_result = option;
    let message = call.encode(&sender()).unwrap();
    assert_eq!(*header(&message, "ignore_result"), expected);
}

#[test]
fn expires_is_an_absolute_time_in_utc_with_microseconds() {
    let mut call = signature(vec![], vec![]);
    call.options.expires = Some(Duration::from_millis(1500));
    let message = call.encode(&sender()).unwrap();
    assert_eq!(
        header(&message, "expires").as_str(),
        Some("1970-01-01T00:00:01.500000+00:00")
    );
    call.options.expires = Some(Duration::MAX);
    let message = call.encode(&sender()).unwrap();
    assert!(
        header(&message, "expires")
            .as_str()
            .unwrap()
            .starts_with("9999-")
    );
}

#[test]
fn what_no_worker_can_read_is_not_sent() {
    let refused = |call: Signature| call.encode(&sender()).unwrap_err();
    let nameless = Signature {
        task: "".into(),
        ..signature(vec![], vec![])
    };
    assert_eq!(refused(nameless), EncodeError::NoTask);
    let long = Signature {
        id: "x".repeat(256).into(),
        ..signature(vec![], vec![])
    };
    assert_eq!(refused(long), EncodeError::LongId(256));
    let twice = signature(vec![], keywords(&["a", "b", "a"]));
    assert_eq!(
        refused(twice),
        EncodeError::DuplicateKeyword("a".to_owned())
    );
    let money = read(r#"[{"__type__": "money", "__value__": 1}]"#);
    let unknown = EncodeError::UnknownType("money".to_owned());
    assert_eq!(refused(signature(vec![money.clone()], vec![])), unknown);
    assert_eq!(
        refused(signature(vec![], vec![("a".to_owned(), money)])),
        unknown
    );
    let broken = read(r#"{"__type__": "decimal", "__value__": "x"}"#);
    assert!(matches!(
        refused(signature(vec![broken], vec![])),
        EncodeError::Undecodable(_)
    ));
}

#[test]
fn keywords_that_would_turn_into_a_value_are_not_sent() {
    let kwargs = |kind: &str| {
        let text = |text: &str| Json::from(text);
        vec![
            ("__type__".to_owned(), text(kind)),
            ("__value__".to_owned(), text("1")),
        ]
    };
    let known = signature(vec![], kwargs("decimal")).encode(&sender());
    assert!(matches!(known, Err(EncodeError::Undecodable(_))));
    let unknown = signature(vec![], kwargs("money")).encode(&sender());
    assert_eq!(unknown, Err(EncodeError::UnknownType("money".to_owned())));
}

#[test]
fn more_than_64_mib_are_not_sent() {
    let text = Json::Text("x".repeat(LARGEST));
    let result = signature(vec![text], vec![]).encode(&sender());
    assert!(matches!(result, Err(EncodeError::TooLarge(size)) if size > LARGEST));
}

/// Any arguments, numbers with any text among them.
fn arguments() -> impl Strategy<Value = Vec<Json>> {
    let number = any::<String>().prop_map(Json::Number);
    let value = prop_oneof![4 => arbitrary::lenient(), 1 => number];
    prop::collection::vec(value, 0..5)
}

/// Any options, sensible ones more often than not.
fn options() -> impl Strategy<Value = Options> {
    let time = || (0_u64..200_000, 0_u32..1_000_000_000);
    let span = move || prop::option::of(time().prop_map(|(s, n)| Duration::new(s, n)));
    let start = prop_oneof![
        Just(None),
        time().prop_map(|(s, n)| Some(Start::After(Duration::new(s, n)))),
        any::<i64>().prop_map(|at| Timestamp::from_second(at % 300_000_000_000)
            .ok()
            .map(Start::At)),
    ];
    let name = prop_oneof![8 => "[a-z-]{1,12}", 1 => arbitrary::text(), 1 => Just("id".to_owned())];
    let headers = prop::collection::vec((name, arbitrary::lenient()), 0..3);
    let form = prop_oneof![
        Just(None),
        Just(Some(Serializer::Json)),
        Just(Some(Serializer::Yaml)),
        Just(Some(Serializer::Msgpack)),
    ];
    let compression = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Compression::Gzip)),
        1 => Just(Some(Compression::Bzip2)),
        1 => Just(Some(Compression::Zstd)),
    ];
    let words = (
        prop::option::of(arbitrary::text()),
        any::<Option<bool>>(),
        any::<Option<u8>>(),
    );
    (
        start,
        (span(), span(), span()),
        headers,
        form,
        compression,
        words,
    )
        .prop_map(
            |(
                start,
                (expires, time_limit, soft_time_limit),
                headers,
                serializer,
                compression,
                (shadow, ignore_result, priority),
            )| Options {
                start,
                expires,
                priority,
                time_limit,
                soft_time_limit,
                headers,
                serializer,
                compression,
                shadow,
                ignore_result,
                ..Options::default()
            },
        )
}

/// The errors that a person may be told; anything else would be a hole in the checks.
fn is_honest(error: &EncodeError) -> bool {
    !matches!(
        error,
        EncodeError::NoTask | EncodeError::TooLarge(_) | EncodeError::Compression(..)
    )
}

proptest! {
    #[test]
    fn a_message_has_the_one_shape_that_kills_no_worker(
        args in arguments(),
        names in prop::collection::hash_set(arbitrary::text(), 0..5),
        id in "\\PC{0,40}",
        options in options(),
    ) {
        let kwargs: Vec<_> = names.into_iter().zip(args.iter().rev().cloned()).collect();
        let mut call = Signature { id: id.clone().into(), ..signature(args.clone(), kwargs.clone()) };
        call.options = options.clone();
        let message = match call.encode(&sender()) {
            Ok(message) => message,
            Err(error) => {
                prop_assert!(is_honest(&error), "{error}");
                return Ok(());
            }
        };
        let mut expected: Vec<&str> = shape::HEADERS.to_vec();
        expected.extend(options.compression.map(|_| "compression"));
        expected.extend(options.headers.iter().map(|(name, _)| name.as_str()));
        let names: Vec<&str> = message.headers.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(&names, &expected);
        prop_assert_eq!(shape::check(&message), Ok(()));
        prop_assert_eq!(header(&message, "id").as_str(), Some(id.as_str()));
        prop_assert_eq!(message.properties.priority, options.priority);
        let told = options.serializer.unwrap_or_default().content_type();
        prop_assert_eq!(message.properties.content_type.as_deref(), Some(told));
        let body = message.payload().unwrap().into_value();
        let parts = body.as_list().unwrap();
        prop_assert_eq!(parts[0].as_list().unwrap().len(), args.len());
        prop_assert_eq!(parts[1].as_object().unwrap().len(), kwargs.len());
        let mut told = envelope::decode(&envelope::encode(&message, "", "q")).unwrap();
        // An envelope always tells a priority.
        prop_assert_eq!(told.properties.priority.take(), Some(options.priority.unwrap_or(0)));
        told.properties.priority = options.priority;
        prop_assert_eq!(told, message);
    }
}

fn with(options: Options) -> Result<Message, EncodeError> {
    let call = Signature {
        options,
        ..signature(vec![Json::from(1)], vec![])
    };
    call.encode(&sender())
}

#[test]
fn a_countdown_counts_from_when_it_is_sent() {
    let eta = |start| {
        let message = with(Options {
            start: Some(start),
            ..Options::default()
        })
        .unwrap();
        header(&message, "eta").clone()
    };
    let half = Duration::from_millis(500);
    assert_eq!(
        eta(Start::After(half)),
        "1970-01-01T00:00:00.500000+00:00".into()
    );
    let at = "2026-11-22T11:00:00+01:00".parse().unwrap();
    assert_eq!(
        eta(Start::At(at)),
        "2026-11-22T10:00:00.000000+00:00".into()
    );
    assert_eq!(eta(Start::After(Duration::ZERO)), Json::Null);
    assert!(
        eta(Start::After(Duration::MAX))
            .as_str()
            .unwrap()
            .starts_with("9999-")
    );
    let before_christ = Timestamp::from_second(-70_000_000_000).unwrap();
    let start = Some(Start::At(before_christ));
    assert_eq!(
        with(Options {
            start,
            ..Options::default()
        }),
        Err(EncodeError::Eta)
    );
}

#[rstest]
#[case(Some(10_000), Some(5_000), "[10,5]")]
#[case(None, Some(1_500), "[null,1.5]")]
#[case(Some(60_000), None, "[60,null]")]
#[case(Some(1), Some(1), "[0.001,0.001]")]
fn time_limits_are_seconds_hard_first(
    #[case] hard: Option<u64>,
    #[case] soft: Option<u64>,
    #[case] expected: &str,
) {
    let message = with(Options {
        time_limit: hard.map(Duration::from_millis),
        soft_time_limit: soft.map(Duration::from_millis),
        ..Options::default()
    });
    assert_eq!(header(&message.unwrap(), "timelimit").to_wire(), expected);
}

#[rstest]
#[case(
    Some(10_000),
    Some(30_000),
    "the soft time limit (30s) is above the hard one (10s)"
)]
#[case(
    Some(0),
    None,
    "a time limit of 0s is not possible: it is between a millisecond and 100 years"
)]
fn time_limits_that_make_no_sense_are_refused(
    #[case] hard: Option<u64>,
    #[case] soft: Option<u64>,
    #[case] expected: &str,
) {
    let refused = with(Options {
        time_limit: hard.map(Duration::from_millis),
        soft_time_limit: soft.map(Duration::from_millis),
        ..Options::default()
    });
    assert_eq!(refused.unwrap_err().to_string(), expected);
}

#[rstest]
#[case("id", "1", "has a name that Celery or the broker use themselves")]
#[case(
    "CC",
    "[\"other\"]",
    "has a name that Celery or the broker use themselves"
)]
#[case("_x", "1", "has a name that Celery or the broker use themselves")]
#[case("", "1", "has no name")]
#[case("twice", "1", "is given twice")]
#[case(
    "n",
    "9223372036854775808",
    "holds the number 9223372036854775808, which no AMQP header can hold"
)]
#[case(
    "n",
    "[1e400]",
    "holds the number 1e400, which no AMQP header can hold"
)]
#[case(
    "t",
    r#"{"__type__": "x", "__value__": 1}"#,
    "holds a typed value, which only arguments can carry"
)]
#[case("o", r#"{"a": 1, "a": 2}"#, "holds the key \"a\" twice")]
fn headers_that_would_do_harm_are_refused(
    #[case] name: &str,
    #[case] value: &str,
    #[case] expected: &str,
) {
    let mut headers = vec![(name.to_owned(), read(value))];
    headers.extend((name == "twice").then(|| headers[0].clone()));
    let refused = with(Options {
        headers,
        ..Options::default()
    });
    assert_eq!(
        refused,
        Err(EncodeError::Header(name.to_owned(), expected.to_owned()))
    );
}

#[test]
fn headers_fit_into_one_frame() {
    let shadow = Some("x".repeat((16 << 10) + 1));
    assert!(matches!(
        with(Options {
            shadow,
            ..Options::default()
        }),
        Err(EncodeError::LargeHeaders(16_385))
    ));
    let headers = vec![("a".to_owned(), Json::Text("x".repeat(16 << 10)))];
    assert!(matches!(
        with(Options {
            headers,
            ..Options::default()
        }),
        Err(EncodeError::LargeHeaders(_))
    ));
    let name = vec![("n".repeat(256), Json::Null)];
    assert!(matches!(
        with(Options {
            headers: name,
            ..Options::default()
        }),
        Err(EncodeError::Header(..))
    ));
}

#[test]
fn arguments_nested_beyond_what_python_reads_are_refused() {
    let deep = |levels: usize| read(&("[".repeat(levels) + &"]".repeat(levels)));
    for serializer in [Serializer::Json, Serializer::Yaml, Serializer::Msgpack] {
        let mut call = signature(vec![deep(196)], vec![]);
        call.options.serializer = Some(serializer);
        let message = call.encode(&sender()).unwrap();
        assert!(message.payload().is_ok(), "{serializer}");
        call.args = vec![deep(197)];
        assert!(matches!(
            call.encode(&sender()),
            Err(EncodeError::Undecodable(_))
        ));
    }
}
