//! Pickles of every protocol are taken apart, hostile ones too, and none is ever executed.

use super::*;
use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use rstest::rstest;

fn outline(data: &[u8]) -> String {
    read(data).outline.to_wire()
}

/// What Python 3.11 writes in protocols 0, 2 and 5.
#[rstest]
#[case(
    "KGRwMApWYQpwMQpJMQpzVmIKcDIKKGxwMwpJMDEKYU5hRjEuNQphcy4=",
    r#"{"a":1,"b":[true,null,1.5]}"#
)]
#[case(
    "gAJ9cQAoWAEAAABhcQFLAVgBAAAAYnECXXEDKIhORz/4AAAAAAAAZXUu",
    r#"{"a":1,"b":[true,null,1.5]}"#
)]
#[case(
    "gAWVHwAAAAAAAAB9lCiMAWGUSwGMAWKUXZQoiE5HP/gAAAAAAABldS4=",
    r#"{"a":1,"b":[true,null,1.5]}"#
)]
fn plain_values_are_as_they_are(#[case] data: &str, #[case] expected: &str) {
    assert_eq!(outline(&BASE64_STANDARD.decode(data).unwrap()), expected);
}

#[rstest]
#[case(
    b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x40.",
    "1180591620717411303424"
)]
#[case(b"\x8a\x01\xff.", "-1")]
#[case(b"\x8a\x01\x80.", "-128")]
#[case(b"\x8a\x00.", "0")]
#[case(b"L-12345678901234567890123L\n.", "-12345678901234567890123")]
#[case(b"K\x05K\x06\x86.", "[5,6]")]
#[case(b"V\\u017e\\x\n.", "\"ž\\\\x\"")]
#[case(b"\x8f(K\x01\x90.", "\"<set (1,)>\"")]
#[case(b"}K\x01K\x02s.", r#"{"1":2}"#)]
#[case(b"cposix\nsystem\n(S'id'\ntR.", "\"<posix.system ('id',)>\"")]
#[case(b"(S'id'\niposix\nsystem\n.", "\"<posix.system ('id',)>\"")]
#[case(b"(cposix\nsystem\nS'id'\no.", "\"<posix.system ('id',)>\"")]
#[case(
    b"\x8c\x04shop\x8c\x05Order\x93)\x81}\x8c\x01nK\x02sb.",
    "\"<shop.Order () {'n': 2}>\""
)]
#[case(b"c__builtin__\nset\n.", "\"<builtins.set>\"")]
#[case(
    b"ccopy_reg\n_reconstructor\n(cshop\nOrder\nc__builtin__\nobject\nNtR.",
    "\"<shop.Order ()>\""
)]
#[case(b"K\x07Q.", "\"<persistent id 7>\"")]
#[case(b"]q\x00h\x00a.", r#"["<recursive>"]"#)]
fn what_only_python_can_rebuild_is_a_text(#[case] data: &[u8], #[case] expected: &str) {
    assert_eq!(outline(data), expected);
}

#[test]
fn the_listing_names_classes_and_values() {
    let opaque = read(b"\x80\x04cshop.errors\nOutOfStock\n\x8c\x03teaK\x03\x86R.");
    let lines = [
        "      2  global shop.errors.OutOfStock",
        "     26  text 'tea'",
        "     31  int 3",
        "     33  tuple",
        "     34  call",
    ];
    assert_eq!(opaque.lines, lines);
    assert!(!opaque.truncated);
}

#[test]
fn an_exception_is_read_without_building_it() {
    let opaque = read(b"\x80\x04}\x8c\x06resultcshop\nGone\n\x8c\x01a\x85Rs.");
    let raised = opaque.raised.unwrap();
    assert_eq!(
        (raised.kind.as_str(), raised.module.as_deref()),
        ("Gone", Some("shop"))
    );
    assert_eq!(raised.args, [Json::from("a")]);
}

#[rstest]
#[case(b"", "stops here: the data is cut off")]
#[case(b"K", "stops here: the data is cut off")]
#[case(
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
    "stops here: the data is cut off"
)]
#[case(b"\xff", "stops here: no such step in any protocol")]
#[case(b".", "stops here: nothing on the stack")]
#[case(b"h\x05", "stops here: nothing under that memo key")]
#[case(b"u", "stops here: no mark on the stack")]
fn damaged_data_says_where_it_ends(#[case] data: &[u8], #[case] expected: &str) {
    let opaque = read(data);
    assert!(opaque.truncated);
    let last = opaque.lines.last().unwrap();
    assert!(last.ends_with(expected), "{last}");
}

#[test]
fn what_stood_before_the_damage_is_kept() {
    let cut = b"\x80\x04}(\x8c\x06status\x8c\x07SUCCESS\x8c\x06result](K\x01K\x02";
    let opaque = read(cut);
    assert_eq!(
        opaque.outline.to_wire(),
        r#"{"status":"SUCCESS","result":[1,2]}"#
    );
    assert!(opaque.truncated);
}

#[test]
fn a_bomb_of_references_is_told_in_bounds() {
    let mut bomb = b"K\x01".to_vec();
    bomb.extend(b"2\x86".repeat(80));
    bomb.push(b'.');
    let opaque = read(&bomb);
    assert!(opaque.truncated);
    let text = opaque.outline.to_wire();
    assert!(text.len() < HEAVIEST_SEEN, "{}", text.len());
    let calls = [b"cshop\nOrder\n".as_slice(), &b"2\x85R".repeat(500), b"."].concat();
    assert!(outline(&calls).len() < 10_000);
}

const HEAVIEST_SEEN: usize = 128 << 20;

#[test]
fn deep_nesting_and_long_listings_are_cut() {
    let deep = [b"K\x01".as_slice(), &b"\x85".repeat(100_000), b"."].concat();
    let opaque = read(&deep);
    assert!(opaque.truncated && opaque.lines.len() == MOST_LINES);
    assert!(opaque.outline.to_wire().contains("<nested too deeply>"));
    let long = format!("V{}\n.", "ž".repeat(1_000_000));
    let opaque = read(long.as_bytes());
    assert!(opaque.truncated);
    assert!(opaque.lines[0].chars().count() <= LONGEST_LINE);
}

proptest! {
    #[test]
    fn any_bytes_are_told(data in any::<Vec<u8>>()) {
        prop_assert_eq!(read(&data).size, data.len());
    }

    #[test]
    fn any_program_is_told(steps in prop::collection::vec(prop::sample::select(STEPS.to_vec()), 0..60)) {
        let data = steps.concat();
        let opaque = read(&data);
        prop_assert!(opaque.lines.len() <= MOST_LINES);
    }
}

/// Steps of every kind, with operands.
const STEPS: [&[u8]; 40] = [
    b"(",
    b".",
    b"0",
    b"1",
    b"2",
    b"N",
    b"K\x01",
    b"J\xff\xff\xff\xff",
    b"I01\n",
    b"L5L\n",
    b"F1.5\n",
    b"\x8a\x01\x80",
    b"\x8c\x01a",
    b"\x8c\x06result",
    b"C\x01\xff",
    b"V\\u12\n",
    b"S'a'\n",
    b"}",
    b"]",
    b")",
    b"\x8f",
    b"d",
    b"l",
    b"t",
    b"\x91",
    b"\x85",
    b"\x87",
    b"a",
    b"e",
    b"\x90",
    b"s",
    b"u",
    b"q\x00",
    b"h\x00",
    b"\x94",
    b"cshop\nA\n",
    b"\x93",
    b"R",
    b"b",
    b"\x92",
];
