//! Who may know whom: the arrows between the rooms of the house point one way, and the libraries that talk to the world stay in
//! their rooms. Reads the source as text; test modules may use what they like.

use std::fs;
use std::path::{Path, PathBuf};

/// What a room may name of other rooms, besides itself: a room (`protocol`), or a part of one (`backend::Results`).
/// Every room may use `error`, `clock` and `text`, which know nothing of the others.
const ARROWS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("clock", &[]),
    ("error", &[]),
    ("logging", &[]),
    ("protocol", &[]),
    ("schema", &["protocol"]),
    // Where servers are, and how to reach them; nothing of Celery.
    ("server", &[]),
    ("broker", &["protocol", "server"]),
    ("backend", &["protocol", "server"]),
    // What the broker tells of a queue or of a broadcast is plain data.
    (
        "cluster",
        &[
            "protocol",
            "broker::Depth",
            "broker::Held",
            "broker::Rates",
            "broker::Reach",
        ],
    ),
    (
        "call",
        &[
            "protocol",
            "cluster",
            "broker::Held",
            "broker::Reach",
            "broker::Route",
            "backend::Results",
        ],
    ),
    (
        "client",
        &["protocol", "cluster", "call", "broker", "backend"],
    ),
    ("history", &["protocol", "call"]),
    ("demo", &["protocol", "broker::memory", "broker::Broker"]),
    // The command line names the longest wait.
    (
        "cli",
        &["protocol", "call::LONGEST_WAIT", "call::CallState"],
    ),
    // URLs are checked where they are read, so that the complaint can say where they stood.
    (
        "config",
        &[
            "protocol",
            "cli",
            "broker::url",
            "backend::url",
            "backend::Results",
            "server",
            // What the file says of history, in history's own words.
            "history::Keep",
            "history::Place",
            "history::Rules",
            "history::Secrets",
            "history::place",
        ],
    ),
    (
        "commands",
        &[
            "protocol",
            "schema",
            "cluster",
            "call",
            "client",
            "history",
            "config",
            "cli",
            "broker::Reach",
            "backend::Results",
            // A demo lives as long as the session that uses it.
            "demo::Demo",
            "history",
        ],
    ),
    ("tui", &["client", "history"]),
    // The way to history, and what it says.
    ("tui::archive", &["protocol", "call", "history"]),
    ("tui::past", &["protocol", "history"]),
    ("tui::runtime", &["client"]),
    ("tui::perform", &["client"]),
    ("tui::message", &["client"]),
    ("tui::effect", &["client"]),
    ("tui::input", &[]),
    ("tui::terminal", &[]),
    ("tui::theme", &["cli::look"]),
    ("tui::keymap", &[]),
    ("tui::clipboard", &[]),
    ("tui::widgets", &[]),
    ("tui::popups", &["protocol"]),
    ("tui::state", SCREEN),
    ("tui::update", SCREEN),
    ("tui::view", SCREEN),
    ("tui::panes", SCREEN),
];

/// What the pure parts of the screen show; the grammar of ITEMs and options is that of the form's rows too.
const SCREEN: &[&str] = &[
    "protocol",
    "schema",
    "cluster",
    "call",
    "history",
    "config",
    "cli::items",
    "cli::options",
    "backend::Results",
    // The client's types, never its handle.
    "client::Command",
    "client::Event",
    "client::LinkName",
    "client::LinkState",
    "client::Order",
    "client::Confirmed",
];

/// Parts of the screen that only the running program touches: what is pure must not know them.
const MACHINERY: &[&str] = &[
    "tui::runtime",
    "tui::perform",
    "tui::archive",
    "history::Handle",
    "history::actor",
    "history::store",
    "tui::terminal",
    "tui::clipboard",
    "client::Client",
    "client::actor",
];

