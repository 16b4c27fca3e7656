//! The options of `umbel call`: what each becomes in the message, and what is refused before anything else happens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};

use crate::contract::failure;
use crate::support::{Outcome, cli};

fn dry(words: &[&str]) -> Outcome {
    let mut all = vec!["call", "shop.add", "1", "--dry-run"];
    all.extend(words);
    cli(&all)
}

#[rstest]
#[case(&["--priority", "255"], "/properties/priority", json!(255))]
#[case(&["--exchange", "shop", "--routing-key", "a.b"], "/exchange", json!("shop"))]
#[case(&["--exchange", "shop", "--routing-key", "a.b"], "/routing_key", json!("a.b"))]
#[case(&["--time-limit", "60", "--soft-time-limit", "1.5"], "/headers/timelimit", json!([60, 1.5]))]
#[case(&["--eta", "2099-01-01T08:00:00+08:00"], "/headers/eta", json!("2099-01-01T00:00:00.000000+00:00"))]
#[case(&["--eta", "2099-01-01 00:00Z"], "/headers/eta", json!("2099-01-01T00:00:00.000000+00:00"))]
#[case(&["--shadow", "other"], "/headers/shadow", json!("other"))]
#[case(&["--result", "auto"], "/headers/ignore_result", json!(null))]
#[case(&["--result", "force"], "/headers/ignore_result", json!(false))]
#[case(&["--result", "none"], "/headers/ignore_result", json!(true))]
#[case(&["--header", "tenant=7", "--header", "x-zip:str=00501"], "/headers/tenant", json!(7))]
#[case(&["--header", "tenant=7", "--header", "x-zip:str=00501"], "/headers/x-zip", json!("00501"))]
#[case(&["--header", "flags:=[1, true]"], "/headers/flags", json!([1, true]))]
#[case(&["--serializer", "yaml"], "/properties/content_type", json!("application/x-yaml"))]
#[case(&["--compression", "bzip2"], "/headers/compression", json!("application/x-bz2"))]
fn an_option_is_where_celery_looks_for_it(
    #[case] words: &[&str],
    #[case] place: &str,
    #[case] expected: Value,
) {
    let document = dry(words).expect_code(0).json();
    assert_eq!(document.pointer(place), Some(&expected), "{document}");
}

#[rstest]
#[case(&["--countdown", "60"])]
#[case(&["--expires", "60"])]
fn a_duration_counts_from_now(#[case] words: &[&str]) {
    let document = dry(words).expect_code(0).json();
    let header = if words[0] == "--expires" {
        "expires"
    } else {
        "eta"
    };
    let at = document["headers"][header].as_str().expect("a time");
    let at: jiff::Timestamp = at.parse().expect("ISO 8601");
    let ahead = at.as_second() - jiff::Timestamp::now().as_second();
    assert!((50..=60).contains(&ahead), "{ahead}");
}

#[test]
fn expires_takes_a_time_too() {
    let words = ["--expires", "2099-11-22T20:00:00.123456+08:00"];
    let document = dry(&words).expect_code(0).json();
    assert_eq!(
        document["headers"]["expires"],
        "2099-11-22T12:00:00.123456+00:00"
    );
}

#[rstest]
#[case("json", "zlib")]
#[case("yaml", "")]
#[case("msgpack", "")]
#[case("yaml", "lzma")]
#[case("msgpack", "zstd")]
fn a_body_that_is_not_plain_json_is_shown_decoded_and_as_its_bytes(
    #[case] serializer: &str,
    #[case] compression: &str,
) {
    let mut words = vec!["x=客", "--serializer", serializer];
    if !compression.is_empty() {
        words.extend(["--compression", compression]);
    }
    let document = dry(&words).expect_code(0).json();
    assert_eq!(document["body"][0], json!([1]));
    assert_eq!(document["body"][1], json!({"x": "客"}));
    let bytes = document["body_base64"].as_str().expect("a text");
    assert!(!STANDARD.decode(bytes).expect("base64").is_empty());
}

#[test]
fn a_plain_json_body_is_shown_once() {
    assert!(dry(&[]).expect_code(0).json().get("body_base64").is_none());
    let document = dry(&["--serializer", "json"]).expect_code(0).json();
    assert!(document.get("body_base64").is_none());
}

