//! The top of the screen: the header with both links, the strips of queues and workers, the banner of a lost link.

use std::collections::BTreeSet;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::backend::Results;
use crate::client::LinkName;
use crate::clock::Now;
use crate::cluster::{Queue, QueueTrouble, Worker, WorkerState};
use crate::text::human::{duration, short_count};
use crate::text::width::{cells, cut, pad};
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::{key, missing, queues, remote, workers};
use crate::tui::state::links::{Link, Word};
use crate::tui::state::{Shared, State};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::spinner;

/// Below this width the banner says what matters first, and nothing else.
const NARROW_BANNER: usize = 60;
/// Cells of a sparkline in the strip.
const SPARK: usize = 5;

/// ` amqp://localhost:5672/  broker up  results redis up  workers 2`.
pub fn header(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    let shared = &state.shared;
    let theme = shared.theme;
    let name = if shared.target.demo {
        "demo".to_owned()
    } else {
        remote(&shared.target.broker)
    };
    let role = if shared.target.demo {
        Role::EnvDev
    } else {
        Role::Accent
    };
    let mut facts = vec![
        Span::raw("  broker "),
        word(shared.links.broker.word(), theme),
    ];
    facts.extend(results(shared, theme));
    facts.extend(worker_count(shared, theme));
    // Where room is short the address gives way to what is known of it.
    let room = usize::from(area.width).saturating_sub(wide(&facts) + 2);
    let name = cut(&name, room.max(8), theme.glyphs().ellipsis);
    let mut spans = vec![Span::raw(" "), theme.span(role, name)];
    spans.extend(facts);
    let mut line = fit(Line::from(spans), usize::from(area.width), theme);
    line.spans.extend(running(state, area.width, &line, now));
    buf.set_line(area.x, area.y, &line, area.width);
}

fn word(word: Word, theme: Theme) -> Span<'static> {
    let role = match word {
        Word::Up => Role::Ok,
        Word::Slow => Role::Warn,
        Word::Connecting => Role::Run,
        Word::Blocked | Word::Down => Role::Fail,
    };
    theme.span(role, word.text())
}

fn results(shared: &Shared, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw("  results ")];
    if shared.results_trouble.is_some() {
        spans.push(theme.span(Role::Fail, "UNUSABLE"));
        return spans;
    }
    match &shared.results {
        Results::Rpc => {
            spans.push(Span::raw("rpc "));
            spans.push(word(shared.links.broker.word(), theme));
        }
        Results::Stored(backend) => {
            let address = backend.address();
            let scheme = address.split("://").next().unwrap_or_default();
            spans.push(Span::raw(format!("{} ", remote(scheme))));
            let link = shared
                .links
                .backend
                .as_ref()
                .map_or(Word::Connecting, Link::word);
            spans.push(word(link, theme));
        }
        Results::Unreadable(scheme) => {
            spans.push(theme.span(Role::Warn, format!("{} not readable", remote(scheme))));
        }
        Results::Disabled => spans.push(theme.span(Role::Dim, "off")),
        Results::Unknown => spans.push(theme.span(Role::Dim, "?")),
    }
    spans
}

fn worker_count(shared: &Shared, theme: Theme) -> Vec<Span<'static>> {
    let cluster = &shared.cluster;
    let mut spans = vec![Span::raw("  workers ")];
    if !shared.links.broker.is_up() || (cluster.workers.is_empty() && !cluster.surveyed) {
        spans.push(theme.span(Role::Dim, "?"));
        return spans;
    }
    let answering = cluster.answering().count();
    let role = if answering == 0 { Role::Fail } else { Role::Fg };
    spans.push(theme.span(role, answering.to_string()));
    if let Some(missing) = missing(cluster) {
        spans.push(theme.span(Role::Warn, format!(", {missing}")));
    }
    spans
}

