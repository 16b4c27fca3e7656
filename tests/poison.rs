//! Never a poison message: whatever is typed on the command line or into the form, what leaves has the one shape that kills no
//! worker, or nothing leaves and it is told why. Pure: no server, no clock.

#[path = "support/shape.rs"]
mod shape;
#[path = "support/stage.rs"]
mod stage;

use std::ffi::OsString;

use clap::Parser;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use umbel::cli::{Cli, Command, numbers};
use umbel::client;
use umbel::clock::Timestamp;
use umbel::commands::arguments;
use umbel::error::Kind;
use umbel::history::Secrets;
use umbel::protocol::message::Sender;
use umbel::protocol::{Json, Message, Signature};
use umbel::tui::effect::Effect;

use crate::stage::Stage;

const FLAGS: [&str; 17] = [
    "--queue",
    "--exchange",
    "--routing-key",
    "--countdown",
    "--eta",
    "--expires",
    "--priority",
    "--time-limit",
    "--soft-time-limit",
    "--header",
    "--task-id",
    "--serializer",
    "--compression",
    "--shadow",
    "--result",
    "--args",
    "--kwargs",
];

/// Values that are nearly right, or meant to harm.
const WORDS: [&str; 62] = [
    "5",
    "0",
    "-1",
    "1.5s",
    "200ms",
    "0.0000000001",
    "87600h",
    "99999999999999999999h",
    "none",
    "auto",
    "255",
    "256",
    "1e3",
    "-1e-3",
    "NaN",
    "2026-11-22T12:00:00Z",
    "2030-11-22T12:00:00+08:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
    "-009999-01-01T00:00:00Z",
    "json",
    "yaml",
    "msgpack",
    "pickle",
    "gzip",
    "bzip2",
    "lzma",
    "zstd",
    "brotli",
    "force",
    "mail",
    "客戶",
    "👨‍👩‍👧",
    "\u{0}",
    "\u{1b}[31m",
    "\u{2028}",
    "id=7",
    "id:=null",
    "task=x",
    "timelimit:=[1,2,3]",
    "compression=application/x-gzip",
    "tenant=7",
    "tenant:=1180591620717411303424",
    "tenant:decimal=1.5",
    "tenant:float=nan",
    "tenant:={\"__type__\":\"uuid\",\"__value__\":1}",
    "x:=[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
    "__proto__=1",
    "args=1",
    "x=1",
    "x=1.10",
    ":=1e400",
    ":float=nan",
    ":float=-inf",
    "x:bytes=hex:00ff",
    "x:datetime=2026-11-22",
    "x:null=",
    "[1, 2, {\"a\": null}]",
    "{\"x\": 1, \"y\": {\"x\": 2}}",
    "{\"__type__\": \"decimal\", \"__value__\": \"x\"}",
    "{\"__type__\": \"nonsense\", \"__value__\": 1}",
    "[1, 2",
];

fn word() -> impl Strategy<Value = String> {
    let listed = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    // A file is not what this is about, and stdin is not ours to read.
    let any = "\\PC{0,12}".prop_filter("no file", |text| !text.contains('@'));
    let long = (1..600_usize).prop_map(|length| "x".repeat(length));
    prop_oneof![12 => listed, 4 => any, 1 => long]
}

fn words() -> impl Strategy<Value = Vec<String>> {
    let flag = (prop::sample::select(FLAGS.to_vec()), word());
    let flag = flag.prop_map(|(flag, value)| vec![format!("{flag}={value}")]);
    let apart = (prop::sample::select(FLAGS.to_vec()), word());
    let apart = apart.prop_map(|(flag, value)| vec![flag.to_owned(), value]);
    let item = word().prop_map(|item| vec![item]);
    let rest = Just(vec!["--".to_owned()]);
    let part = prop_oneof![6 => flag, 2 => apart, 6 => item, 1 => rest];
    let task = prop_oneof![8 => Just("shop.add".to_owned()), 1 => word()];
    (task, prop::collection::vec(part, 0..8)).prop_map(|(task, parts)| {
        let head = ["umbel".to_owned(), "call".to_owned(), task];
        head.into_iter()
            .chain(parts.into_iter().flatten())
            .collect()
    })
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_349_071).expect("a time")
}

fn sender() -> Sender {
    Sender {
        origin: "gen1@host".to_owned(),
        reply_to: Some("umbel.q".to_owned()),
        now: now(),
    }
}

/// As the program does it; `Err` is the exit code.
fn signature(words: &[String]) -> Result<Signature, u8> {
    let words = numbers::spelled(words.iter().map(OsString::from));
    let cli = Cli::try_parse_from(words).map_err(|_| Kind::Usage.exit_code())?;
    let Some(Command::Call(call)) = cli.command else {
        return Err(Kind::Usage.exit_code());
    };
    let code = |error: umbel::error::Error| error.kind.exit_code();
    let words = arguments::check(&call.call, now()).map_err(code)?;
    let (signature, _) =
        arguments::signature(&call.call, words, &Secrets::default(), now).map_err(code)?;
    Ok(signature)
}