/// Rooms without `async`: pure values and functions.
const PURE: &[&str] = &[
    "text",
    "clock",
    "error",
    "protocol",
    "schema",
    "cluster",
    "call",
    "cli",
    "config",
    "client/backoff",
    "client/survey",
    "client/replies",
    "client/event",
    "client/guard",
    "history/record",
    "history/secrets",
    "history/filter",
    "history/export",
    "history/diff",
    "history/usual",
    "history/path",
    "history/place",
    "history/store",
    "broker/url",
    "backend/url",
    "server/url",
    "server/options",
    "server/http",
    "server/redis/url",
    "tui/state",
    "tui/update",
    "tui/view",
    "tui/panes",
    "tui/popups",
    "tui/widgets",
    "tui/keymap",
    "tui/theme",
    "tui/message",
    "tui/effect",
    "tui/input",
];

/// Libraries and macros, and the only files and folders that may name them.
const RESERVED: &[(&str, &[&str])] = &[
    ("lapin::", &["broker/amqp"]),
    (
        "redis::",
        &["backend/redis", "broker/redis", "server/redis"],
    ),
    ("ureq::", &["broker/amqp/management"]),
    ("rusqlite::", &["history/store"]),
    (
        "crossterm::",
        &[
            "tui/terminal",
            "tui/runtime",
            "tui/keymap",
            "tui/clipboard",
            "tui/input",
            "config/keys",
        ],
    ),
    ("ratatui::", &["tui"]),
    ("clap::", &["cli", "lib", "tui/theme", "commands/usage"]),
    ("println!", &["commands/output"]),
    ("print!", &["commands/output"]),
    ("dbg!", &[]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("process::exit", &["tui/terminal/panic"]),
];

/// One source file without its test module.
struct Source {
    /// Below `src`, without `.rs`: `client/actor/calls`.
    name: String,
    /// Code without comments and texts.
    code: String,
    /// Lines of it.
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 50, "the source was not found");
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .expect("below src")
            .with_extension("")
            .display()
            .to_string();
        let text = fs::read_to_string(&path).expect("a source file");
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let code = code(&text[..end]);
        Source {
            name,
            lines: text[..end].lines().count(),
            code,
        }
    };
    let is_test = |source: &Source| {
        source.name.ends_with("tests")
            || source.name.ends_with("testing")
            || source.name.ends_with("arbitrary")
    };
    files
        .into_iter()
        .map(read)
        .filter(|source| !is_test(source))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Drops comments and what stands in quotes.
fn code(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of a string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string literal at the start, if there is one.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    Some(
        body.find(&end)
            .map_or(text.len(), |at| 1 + count + 1 + at + end.len()),
    )
}

