//! What differs between two calls, in lines for a person: what is the same in one line, then part by part. Pure.

use crate::clock::Timestamp;
use crate::history::Sameness;
use crate::history::compare::{Comparison, Part, Side};
use crate::tui::panes::{remote, role};
use crate::tui::state::Shared;
use crate::tui::theme::Role;
use crate::tui::widgets::TextLine;

/// The lines.
pub fn lines(comparison: &Comparison, shared: &Shared, now: Timestamp) -> Vec<TextLine> {
    let (before, after) = (&comparison.before, &comparison.after);
    let mut lines = vec![
        side("before", before, shared, now),
        side("after ", after, shared, now),
        TextLine::default(),
        line(mark(comparison.sameness()), sentence(comparison)),
    ];
    let (same, other): (Vec<&Part>, Vec<&Part>) = comparison
        .parts
        .iter()
        .partition(|part| part.sameness == Sameness::Same);
    for part in other {
        lines.push(TextLine::default());
        lines.push(line(mark(part.sameness), heading(part)));
        let told = part.lines.iter();
        lines.extend(told.map(|text| line(Role::Fg, format!("  {}", remote(text)))));
    }
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|part| part.name).collect();
        lines.push(TextLine::default());
        lines.push(line(Role::Ok, format!("the same: {}", names.join(", "))));
    }
    if !comparison.around.is_empty() {
        lines.push(TextLine::default());
        lines.push(line(Role::Dim, "where and how long".to_owned()));
    }
    for (name, old, new) in &comparison.around {
        let text = match (old, new) {
            (Some(old), Some(new)) if old == new => old.clone(),
            (old, new) => {
                let [old, new] = [old, new].map(|text| text.as_deref().unwrap_or("?"));
                format!("{old} -> {new}")
            }
        };
        lines.push(line(Role::Dim, format!("  {name}: {}", remote(&text))));
    }
    lines
}

/// The lines as text, to be copied.
pub fn text(lines: &[TextLine]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    lines.join("\n")
}

fn line(role: Role, text: String) -> TextLine {
    TextLine { text, role }
}

/// `before  12:04:31  OK  shop.orders.refund  c7 a31f09`.
fn side(word: &str, side: &Side, shared: &Shared, now: Timestamp) -> TextLine {
    let at = shared.when(side.created, now);
    let (task, state) = (remote(side.task.as_str()), side.state.word());
    let text = format!(
        "{word}  {at}  {state}  {task}  {}",
        remote(&side.id.short())
    );
    line(role(side.state), text)
}

fn mark(sameness: Sameness) -> Role {
    match sameness {
        Sameness::Same => Role::Ok,
        Sameness::Different => Role::Accent,
        Sameness::Unknown => Role::Warn,
    }
}

fn sentence(comparison: &Comparison) -> String {
    let named = |sameness| {
        let parts = comparison.parts.iter();
        let parts = parts.filter(|part| part.sameness == sameness);
        parts.map(|part| part.name).collect::<Vec<_>>().join(", ")
    };
    match comparison.sameness() {
        Sameness::Same => "Both calls are the same.".to_owned(),
        Sameness::Different => format!("They differ: {}.", named(Sameness::Different)),
        Sameness::Unknown => format!(
            "No difference is known; not all is known of: {}.",
            named(Sameness::Unknown)
        ),
    }
}

fn heading(part: &Part) -> String {
    let name = part.name;
    match part.sameness {
        Sameness::Unknown => format!("{name}: not known whether they are the same"),
        Sameness::Same | Sameness::Different => format!("{name}: before -> after"),
    }
}
