//! ITEMs and the other ways to give arguments, from the command line into the body of the message (`--dry-run`, no network).

use rstest::rstest;

use crate::contract;
use crate::support::{Outcome, Sandbox, cli};

/// `call t WORDS --dry-run`; the flag comes first, so that words may hold `--`.
fn dry(sandbox: &Sandbox, words: &[&str]) -> Outcome {
    let mut all = vec!["call", "--dry-run", "t"];
    all.extend(words);
    sandbox.cli(&all)
}

/// Arguments as they stand in the body, `[args,kwargs]`.
fn body(outcome: &Outcome) -> String {
    let document = outcome.json();
    let (args, kwargs) = (&document["body"][0], &document["body"][1]);
    format!("{args} {kwargs}")
}

#[rstest]
#[case::number(&["2", "3"], "[2,3] {}")]
#[case::negative(&["-2", "-1.5"], "[-2,-1.5] {}")]
#[case::keyword(&["order_id=42"], r#"[] {"order_id":42}"#)]
#[case::negative_keyword(&["x=-7"], r#"[] {"x":-7}"#)]
#[case::text(&["note=late", "late"], r#"["late"] {"note":"late"}"#)]
#[case::list(&[r#"tags=["a"]"#], r#"[] {"tags":["a"]}"#)]
#[case::null(&["when=null", "null"], r#"[null] {"when":null}"#)]
#[case::booleans(&["true", "x=false"], r#"[true] {"x":false}"#)]
#[case::zip_code(&["zip=00501", "00501"], r#"["00501"] {"zip":"00501"}"#)]
#[case::empty(&["note=", ""], r#"[""] {"note":""}"#)]
#[case::quoted(&[r#""42""#, r#"x="42""#], r#"["42"] {"x":"42"}"#)]
#[case::second_equals_sign(&["x=a=b"], r#"[] {"x":"a=b"}"#)]
#[case::url(&["http://h/?a=b"], r#"["http://h/?a=b"] {}"#)]
#[case::no_identifier(&["a-b=1", "2x=1", "=1", "a.b=1"], r#"["a-b=1","2x=1","=1","a.b=1"] {}"#)]
#[case::identifier_of_any_script(&["客戶=王"], r#"[] {"客戶":"王"}"#)]
#[case::json(&["x:=[1, 2]", r#":={"a": null}"#], r#"[{"a":null}] {"x":[1,2]}"#)]
#[case::string_type(&["code:str=42", ":str=true"], r#"["true"] {"code":"42"}"#)]
#[case::int_type(&["x:int=0x2a", ":int=1_000", ":int=-3"], r#"[1000,-3] {"x":42}"#)]
#[case::float_type(&["x:float=1e3"], r#"[] {"x":1e+3}"#)]
#[case::bool_type(&["x:bool=true", ":bool=False"], r#"[false] {"x":true}"#)]
#[case::null_type(&["x:null=", ":null=null"], r#"[null] {"x":null}"#)]
#[case::decimal(&["amount:decimal=12.50"], r#"[] {"amount":{"__type__":"decimal","__value__":"12.50"}}"#)]
#[case::date(&[":date=2024-05-01"], r#"[{"__type__":"date","__value__":"2024-05-01"}] {}"#)]
#[case::time(&[":time=01:02:03"], r#"[{"__type__":"time","__value__":"01:02:03"}] {}"#)]
#[case::bytes(&[":bytes=abc"], r#"[{"__type__":"bytes","__value__":"abc"}] {}"#)]
#[case::uuid(&[":uuid=12345678-1234-5678-1234-567812345678"], r#"[{"__type__":"uuid","__value__":{"hex":"12345678123456781234567812345678"}}] {}"#)]
#[case::big_and_exact(&["1180591620717411303424", "x=1.10"], r#"[1180591620717411303424] {"x":1.10}"#)]
#[case::key_order(&[r#"{"z":1,"a":2,"m":3}"#, "z=1", "a=2"], r#"[{"z":1,"a":2,"m":3}] {"z":1,"a":2}"#)]
#[case::at_sign_alone(&["@f", "x:str=@f", "=@f"], r#"["@f","=@f"] {"x":"@f"}"#)]
#[case::behind_two_dashes(&["1", "--", "x=2", "--json", "-3"], r#"[1,"x=2","--json",-3] {}"#)]
#[case::args_and_kwargs(&["--args", "[1]", "2", "--kwargs", r#"{"a":1}"#, "b=2", "--", "3"], r#"[1,2,3] {"a":1,"b":2}"#)]
#[case::nothing(&[], "[] {}")]
fn words_become_arguments(#[case] words: &[&str], #[case] expected: &str) {
    let outcome = dry(&Sandbox::new(), words).expect_code(0);
    assert_eq!(body(&outcome), expected);
    assert_eq!(outcome.stderr, "");
}