#[rstest]
#[case(&["--countdown", "5", "--eta", "2099-01-01T00:00:00Z"], "exclude each other")]
#[case(&["--countdown", "0"], "more than zero")]
#[case(&["--countdown", "soon"], "not a duration")]
#[case(&["--eta", "2099-01-01T00:00:00"], "2099-01-01T00:00:00Z")]
#[case(&["--eta", "2099-01-01"], "not a time")]
#[case(&["--eta", "12:00"], "not a time")]
#[case(&["--eta", "2199-01-01T00:00:00Z"], "a hundred years")]
#[case(&["--eta", "-000001-01-01T00:00:00Z"], "")]
#[case(&["--expires", "2001-01-01T00:00:00Z"], "in the past")]
#[case(&["--expires", "0"], "more than zero")]
#[case(&["--priority", "256"], "0 to 255")]
#[case(&["--priority", "-1"], "")]
#[case(&["--priority", "+5"], "0 to 255")]
#[case(&["--soft-time-limit", "61", "--time-limit", "60"], "above the hard one")]
#[case(&["--time-limit", ".0000001s"], "time limit")]
#[case(&["--serializer", "pickle"], "runs code")]
#[case(&["--serializer", "xml"], "json, yaml, msgpack")]
#[case(&["--compression", "rar"], "gzip, bzip2, lzma, zstd, brotli")]
#[case(&["--result", "maybe"], "auto, force, none")]
#[case(&["--header", "tenant"], "NAME=value")]
#[case(&["--header", "=7"], "NAME=value")]
#[case(&["--header", "id=7"], "Celery or the broker use themselves")]
#[case(&["--header", "timelimit:=[1]"], "Celery or the broker use themselves")]
#[case(&["--header", "a=1", "--header", "a=2"], "given twice")]
#[case(&["--header", "a:decimal=1.5"], "typed value")]
#[case(&["--header", "a:=1180591620717411303424"], "no AMQP header")]
#[case(&["--header", "a=@/etc/hostname"], "not read from a file")]
#[case(&["--queue", ""], "empty")]
#[case(&["--exchange", ""], "empty")]
fn what_makes_no_sense_is_exit_2_before_anything_else(#[case] words: &[&str], #[case] says: &str) {
    let mut all = vec!["call", "shop.add", "1", "--json"];
    all.extend(words);
    let outcome = cli(&all);
    let document = failure(&outcome, 2, "usage");
    let text = format!(
        "{} {}",
        document["error"]["message"], document["error"]["hint"]
    );
    assert!(text.contains(says), "{text}");
}

#[rstest]
#[case("--queue")]
#[case("--exchange")]
#[case("--routing-key")]
#[case("--task-id")]
#[case("--shadow")]
fn a_name_that_is_too_long_is_refused(#[case] flag: &str) {
    let long = "x".repeat(256);
    dry(&[flag, &long]).expect_code(2);
    dry(&[flag, &long[..255]]).expect_code(0);
}

#[rstest]
#[case(&["--eta", "2001-01-01T00:00:00Z"], "is in the past")]
#[case(&["--countdown", "60", "--expires", "30"], "expires before it may start")]
fn what_is_merely_odd_is_sent_with_a_warning(#[case] words: &[&str], #[case] says: &str) {
    let outcome = dry(words).expect_code(0);
    assert!(outcome.stderr.contains(says), "{}", outcome.account());
}

#[test]
fn negative_numbers_with_an_exponent_are_items() {
    let document = cli(&["call", "t", "-1e+3", "-1e-3", "-2", "--dry-run"]);
    let document = document.expect_code(0).json();
    let body = document["body"][0].to_string();
    assert_eq!(body, "[-1e+3,-1e-3,-2]");
}

#[rstest]
#[case("exit-codes", "12")]
#[case("environment", "UMBEL_TIMEOUT")]
#[case("json", "umbel.call/1")]
#[case("items", "name:TYPE=text")]
fn help_has_topics(#[case] topic: &str, #[case] says: &str) {
    let outcome = cli(&["help", topic]).expect_code(0);
    assert!(outcome.stdout.contains(says), "{}", outcome.account());
    assert!(outcome.stderr.is_empty());
}

#[test]
fn both_words_for_no_limit_are_in_the_help() {
    for command in ["call", "wait"] {
        let help = cli(&[command, "--help"]).expect_code(0).stdout;
        let words: Vec<&str> = help.split_whitespace().collect();
        let help = words.join(" ");
        assert!(help.contains("none or 0: no limit (24 h)"), "{help}");
    }
}

#[test]
fn the_help_of_call_is_grouped() {
    let help = cli(&["call", "--help"]).expect_code(0).stdout;
    let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
    let arguments = place("Arguments:");
    assert!(arguments < place("How to send:"));
    assert!(place("How to send:") < place("How long to wait:"));
    let commands = ["--queue", "--eta", "--header", "--result", "--timeout"];
    assert!(commands.iter().all(|flag| help.contains(flag)));
    cli(&["help", "call"]).expect_code(0);
    cli(&["help", "nonsense"]).expect_code(2);
}
