//! The two lines of the form that say where the call goes: its queue, who reads it, how long its line is; what becomes of the result, and who
//! knows the task. Unknown is `?`, and why it is not known is said below. Decides nothing.

use ratatui::text::{Line, Span};

use super::view::Page;
use crate::call::preflight::{KeptBy, Preflight, QueueSource, Readers, Registered, Taker};
use crate::cluster::Kept;
use crate::text::human::count;
use crate::text::width::{cells, cut};
use crate::tui::panes::remote;
use crate::tui::theme::Role;

/// A part of a line; parts stand with a dot between them.
type Part = (Role, String);

impl Page<'_> {
    /// `queue default · 3 readers · 12 waiting` and `result kept · task on 2/2 readers`.
    pub(super) fn facts(&self) -> [Line<'static>; 2] {
        let (options, _) = self.options.options(self.scene.now.wall);
        let seen = &self.preflight;
        let way = match &options.exchange {
            Some(exchange) => through(exchange, options.routing_key.as_deref(), seen),
            None => to_queue(seen),
        };
        let after = [kept(seen), registered(&seen.registered)];
        [self.parts(way), self.parts(after)]
    }

    fn parts(&self, parts: impl IntoIterator<Item = Part>) -> Line<'static> {
        let dot = format!(" {} ", self.theme.glyphs().dot);
        let mut room = self.width;
        let mut spans: Vec<Span<'static>> = Vec::new();
        for (role, text) in parts {
            let lead = if spans.is_empty() { "" } else { dot.as_str() };
            let text = cut(&format!("{lead}{}", remote(&text)), room, self.ellipsis());
            room -= cells(&text).min(room);
            spans.push(self.theme.span(role, text));
        }
        Line::from(spans)
    }
}

/// To one queue, by what chose it.
fn to_queue(seen: &Preflight) -> Vec<Part> {
    let source = match seen.source {
        QueueSource::Celery | QueueSource::Default | QueueSource::User => None,
        source => Some((Role::Dim, source.to_string())),
    };
    let name = (Role::Dim, format!("queue {}", seen.queue));
    let line = seen.lines.iter().flat_map(line);
    std::iter::once(name).chain(line).chain(source).collect()
}

/// Through an exchange to the queues that are known to take it.
fn through(exchange: &str, key: Option<&str>, seen: &Preflight) -> Vec<Part> {
    let exchange = format!("exchange {exchange}");
    match seen.lines.as_slice() {
        [] => {
            let key = key.unwrap_or_default();
            let key = format!("{exchange}, key {key:?}");
            vec![
                (Role::Dim, key),
                (Role::Warn, "to which queue ?".to_owned()),
            ]
        }
        [one] => {
            let name = (Role::Dim, format!("{exchange} to {}", one.queue));
            std::iter::once(name).chain(line(one)).collect()
        }
        several => {
            let each = |taker: &Taker| {
                let parts = line(taker).into_iter().map(|(_, text)| text);
                let parts = parts.collect::<Vec<_>>().join(" ");
                let worst = line(taker).into_iter().map(|(role, _)| role);
                let role = worst.reduce(worse).unwrap_or(Role::Dim);
                (role, format!("{} {parts}", taker.queue))
            };
            let to = (Role::Warn, format!("{exchange} to {}", several.len()));
            // What nobody reads comes first: the end may be cut.
            let mut several: Vec<&Taker> = several.iter().collect();
            several.sort_by_key(|taker| taker.readers != Readers::Exactly(0));
            let to = std::iter::once(to);
            to.chain(several.into_iter().map(each)).collect()
        }
    }
}

fn worse(one: Role, other: Role) -> Role {
    if one == Role::Dim { other } else { one }
}

/// `3 readers` and `12 waiting`.
fn line(taker: &Taker) -> Vec<Part> {
    if taker.missing {
        return vec![(Role::Fail, "no such queue".to_owned())];
    }
    let readers = match taker.readers {
        Readers::Exactly(0) => (Role::Fail, "no reader".to_owned()),
        Readers::Exactly(1) => (Role::Dim, "1 reader".to_owned()),
        Readers::Exactly(many) => (Role::Dim, format!("{} readers", count(many))),
        Readers::AtLeast(known) => (Role::Dim, format!("{}+ readers", count(known))),
        Readers::Unknown => (Role::Warn, "readers ?".to_owned()),
    };
    let waiting = match taker.waiting {
        Some(waiting) => (Role::Dim, format!("{} waiting", count(waiting))),
        None => (Role::Warn, "waiting ?".to_owned()),
    };
    vec![readers, waiting]
}

/// Whether the result is kept, and what says so.
fn kept(seen: &Preflight) -> Part {
    let by = match &seen.kept_by {
        None => String::new(),
        Some(KeptBy::User) => " (named by you)".to_owned(),
        Some(KeptBy::Task) => " (the task's ignore_result)".to_owned(),
        Some(KeptBy::Setting) => " (task_ignore_result)".to_owned(),
        Some(KeptBy::NoBackend) => " (no result backend)".to_owned(),
        Some(KeptBy::Unreadable(scheme)) => format!(" in {scheme}, not readable"),
    };
    match seen.kept {
        Kept::Kept => (Role::Dim, format!("result kept{by}")),
        Kept::Ignored => (Role::Warn, format!("result not kept{by}")),
        Kept::Unknown => (Role::Dim, format!("result ?{by}")),
    }
}

/// `task on 2/3 readers, not on w2@stg-4, 1 unheard`.
fn registered(registered: &Registered) -> Part {
    let (on, of) = (registered.on, registered.of());
    let who = match (registered.among_readers, of) {
        (true, 1) => "reader",
        (true, _) => "readers",
        (false, 1) => "worker",
        (false, _) => "workers",
    };
    let unheard = match registered.unheard {
        0 => String::new(),
        unheard => format!(", {} unheard", count(unheard)),
    };
    let role = if unheard.is_empty() && on == of {
        Role::Dim
    } else {
        Role::Warn
    };
    let text = match (on, of) {
        (_, 0) => format!("registered ?{unheard}"),
        (on, of) if on == of || on == 0 => format!("task on {on}/{of} {who}{unheard}"),
        (on, of) => {
            let without = registered.missing_on();
            format!("task on {on}/{of} {who}, not on {without}{unheard}")
        }
    };
    (role, text)
}
