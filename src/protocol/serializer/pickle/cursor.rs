//! Reads the operands of a pickle's steps. Nothing is allocated for a length that the data does not have.

/// The most bytes of a whole number that are written out in digits; Python itself converts no more than 4,300 digits.
const LONGEST_NUMBER: usize = 1_785;

const CUT_OFF: &str = "the data is cut off";

pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, size: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(size).ok_or(CUT_OFF)?;
        let data = self.data.get(self.at..end).ok_or(CUT_OFF)?;
        self.at = end;
        Ok(data)
    }

    pub(super) fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| CUT_OFF)
    }

    /// Data behind its length of `width` bytes, lowest first.
    pub(super) fn sized(&mut self, width: usize) -> Result<&'a [u8], &'static str> {
        let length = self.take(width)?.iter().rev();
        let length = length.fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        self.take(usize::try_from(length).map_err(|_| CUT_OFF)?)
    }

    /// Up to the end of the line, which is stepped over.
    pub(super) fn line(&mut self) -> Result<&'a str, &'static str> {
        let rest = &self.data[self.at..];
        let size = rest.iter().position(|&byte| byte == b'\n').ok_or(CUT_OFF)?;
        let line = self.take(size)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| "a line that is not UTF-8")
    }

    pub(super) fn two_lines(&mut self) -> Result<(String, String), &'static str> {
        Ok((self.line()?.to_owned(), self.line()?.to_owned()))
    }

    /// Python 2's text between quotes.
    pub(super) fn quoted(&mut self) -> Result<String, &'static str> {
        let line = self.line()?.trim();
        let inner = line.get(1..line.len().saturating_sub(1));
        inner.map(str::to_owned).ok_or("a text without quotes")
    }
}

/// Digits of a whole number, with a sign.
pub(super) fn whole(line: &str) -> Result<String, &'static str> {
    let text = line.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let bare = digits.trim_start_matches('0');
    let bare = if bare.is_empty() { "0" } else { bare };
    let sign = if text.len() > digits.len() && bare != "0" {
        "-"
    } else {
        ""
    };
    if fits {
        Ok(format!("{sign}{bare}"))
    } else {
        Err("a number that is none")
    }
}

/// Decimal digits of a two's complement number, lowest byte first; a text in angle brackets if there are too many.
pub(super) fn long(bytes: &[u8]) -> String {
    const BILLION: u64 = 1_000_000_000;
    if bytes.len() > LONGEST_NUMBER {
        return format!("<a whole number of {} bytes>", bytes.len());
    }
    let negative = bytes.last().is_some_and(|&highest| highest >= 0x80);
    let mut magnitude = bytes.to_vec();
    if negative {
        // Two's complement: the complement plus one.
        let mut carry = true;
        for byte in &mut magnitude {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    let mut groups = vec![0_u64];
    for &byte in magnitude.iter().rev() {
        let mut carry = u64::from(byte);
        for group in &mut groups {
            let sum = *group * 256 + carry;
            (*group, carry) = (sum % BILLION, sum / BILLION);
        }
        if carry > 0 {
            groups.push(carry);
        }
    }
    let (highest, rest) = groups.split_last().unwrap_or((&0, &[]));
    let mut digits = format!("{}{highest}", if negative { "-" } else { "" });
    digits.extend(rest.iter().rev().map(|group| format!("{group:09}")));
    digits
}

/// `raw-unicode-escape`: `\uXXXX` and `\UXXXXXXXX`; whatever else stands for itself.
pub(super) fn unescape(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let digits = match after.as_bytes().first() {
            Some(b'u') => after.get(1..5),
            Some(b'U') => after.get(1..9),
            _ => None,
        };
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(code) = code {
            out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            rest = &after[1 + digits.unwrap_or_default().len()..];
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out + rest
}