#[rstest]
#[case::datetime(":datetime=2024-05-01T12:30:15+00:00", "datetime")]
#[case::naive_datetime(":datetime=2024-05-01 12:30", "datetime")]
fn a_datetime_is_a_tagged_value(#[case] word: &str, #[case] tag: &str) {
    let outcome = dry(&Sandbox::new(), &[word]).expect_code(0);
    let value = &outcome.json()["body"][0][0];
    assert_eq!(value["__type__"], tag);
    assert!(
        value["__value__"]
            .as_str()
            .is_some_and(|text| text.starts_with("2024-05-01T12:30"))
    );
}

#[rstest]
#[case::unknown_type(&["x:money=1"], 2)]
#[case::unknown_positional_type(&[":money=1"], 2)]
#[case::keyword_twice(&["x=1", "x=2"], 2)]
#[case::keyword_twice_with_types(&["x=1", "x:str=2"], 2)]
#[case::keyword_also_in_kwargs(&["x=1", "--kwargs", r#"{"x":2}"#], 2)]
#[case::stdin_twice(&["a=@-", "b:=@-"], 2)]
#[case::input_with_items(&["1", "--input", "-"], 2)]
#[case::input_with_args(&["--args", "[]", "--input", "-"], 2)]
#[case::input_with_rest(&["--input", "-", "--", "1"], 2)]
#[case::unknown_flag(&["--nope"], 2)]
#[case::empty_queue(&["--queue", ""], 2)]
#[case::empty_id(&["--task-id", ""], 2)]
#[case::no_time_to_live(&["--expires", "0"], 2)]
#[case::negative_time_to_live(&["--expires=-1s"], 2)]
#[case::no_duration(&["--timeout", "soon"], 2)]
#[case::zero_seconds(&["--timeout", "0s"], 2)]
#[case::negative_timeout(&["--timeout=-1"], 2)]
#[case::no_json(&["x:=nope"], 8)]
#[case::python_literal(&[":=None"], 8)]
#[case::nan_as_json(&[":=NaN"], 8)]
#[case::half_json(&["--args", "[1"], 8)]
#[case::args_no_array(&["--args", "{}"], 8)]
#[case::kwargs_no_object(&["--kwargs", "[]"], 8)]
#[case::kwargs_twice(&["--kwargs", r#"{"x":1,"x":2}"#], 8)]
#[case::missing_file(&["x=@/no/such/file"], 8)]
#[case::bad_int(&["x:int=4.5"], 8)]
#[case::bad_float(&["x:float=much"], 8)]
#[case::bad_bool(&["x:bool=yes"], 8)]
#[case::bad_date(&["x:date=2024-13-01"], 8)]
#[case::bad_decimal(&["x:decimal=a"], 8)]
#[case::bad_uuid(&["x:uuid=1"], 8)]
fn wrong_words_are_refused_in_words_and_as_a_document(#[case] words: &[&str], #[case] code: i32) {
    let sandbox = Sandbox::new();
    let told = dry(&sandbox, words).expect_code(code);
    assert_eq!(told.stdout, "");
    assert!(!told.stderr.is_empty());
    let mut with_json = vec!["--json"];
    with_json.extend(words);
    let kind = if code == 2 {
        "usage"
    } else {
        "invalid_arguments"
    };
    let told = dry(&sandbox, &with_json);
    contract::failure(&told, code, kind);
    assert_eq!(told.stderr, "");
}

#[test]
fn a_mistake_in_json_is_shown_with_its_place() {
    let told = dry(&Sandbox::new(), &["--args", "[1, x]"]).expect_code(8);
    assert!(told.stderr.contains("line 1, column 5"), "{}", told.stderr);
    assert!(
        told.stderr.lines().any(|line| line.trim() == "^"),
        "{}",
        told.stderr
    );
}

