//! Documents for property tests.

use proptest::prelude::*;

use super::Json;

/// Numbers as Python spells them, small and huge.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?(e[+-][0-9]{1,4})?",
    ]
}

/// Any text, with what hurts more often than chance would have it.
pub(in crate::protocol) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => "[a-z_]{1,8}",
        1 => "[\u{0}-\u{1f}\"\\\\/\u{7f}-\u{9f}\u{2028}\u{202e}\u{feff}\u{1f600}]{0,8}",
        1 => Just("__type__".to_owned()),
        1 => Just("__value__".to_owned()),
    ]
}

/// A document that RFC 8259 allows.
pub(in crate::protocol) fn strict() -> impl Strategy<Value = Json> {
    nested(number().boxed())
}

/// A document that Python writes: also NaN and the infinities.
pub(in crate::protocol) fn lenient() -> impl Strategy<Value = Json> + Clone {
    let special = prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity")];
    nested(prop_oneof![4 => number(), 1 => special.prop_map(str::to_owned)].boxed())
}

fn nested(number: BoxedStrategy<String>) -> impl Strategy<Value = Json> + Clone {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(Json::Number),
        text().prop_map(Json::Text),
    ];
    scalar.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::vec((text(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}
