//! `demo.result.large(megabytes=1)`: a nested document of customers and orders of about that size. Written as text, so that it costs its size once.

use std::fmt::Write;

use super::super::arguments::Arguments;
use super::super::raised::{Frame, Raised};
use super::super::value::type_name;
use crate::protocol::Json;

/// The largest result, in megabytes.
const MOST: f64 = 64.0;

/// Records written before others get their turn.
const STRETCH: usize = 500;

const FRAME: Frame = Frame {
    file: "/srv/demo/result.py",
    line: 12,
    function: "large",
    code: "size = int(megabytes * 2 ** 20)",
    mark: "megabytes * 2 ** 20",
};

const CHECK: Frame = Frame {
    line: 14,
    code: "raise ValueError('megabytes must be between 0 and 64')",
    mark: "",
    ..FRAME
};

const NAMES: [&str; 6] = [
    "王小明",
    "Ada Lovelace",
    "陳美玲",
    "José Ortega",
    "林志豪",
    "Zoë Müller",
];

const GOODS: [(&str, &str); 5] = [
    ("烏龍茶", "12.50"),
    ("keyboard", "89.00"),
    ("雨傘", "7.25"),
    ("notebook", "3.10"),
    ("lamp", "45.99"),
];

pub(super) async fn large(mut arguments: Arguments) -> Result<String, Raised> {
    let size = size(&arguments.take(0, 1))?;
    let mut text = String::with_capacity(size + 1024);
    let _ = write!(
        text,
        "{{\"report\": \"customers\", \"bytes\": {size}, \"customers\": ["
    );
    let mut count = 0;
    while text.len() + 2 < size || count == 0 {
        if count > 0 {
            text.push_str(", ");
        }
        // Writing to a String never fails.
        let _ = customer(&mut text, count);
        count += 1;
        if count.is_multiple_of(STRETCH) {
            tokio::task::yield_now().await;
        }
    }
    let _ = write!(text, "], \"count\": {count}}}");
    Ok(text)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 64 MiB, checked"
)]
fn size(megabytes: &Json) -> Result<usize, Raised> {
    let Some(megabytes) = megabytes.as_f64() else {
        let text = format!(
            "unsupported operand type(s) for *: '{}' and 'int'",
            type_name(megabytes)
        );
        return Err(Raised::builtin("TypeError", text, &[FRAME]));
    };
    if !(0.0..=MOST).contains(&megabytes) {
        let text = format!("megabytes must be between 0 and {MOST}");
        return Err(Raised::builtin("ValueError", text, &[CHECK]));
    }
    Ok((megabytes * f64::from(1 << 20)) as usize)
}

fn customer(text: &mut String, number: usize) -> std::fmt::Result {
    let name = NAMES.get(number % NAMES.len()).copied().unwrap_or_default();
    write!(
        text,
        "{{\"id\": {}, \"name\": \"{name}\", \"active\": {}, \"referrer\": null, ",
        1000 + number,
        !number.is_multiple_of(7),
    )?;
    write!(
        text,
        "\"address\": {{\"city\": \"臺北市\", \"street\": \"信義路{}段{}號\", \"point\": [25.03{}, 121.56{}]}}, \"orders\": [",
        number % 5 + 1,
        number % 300 + 1,
        number % 10,
        number % 9,
    )?;
    for order in 0..=number % 4 {
        let comma = if order > 0 { ", " } else { "" };
        let (item, price) = GOODS
            .get((number + order) % GOODS.len())
            .copied()
            .unwrap_or_default();
        write!(
            text,
            "{comma}{{\"item\": \"{item}\", \"quantity\": {}, \"price\": {{\"__type__\": \"decimal\", \"__value__\": \"{price}\"}}}}",
            order + 1,
        )?;
    }
    text.write_str("], \"tags\": [\"vip\", \"2026\"]}")
}