#[test]
fn a_command_line_with_everything_makes_a_message_of_the_one_shape() {
    let line = "umbel call shop.add 1 x=2 --queue q --exchange e --routing-key k --countdown 5 --expires 60 --priority 9 \
        --time-limit 60 --soft-time-limit 50 --header tenant=7 --task-id i --serializer msgpack --compression gzip \
        --shadow s --result force";
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let message = signature(&words).expect("a call").encode(&sender());
    assert_eq!(shape::check(&message.expect("a message")), Ok(()));
}

#[test]
fn the_shape_tells_what_kills_a_worker() {
    let words: Vec<String> = ["umbel", "call", "t", "1"].map(str::to_owned).to_vec();
    let good = signature(&words).expect("a call").encode(&sender());
    let good = good.expect("a message");
    let header = |name: &str, value: Json| {
        let mut message = good.clone();
        let place = message.headers.iter().position(|(known, _)| known == name);
        message.headers[place.expect("a header")].1 = value;
        message
    };
    let mut bad = vec![
        header("id", Json::Null),
        header("timelimit", Json::List(vec![Json::from(1)])),
        header("eta", Json::from("tomorrow")),
        header("expires", Json::from(1)),
    ];
    bad.extend(
        [
            Vec::new(),
            b"[[],{}]".to_vec(),
            b"{}".to_vec(),
            b"[{},{},{}]".to_vec(),
        ]
        .map(|body| Message {
            body,
            ..good.clone()
        }),
    );
    let mut untyped = good.clone();
    untyped.properties.content_type = None;
    bad.push(untyped);
    let mut collides = good.clone();
    collides.headers.push(("id".to_owned(), Json::from("x")));
    bad.push(collides);
    for message in &bad {
        assert!(shape::check(message).is_err(), "{message:?}");
    }
}

/// How many of the random command lines are sent, of each that could be.
#[test]
fn many_of_the_random_command_lines_are_really_sent() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut sent = 0;
    for _ in 0..500 {
        let line = words().new_tree(&mut runner).expect("words").current();
        sent += usize::from(signature(&line).is_ok_and(|it| it.encode(&sender()).is_ok()));
    }
    assert!(sent > 50, "{sent} of 500");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_command_line_makes_a_message_of_the_one_shape_or_is_refused(words in words()) {
        match signature(&words) {
            Err(code) => prop_assert!(matches!(code, 2 | 8), "{code}: {words:?}"),
            Ok(signature) => if let Ok(message) = signature.encode(&sender()) {
                prop_assert_eq!(shape::check(&message), Ok(()), "{:?}", words);
            }
        }
    }
}

/// Keys of the form, and texts to be typed or pasted into it.
#[derive(Clone, Debug)]
enum Input {
    Keys(&'static str),
    Paste(String),
}

fn input() -> impl Strategy<Value = Input> {
    let keys = vec![
        "Enter",
        "Tab",
        "S-Tab",
        "Esc",
        "Down",
        "Up",
        "j",
        "k",
        "o",
        "i",
        "a",
        "G",
        "g",
        "l",
        "h",
        "Space",
        "Del",
        "d",
        "F2",
        "Backspace",
        "End",
        "F5",
    ];
    prop_oneof![
        5 => prop::sample::select(keys).prop_map(Input::Keys),
        3 => word().prop_map(Input::Paste),
    ]
}

/// To an option, a text into it, and back.
fn option() -> impl Strategy<Value = Vec<Input>> {
    (0..17_usize, word()).prop_map(|(down, text)| {
        let start = ["Esc", "g", "j"].map(Input::Keys);
        let down = std::iter::repeat_n(Input::Keys("j"), down);
        let typed = [Input::Keys("i"), Input::Paste(text), Input::Keys("Esc")];
        start.into_iter().chain(down).chain(typed).collect()
    })
}

fn orders(stage: &Stage) -> Vec<Signature> {
    let order = |effect: &Effect| match effect {
        Effect::Client(client::Command::Call(order)) => Some(order.signature.clone()),
        _ => None,
    };
    stage.effects.iter().filter_map(order).collect()
}

fn play(stage: &mut Stage, inputs: &[Input]) {
    for input in inputs {
        match input {
            Input::Keys(keys) => stage.keys(keys),
            Input::Paste(text) => stage.paste(text),
        }
    }
}

#[test]
fn a_form_that_is_filled_sends_a_message_of_the_one_shape() {
    let mut stage = Stage::new(80, 24).shop();
    stage.keys("Enter 1 Esc o j j i 5s Enter Enter 9 Enter F5");
    let orders = orders(&stage);
    assert_eq!(orders.len(), 1);
    let message = orders[0].encode(&sender()).expect("a message");
    assert_eq!(shape::check(&message), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_typed_into_the_form_what_it_sends_has_the_one_shape(
        inputs in prop::collection::vec(input(), 0..20),
        options in prop::collection::vec(option(), 0..4),
    ) {
        let mut stage = Stage::new(80, 24).shop();
        stage.keys("Enter");
        play(&mut stage, &inputs);
        stage.keys("1 Enter Enter Esc o");
        for option in &options {
            play(&mut stage, option);
        }
        stage.keys("Esc F5 F5");
        let screen = stage.screen();
        prop_assert!(!screen.is_empty());
        for signature in orders(&stage) {
            let message = signature.encode(&sender());
            let message = message.map_err(|error| TestCaseError::fail(format!("sent, but {error}")))?;
            prop_assert_eq!(shape::check(&message), Ok(()));
        }
    }
}
