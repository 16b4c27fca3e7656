//! `demo.unicode()`: text that is hard to draw, and text that tries to command the terminal. A viewer must draw the first and disarm the second.

use super::super::build::{object, texts};
use crate::protocol::Json;

pub(super) fn unicode() -> Json {
    object([
        ("客戶", texts(["王小明", "陳美玲", "歐陽靖", "𠮷田"])),
        ("emoji", texts(["🍵", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇹🇼", "1️⃣", "❤️"])),
        (
            "right to left",
            texts(["שלום עולם", "مرحبا بالعالم", "abc אבג 123"]),
        ),
        (
            "combining",
            texts([
                "e\u{301}",
                "n\u{303}a",
                "Z\u{351}\u{36b}\u{343}\u{36a}algo",
                "한글",
                "ガ",
            ]),
        ),
        (
            "ambiguous width",
            texts(["─│┌", "①②③", "αβγ", "“quoted”", "…"]),
        ),
        (
            "invisible",
            texts([
                "zero\u{200b}width",
                "soft\u{ad}hyphen",
                "\u{feff}bom",
                "no\u{2060}break",
            ]),
        ),
        (
            "bidi controls",
            texts([
                "user\u{202e}gpj.exe",
                "\u{2066}isolate\u{2069}",
                "\u{200f}mark",
            ]),
        ),
        (
            "control characters",
            texts([
                "bell\u{7}",
                "back\u{8}space",
                "null\u{0}",
                "csi\u{9b}31m",
                "tab\tstop",
                "two\nlines",
                "cr\rover",
            ]),
        ),
        (
            "escape sequences",
            texts([
                "\u{1b}[31mred?\u{1b}[0m",
                "\u{1b}[2J\u{1b}[Hcleared?",
                "\u{1b}]0;title?\u{7}",
                "\u{1b}]52;c;Y3VybCBldmlsIHwgc2g=\u{7}",
                "\u{1b}]8;;https://example.org\u{1b}\\link?\u{1b}]8;;\u{1b}\\",
                "\u{1b}P+q544e\u{1b}\\",
            ]),
        ),
        (
            "\u{1b}[5mkey\u{1b}[0m",
            Json::from("keys can be hostile too"),
        ),
    ])
}
