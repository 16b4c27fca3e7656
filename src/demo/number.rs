//! Python's numbers: integers of any size, floats in their shortest form. Adding is all they can do.

use std::cmp::Ordering;

/// Whether a JSON number is an `int` to Python.
pub(super) fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A JSON number as Python's `json.dumps(json.loads(…))` writes it.
pub(super) fn respelt(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(_) if is_int(text) => Int::read(text).to_string(),
        Ok(float) => float_repr(float),
        Err(_) => text.to_owned(),
    }
}

/// `repr` of a float as JSON: `5.0`, `0.1`, `1e+16`, `Infinity`, `NaN`.
pub(super) fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let shortest = format!("{float:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&power) {
        let plain = format!("{float}");
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.unsigned_abs())
}

/// The sum of two numbers, or the text of Python's `OverflowError`.
pub(super) fn sum(x: &str, y: &str) -> Result<String, &'static str> {
    if is_int(x) && is_int(y) {
        return Ok(Int::read(x).plus(&Int::read(y)).to_string());
    }
    Ok(float_repr(to_float(x)? + to_float(y)?))
}

fn to_float(text: &str) -> Result<f64, &'static str> {
    let float: f64 = text.parse().unwrap_or(f64::NAN);
    if is_int(text) && float.is_infinite() {
        return Err("int too large to convert to float");
    }
    Ok(float)
}

/// The sum of two decimals without exponents, as many places as the longer one has.
pub(super) fn decimal_sum(x: &str, y: &str) -> Option<String> {
    let places = decimal_places(x)?.max(decimal_places(y)?);
    let sum = Int::read(&scaled(x, places)).plus(&Int::read(&scaled(y, places)));
    if places == 0 {
        return Some(sum.to_string());
    }
    let sign = if sum.negative { "-" } else { "" };
    let digits = format!("{:0>width$}", sum.digits, width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Digits behind the point; `None` if it is anything but digits and a point.
fn decimal_places(text: &str) -> Option<usize> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = is_int(whole) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    plain.then_some(fraction.len())
}

fn scaled(text: &str, places: usize) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<places$}")
}

/// An integer of any size: sign and decimal digits without leading zeros.
struct Int {
    negative: bool,
    digits: String,
}

impl Int {
    fn read(text: &str) -> Self {
        let digits = text.trim_start_matches('-').trim_start_matches('0');
        Self {
            negative: text.starts_with('-') && !digits.is_empty(),
            digits: if digits.is_empty() { "0" } else { digits }.to_owned(),
        }
    }

    fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return Self {
                negative: self.negative,
                digits: add(&self.digits, &other.digits),
            };
        }
        let (larger, smaller) = match self.compare_size(other) {
            Ordering::Equal => return Self::read("0"),
            Ordering::Greater => (self, other),
            Ordering::Less => (other, self),
        };
        let difference = Self::read(&subtract(&larger.digits, &smaller.digits));
        Self {
            negative: larger.negative,
            ..difference
        }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        let by_length = self.digits.len().cmp(&other.digits.len());
        by_length.then_with(|| self.digits.cmp(&other.digits))
    }
}

impl std::fmt::Display for Int {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.digits)
    }
}

/// The digits of a number from its end, as values, and zeros for ever.
fn backwards(digits: &str) -> impl Iterator<Item = u8> {
    let values = digits.bytes().rev().map(|byte| byte - b'0');
    values.chain(std::iter::repeat(0))
}

fn forwards(mut values: Vec<u8>) -> String {
    values.reverse();
    values
        .into_iter()
        .map(|value| char::from(b'0' + value))
        .collect()
}

fn add(x: &str, y: &str) -> String {
    let mut carry = 0;
    let columns = backwards(x).zip(backwards(y));
    let places = x.len().max(y.len());
    let mut sum: Vec<u8> = columns
        .take(places)
        .map(|(x, y)| {
            let column = x + y + carry;
            carry = column / 10;
            column % 10
        })
        .collect();
    if carry > 0 {
        sum.push(carry);
    }
    forwards(sum)
}

/// The difference of a larger and a smaller number.
fn subtract(larger: &str, smaller: &str) -> String {
    let mut borrow = 0;
    let columns = backwards(larger).zip(backwards(smaller));
    let difference = columns.take(larger.len()).map(|(x, y)| {
        let column = 10 + x - y - borrow;
        borrow = u8::from(column < 10);
        column % 10
    });
    forwards(difference.collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2", "3", "5")]
    #[case("-2", "3", "1")]
    #[case("2", "-3", "-1")]
    #[case("5", "-5", "0")]
    #[case("-0", "0", "0")]
    #[case("1180591620717411303424", "1", "1180591620717411303425")]
    #[case("99999999999999999999", "1", "100000000000000000000")]
    #[case("100000000000000000000", "-1", "99999999999999999999")]
    #[case("0.1", "0.2", "0.30000000000000004")]
    #[case("1.5", "2", "3.5")]
    #[case("2.0", "3", "5.0")]
    #[case("1e308", "1e308", "Infinity")]
    #[case("Infinity", "-Infinity", "NaN")]
    fn numbers_add_as_in_python(#[case] x: &str, #[case] y: &str, #[case] sum_: &str) {
        assert_eq!(sum(x, y).as_deref(), Ok(sum_));
    }

    #[test]
    fn a_float_and_an_integer_beyond_floats_overflow() {
        let huge = "9".repeat(400);
        assert_eq!(sum(&huge, "0.5"), Err("int too large to convert to float"));
    }

    #[rstest]
    #[case("1.10", "1.1")]
    #[case("1E5", "100000.0")]
    #[case("1e16", "1e+16")]
    #[case("123456789012345680", "123456789012345680")]
    #[case("1.5e300", "1.5e+300")]
    #[case("0.00001", "1e-05")]
    #[case("0.0001", "0.0001")]
    #[case("-0.0", "-0.0")]
    #[case("-0", "0")]
    #[case("1e400", "Infinity")]
    #[case("NaN", "NaN")]
    fn numbers_are_written_as_python_writes_them(#[case] given: &str, #[case] written: &str) {
        assert_eq!(respelt(given), written);
    }

    #[rstest]
    #[case("1.10", "1.1", "2.20")]
    #[case("12.50", "-12.5", "0.00")]
    #[case("-1", "0.95", "-0.05")]
    #[case("7", "8", "15")]
    fn decimals_keep_their_places(#[case] x: &str, #[case] y: &str, #[case] sum: &str) {
        assert_eq!(decimal_sum(x, y).as_deref(), Some(sum));
    }
}