/// `⠙ 2 running` at the right end, if there is room.
fn running(state: &State, width: u16, line: &Line<'_>, now: Now) -> Vec<Span<'static>> {
    let shared = &state.shared;
    let count = shared.calls.waiting().count();
    if count == 0 {
        return Vec::new();
    }
    let elapsed = now.mono.since(shared.started.mono);
    let text = format!("{} {count} running ", spinner(elapsed, shared.theme));
    let used = line.width() + cells(&text);
    let Some(gap) = usize::from(width).checked_sub(used).filter(|gap| *gap > 1) else {
        return Vec::new();
    };
    vec![
        Span::raw(" ".repeat(gap)),
        shared.theme.span(Role::Run, text),
    ]
}

/// The two strips, or the banner in their place while a link is lost.
pub fn strips(state: &State, area: Rect, buf: &mut Buffer, now: Now) {
    if area.height == 0 || banner(state, area, buf, now) {
        return;
    }
    let shared = &state.shared;
    let width = usize::from(area.width);
    let queues = strip(" Q  ", queue_items(shared), width, shared.theme);
    buf.set_line(area.x, area.y, &queues, area.width);
    if area.height > 1 {
        let workers = strip(" W  ", worker_items(shared), width, shared.theme);
        buf.set_line(area.x, area.y + 1, &workers, area.width);
    }
}

type Item = Vec<Span<'static>>;

fn wide(item: &[Span<'_>]) -> usize {
    item.iter().map(|span| cells(&span.content)).sum()
}

/// Items two blanks apart, as many as fit; how many more there are is told.
fn strip(lead: &str, items: Vec<Item>, width: usize, theme: Theme) -> Line<'static> {
    let mut spans = vec![theme.span(Role::Dim, lead.to_owned())];
    let mut used = cells(lead);
    let count = items.len();
    for (place, item) in items.into_iter().enumerate() {
        let left = count - place;
        let more = if left > 1 {
            2 + cells(&format!("+{}", left - 1))
        } else {
            0
        };
        let item_wide = wide(&item);
        if used + item_wide + more > width && place > 0 {
            spans.push(theme.span(Role::Dim, format!("+{left}")));
            break;
        }
        used += item_wide + 2;
        spans.extend(item);
        spans.push(Span::raw("  "));
    }
    fit(Line::from(spans), width, theme)
}

/// A line of at most `width` cells.
fn fit(line: Line<'static>, width: usize, theme: Theme) -> Line<'static> {
    let mut left = width;
    let mut spans = Vec::new();
    for span in line.spans {
        let text = cut(&span.content, left, theme.glyphs().ellipsis);
        left -= cells(&text);
        spans.push(Span::styled(text, span.style));
    }
    Line::from(spans)
}

fn queue_items(shared: &Shared) -> Vec<Item> {
    let cluster = &shared.cluster;
    let theme = shared.theme;
    let queues = cluster.queues_by_trouble();
    if queues.is_empty() {
        let text = if cluster.surveyed {
            "no queue is bound yet"
        } else {
            "asking broker..."
        };
        let text = if shared.links.broker.is_up() {
            text
        } else {
            "not known before the broker is up"
        };
        return vec![vec![theme.span(Role::Dim, text)]];
    }
    queues
        .into_iter()
        .map(|queue| queue_item(queue, theme))
        .collect()
}

/// `reports 3.4k ▃▅▆▇█ +210/s!`.
fn queue_item(queue: &Queue, theme: Theme) -> Item {
    let ready = queue.ready.map_or_else(|| "?".to_owned(), short_count);
    let role = queues::trouble_role(queue);
    let mut item = vec![
        Span::raw(format!("{} ", remote(queue.name.as_str()))),
        theme.span(role, ready),
    ];
    if queue.recent(1).next().is_some() {
        let text = format!(" {}", queues::line(queue, SPARK, theme));
        item.push(theme.span(Role::Run, text));
    }
    if queue.trouble() != QueueTrouble::Fine || queue.missing {
        let word = queues::trouble_word(queue).unwrap_or_default();
        let word = word.trim_start_matches("growing ");
        item.push(theme.span(role, format!(" {word}!")));
    }
    item
}

fn worker_items(shared: &Shared) -> Vec<Item> {
    let cluster = &shared.cluster;
    let theme = shared.theme;
    let workers = cluster.workers_by_trouble();
    if workers.is_empty() {
        let text = if cluster.surveyed {
            "no worker answered"
        } else {
            "asking the workers..."
        };
        let text = if shared.links.broker.is_up() {
            text
        } else {
            "not known before the broker is up"
        };
        return vec![vec![theme.span(Role::Dim, text)]];
    }
    if workers.len() > 8 {
        return vec![summary(&workers, theme)];
    }
    let names = short_names(&workers);
    let items = workers.into_iter().zip(names);
    items
        .map(|(worker, name)| worker_item(worker, &name, theme))
        .collect()
}

/// `w3 BUSY 8/8`; dimmed while it may be gone.
fn worker_item(worker: &Worker, name: &str, theme: Theme) -> Item {
    let state = worker.state();
    let role = |role| {
        if worker.in_doubt() { Role::Dim } else { role }
    };
    let mut item = vec![
        theme.span(role(Role::Fg), format!("{name} ")),
        theme.span(
            role(workers::state_role(state)),
            workers::state_word(worker),
        ),
    ];
    if state != WorkerState::Silent {
        let slots = format!(" {}", workers::slots(worker));
        item.push(theme.span(role(Role::Fg), slots));
    }
    item
}

/// `24: OK 19  BUSY 3  SILENT 2 (w17)   slots 118/192`. Those that may be gone are counted apart.
fn summary(workers: &[&Worker], theme: Theme) -> Item {
    let mut item = vec![Span::raw(format!("{}:", workers.len()))];
    for state in [WorkerState::Ok, WorkerState::Busy, WorkerState::Silent] {
        let those = |worker: &Worker| worker.state() == state && !worker.in_doubt();
        let named = state == WorkerState::Silent;
        let text = counted(&state.to_string(), workers, those, named);
        item.extend(text.map(|text| theme.span(workers::state_role(state), text)));
    }
    let doubted = counted("?", workers, Worker::in_doubt, true);
    item.extend(doubted.map(|text| theme.span(Role::Dim, text)));
    let sum = |of: fn(&Worker) -> Option<u64>| {
        workers.iter().filter_map(|worker| of(worker)).sum::<u64>()
    };
    let (running, slots) = (sum(Worker::running), sum(Worker::slots));
    item.push(Span::raw(format!("  slots {running}/{slots}")));
    item
}

/// ` SILENT 2 (w17) `: how many there are of `those`, and the first one if it is to be `named`; `None` if there is none.
fn counted(
    word: &str,
    workers: &[&Worker],
    those: impl Fn(&Worker) -> bool,
    named: bool,
) -> Option<String> {
    let mut those = workers.iter().filter(|worker| those(worker));
    let count = those.clone().count();
    let first = remote(those.next()?.name.as_str());
    let named = if named {
        format!(" ({first})")
    } else {
        String::new()
    };
    Some(format!(" {word} {count}{named} "))
}

/// The part of each name that tells it from the others: before the `@`, or behind it.
fn short_names(workers: &[&Worker]) -> Vec<String> {
    let names: Vec<&str> = workers.iter().map(|worker| worker.name.as_str()).collect();
    let before = |name: &&str| name.split('@').next().unwrap_or_default().to_owned();
    let behind = |name: &&str| {
        name.split_once('@')
            .map_or(*name, |(_, host)| host)
            .to_owned()
    };
    let distinct = |part: &dyn Fn(&&str) -> String| {
        let parts: BTreeSet<String> = names.iter().map(part).collect();
        parts.len() == names.len()
    };
    let short: Vec<String> = if distinct(&before) {
        names.iter().map(before).collect()
    } else if distinct(&behind) {
        names.iter().map(behind).collect()
    } else {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    short.iter().map(|name| remote(name)).collect()
}

/// The banner of the link that is lost, in the first two rows of `area`. False if none is.
pub fn banner(state: &State, area: Rect, buf: &mut Buffer, now: Now) -> bool {
    let Some((name, link)) = state.shared.links.banner(now) else {
        return false;
    };
    let Some(down) = &link.down else {
        return false;
    };
    let theme = state.shared.theme;
    let width = usize::from(area.width);
    let who = match name {
        LinkName::Broker => "BROKER",
        LinkName::Backend => "RESULTS",
    };
    let ago = whole_seconds(now.mono.since(down.since.mono));
    let lost = if link.was_up {
        format!("!! {who} LOST {ago} ago")
    } else {
        format!("!! {who} NOT REACHED for {ago}")
    };
    // Where room is short the address goes first: it stands in the header already.
    let message = &down.reason.message;
    let about = message
        .find(": ")
        .filter(|end| message[..*end].contains("://"));
    let short = about.map_or(message.as_str(), |end| &message[end + 2..]);
    let fits = cells(&lost) + cells(&remote(message)) + 3 <= width;
    let reason = remote(if fits { message } else { short });
    let tries = tries(link, now);
    let rows = if width < NARROW_BANNER {
        [
            format!(" {lost}, {}", tries.replace(" retries", "")),
            format!(" {reason}"),
        ]
    } else {
        let then = consequence(state, name);
        [format!(" {lost}  {reason}"), format!("    {tries}.{then}")]
    };
    for (y, text) in (area.y..area.bottom()).zip(rows) {
        let text = pad(&text, width, theme.glyphs().ellipsis);
        buf.set_stringn(area.x, y, &text, width, theme.style(Role::Fail));
    }
    true
}

/// `14s`, `9m12s`: what counts up by itself shows no fractions.
fn whole_seconds(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

/// `try 4 in 6s, r retries now`.
fn tries(link: &Link, now: Now) -> String {
    let retries = key(Context::Tasks, Action::Refresh);
    match link.next_try() {
        Some((at, attempt)) => {
            let left = at.mono.since(now.mono).as_millis().div_ceil(1000);
            format!("try {attempt} in {left}s, {retries} retries now")
        }
        None => "connecting".to_owned(),
    }
}

/// ` All below is as of 12:04:17.`
fn consequence(state: &State, name: LinkName) -> String {
    let cluster = &state.shared.cluster;
    match name {
        LinkName::Backend => " Results cannot be read; nothing is sent.".to_owned(),
        LinkName::Broker if cluster.workers.is_empty() => String::new(),
        LinkName::Broker => {
            let at = cluster.heard_at.map(|at| state.shared.clock(at));
            format!(
                " All below is as of {}.",
                at.unwrap_or_else(|| "?".to_owned())
            )
        }
    }
}