/// The length of a character literal at the start; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(0, |at| {
            // `'\''`
            let at = if text[2..].starts_with('\'') {
                text[3..].find('\'').map_or(at, |next| next + 1)
            } else {
                at
            };
            at + 3
        }),
        Some(_) => match letters.next() {
            Some((index, '\'')) => index + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Every path behind `crate::`, groups spread out: `crate::{a::{B, c}, d}` names `a::B`, `a::c`, `d`.
fn named(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_own = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        if is_own {
            path(&code[at + "crate::".len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one path or group, and returns what follows it.
fn path<'a>(text: &'a str, before: &str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            if rest.is_empty() {
                return rest;
            }
            let next = path(rest, before, paths);
            // Whatever is no path (`*`, `as`) is stepped over.
            rest = if next.len() == rest.len() {
                &rest[rest.chars().next().map_or(0, char::len_utf8)..]
            } else {
                next
            };
        }
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let whole = if before.is_empty() {
        text[..end].to_owned()
    } else {
        format!("{before}::{}", &text[..end])
    };
    match text[end..].strip_prefix("::") {
        Some(rest) if end > 0 => path(rest, &whole, paths),
        _ => {
            if end > 0 {
                paths.push(whole);
            }
            &text[end..]
        }
    }
}

/// The room of a file; the screen has rooms of its own.
fn room(name: &str) -> String {
    let mut parts = name.split('/');
    match (parts.next(), parts.next()) {
        (Some("tui"), Some(part)) => format!("tui::{part}"),
        (room, _) => room.unwrap_or_default().to_owned(),
    }
}

fn is_below(path: &str, place: &str) -> bool {
    path == place
        || path
            .strip_prefix(place)
            .is_some_and(|rest| rest.starts_with("::") || rest.starts_with('/'))
}

#[test]
fn arrows_between_rooms_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !matches!(source.name.as_str(), "lib" | "main" | "connect"))
    {
        let room = room(&source.name);
        let house = room.split("::").next().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!(
                "{}: the room {room} is not on the map",
                source.name
            ));
            continue;
        };
        for path in named(&source.code) {
            let is_allowed = is_below(&path, house)
                || ["error", "clock", "text"]
                    .iter()
                    .any(|common| is_below(&path, common))
                || allowed.iter().any(|place| is_below(&path, place));
            if !is_allowed {
                wrong.push(format!("{} names crate::{path}", source.name));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_pure_parts_of_the_screen_know_nothing_of_its_machinery() {
    let pure = [
        "state", "update", "view", "panes", "popups", "widgets", "theme", "keymap",
    ];
    for source in sources() {
        if pure
            .iter()
            .any(|part| room(&source.name) == format!("tui::{part}"))
        {
            for path in named(&source.code) {
                let is_machinery = MACHINERY.iter().any(|part| is_below(&path, part));
                assert!(!is_machinery, "{} names crate::{path}", source.name);
            }
        }
    }
}

#[test]
fn what_everybody_may_use_uses_nobody() {
    for source in sources() {
        if ["text", "clock", "error"].contains(&room(&source.name).as_str()) {
            for path in named(&source.code) {
                assert!(
                    ["text", "clock", "error"]
                        .iter()
                        .any(|room| is_below(&path, room)),
                    "{} names {path}",
                    source.name
                );
            }
        }
    }
}

#[test]
fn libraries_that_talk_to_the_world_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, places) in RESERVED {
            let spoken = source.code.match_indices(word).any(|(at, _)| {
                // `crate::backend::redis::` is a room of ours, `eprintln!` another word.
                let before = &source.code[..at];
                !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && !before.ends_with("crate::backend::")
                    && !before.ends_with("crate::broker::")
                    && !before.ends_with("crate::server::")
            });
            let own = source.name == "backend" || source.name == "backend/url";
            if spoken
                && !(own && *word == "redis::")
                && !places.iter().any(|place| is_below(&source.name, place))
            {
                wrong.push(format!("{} names {word}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn pure_rooms_have_no_async() {
    for source in sources() {
        let is_pure = PURE.iter().any(|place| is_below(&source.name, place))
            && !source.name.ends_with("signals");
        let words = source
            .code
            .split(|c: char| !c.is_alphanumeric() && c != '_');
        if is_pure {
            for word in words {
                assert!(
                    !["async", "await", "tokio"].contains(&word),
                    "{} is pure and says {word}",
                    source.name
                );
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_500_lines_without_its_tests() {
    for source in sources() {
        assert!(
            source.lines <= 500,
            "{} has {} lines",
            source.name,
            source.lines
        );
    }
}

#[test]
fn every_file_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for source in sources() {
        let text = fs::read_to_string(root.join(&source.name).with_extension("rs"))
            .expect("a source file");
        assert!(
            text.starts_with("//! "),
            "{} begins without a word about itself",
            source.name
        );
    }
}

#[test]
fn the_reader_of_sources_sees_paths_and_no_texts() {
    let code = code(
        "use crate::{a::{B, c::D}, e};\n// crate::comment\nlet x = \"crate::text\"; let y = '\"'; let z = r#\"crate::raw\"#; f::<'a>(crate::g::h());",
    );
    assert_eq!(named(&code), ["a::B", "a::c::D", "e", "g::h"]);
    assert!(!code.contains("comment") && !code.contains("text") && !code.contains("raw"));
}