#[rstest]
#[case("True", "true")]
#[case("False", "false")]
#[case("None", "null")]
fn what_python_spells_otherwise_stays_a_string_with_a_warning(
    #[case] word: &str,
    #[case] meant: &str,
) {
    let outcome = dry(&Sandbox::new(), &[word]).expect_code(0);
    assert_eq!(body(&outcome), format!("[{word:?}] {{}}"));
    assert!(
        outcome.stderr.contains("warning") && outcome.stderr.contains(meant),
        "{}",
        outcome.stderr
    );
}

#[rstest]
#[case("nan", "NaN")]
#[case("inf", "Infinity")]
#[case("-inf", "-Infinity")]
fn what_json_cannot_say_is_a_string_in_our_documents_with_a_warning(
    #[case] typed: &str,
    #[case] shown: &str,
) {
    let outcome = dry(&Sandbox::new(), &[&format!(":float={typed}")]).expect_code(0);
    assert_eq!(body(&outcome), format!("[{shown:?}] {{}}"));
    assert!(
        outcome.stderr.contains("NaN or Infinity"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_key_given_twice_inside_a_value_is_sent_as_written_with_a_warning() {
    let outcome = dry(&Sandbox::new(), &[r#"x=[{"a":1,"b":0,"a":2}]"#]).expect_code(0);
    assert!(
        outcome.stdout.contains(r#""x":[{"a":1,"b":0,"a":2}]"#),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("warning") && outcome.stderr.contains("\"a\""),
        "{}",
        outcome.stderr
    );
}

#[test]
fn files_give_text_and_json() {
    let sandbox = Sandbox::new();
    sandbox.write("note.txt", "客戶 \"x\"\n");
    sandbox.write("order.json", "{\"z\": [1, 2.50],\n \"a\": null}\n");
    let words = ["note=@note.txt", "order:=@order.json", ":=@order.json"];
    let outcome = dry(&sandbox, &words).expect_code(0);
    let order = r#"{"z":[1,2.50],"a":null}"#;
    let expected = format!(r#"[{order}] {{"note":"客戶 \"x\"\n","order":{order}}}"#);
    assert_eq!(body(&outcome), expected);
    dry(&sandbox, &["order:=@note.txt"]).expect_code(8);
}

#[rstest]
#[case::text(&["x=@-"], r#"[] {"x":"[1]"}"#)]
#[case::json(&["x:=@-"], r#"[] {"x":[1]}"#)]
fn standard_input_is_a_file_named_dash(#[case] words: &[&str], #[case] expected: &str) {
    let outcome = dry(&Sandbox::new().stdin("[1]"), words).expect_code(0);
    assert_eq!(body(&outcome), expected);
}

#[test]
fn input_is_one_document_from_a_file_or_standard_input() {
    let document = r#"{"args": [1, "a"], "kwargs": {"z": 1, "a": 1e+400}}"#;
    let expected = r#"[1,"a"] {"z":1,"a":1e+400}"#;
    let sandbox = Sandbox::new().stdin(document);
    sandbox.write("call.json", document);
    for place in ["-", "call.json"] {
        assert_eq!(
            body(&dry(&sandbox, &["--input", place]).expect_code(0)),
            expected
        );
    }
    for wrong in [
        "[]",
        "{\"arg\": []}",
        "{\"args\": {}}",
        "{\"kwargs\": []}",
        "",
        "{",
    ] {
        let sandbox = Sandbox::new().stdin(wrong);
        contract::failure(
            &dry(&sandbox, &["--json", "--input", "-"]),
            8,
            "invalid_arguments",
        );
    }
    assert_eq!(
        body(&dry(&Sandbox::new().stdin("{}"), &["--input", "-"]).expect_code(0)),
        "[] {}"
    );
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let sandbox = Sandbox::new().stdin([b'a', 0xff]);
    let told = dry(&sandbox, &["x=@-"]).expect_code(8);
    assert!(told.stderr.contains("not UTF-8"), "{}", told.stderr);
}

#[test]
fn the_meaning_of_a_word_is_in_the_help() {
    let help = cli(&["call", "--help"]).expect_code(0);
    for word in ["name:=JSON", "name:TYPE=text", "decimal", "--dry-run"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
}
