//! Queues: how full each is, who reads it, and whether that is trouble, in words. What the broker does not tell is `?`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Ask, Scene, remote, table};
use crate::cluster::{Cluster, Queue, QueueTrouble};
use crate::protocol::QueueName;
use crate::text::human::count;
use crate::tui::keymap::Action;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::{Cell, Column, Columns, Width, spark};

/// Cells of the sparkline.
const SPARK: u16 = 12;
/// The columns.
const COLUMNS: [Column; 6] = [
    Column::new("queue", Width::Fill(10)),
    Column::new("ready", Width::Fixed(7)).right(),
    Column::new("held", Width::Fixed(6)).right().rank(2),
    Column::new("consumers", Width::Fixed(9)).right(),
    Column::new("last looks", Width::Fixed(SPARK)),
    Column::new("trouble", Width::Fixed(18)).rank(1),
];
/// Samples that the peak is taken of.
const WINDOW: usize = 300;

/// What the pane remembers.
#[derive(Debug, Default)]
pub struct State(table::State<QueueName>);

/// Rows of the table in a pane of this height.
pub fn list_height(height: u16) -> usize {
    usize::from(table::rows(height, below_lines(height)))
}

/// Lines below the table: they leave at least half of the pane to it.
fn below_lines(height: u16) -> usize {
    usize::from(height / 2).min(7)
}

impl State {
    /// The queue under the cursor.
    pub fn selected(&self) -> Option<&QueueName> {
        self.0.picked.key()
    }

    /// The cluster changed: the cursor stays on its queue.
    pub fn refresh(&mut self, cluster: &Cluster, height: usize) -> Option<Ask> {
        let gone = self.0.refresh(&names(cluster), height)?;
        Some(Ask::say(format!(
            "queue {gone} is gone: nothing is selected now"
        )))
    }

    /// One action.
    pub fn update(&mut self, action: Action, cluster: &Cluster, height: usize) -> Option<Ask> {
        self.0
            .update(action, &names(cluster), height, "the queue's name")
    }
}

fn names(cluster: &Cluster) -> Vec<&QueueName> {
    let queues = cluster.queues_by_trouble();
    queues.into_iter().map(|queue| &queue.name).collect()
}

/// The role of a queue's trouble.
pub fn trouble_role(queue: &Queue) -> Role {
    match queue.trouble() {
        QueueTrouble::NoConsumer | QueueTrouble::Stuck => Role::Fail,
        QueueTrouble::Growing => Role::Warn,
        QueueTrouble::Fine if queue.missing => Role::Fail,
        QueueTrouble::Fine => Role::Fg,
    }
}

/// The depth over the last looks. A depth that did not move is a flat line of the full width from the first look on, so that a quiet screen stays as it is.
pub fn line(queue: &Queue, width: usize, theme: Theme) -> String {
    let recent: Vec<u64> = queue.recent(width).collect();
    match recent.first() {
        Some(first) if recent.iter().all(|sample| sample == first) => {
            spark(std::iter::repeat_n(*first, width), width, theme)
        }
        _ => spark(recent, width, theme),
    }
}

/// What is wrong, in a word or two.
pub fn trouble_word(queue: &Queue) -> Option<String> {
    Some(match queue.trouble() {
        QueueTrouble::NoConsumer => "no consumer".to_owned(),
        QueueTrouble::Stuck => "stuck".to_owned(),
        QueueTrouble::Growing => growth(queue),
        QueueTrouble::Fine if queue.missing => "missing".to_owned(),
        QueueTrouble::Fine => return None,
    })
}

fn growth(queue: &Queue) -> String {
    match queue.growth_per_s() {
        Some(rate) if rate >= 1.0 => format!("growing +{rate:.0}/s"),
        _ => "growing".to_owned(),
    }
}

/// What is wrong, in a sentence.
fn reason(queue: &Queue) -> Option<String> {
    let name = remote(queue.name.as_str());
    let waiting = match queue.ready {
        Some(0) => "nothing waits".to_owned(),
        Some(ready) => format!("{} waiting", count(ready)),
        None => "depth unknown".to_owned(),
    };
    Some(match queue.trouble() {
        QueueTrouble::NoConsumer => format!("{name}: {waiting} and nobody reads it"),
        QueueTrouble::Stuck => format!("{name}: {waiting} and none was taken for 30s"),
        QueueTrouble::Growing => format!("{name}: {waiting}, {}", growth(queue)),
        QueueTrouble::Fine => {
            let why = queue.unknown_because.as_ref()?;
            format!("{name}: {}", remote(why))
        }
    })
}

/// Draws the pane inside its frame.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let cluster = &scene.shared.cluster;
    let queues = cluster.queues_by_trouble();
    if queues.is_empty() {
        return table::empty(nothing(scene), area, buf, scene);
    }
    let held = queues
        .iter()
        .any(|queue| queue.held.of_queue().or(queue.held.of_all()).is_some());
    let columns = Columns::fit(&shown_columns(held), area.width);
    let mut below = below(state, &queues, area.width, scene);
    below.truncate(below_lines(area.height));
    let row = |index: usize| {
        let cells = queues.get(index).map(|queue| cells(queue, scene));
        let cells = cells.into_iter().flatten().enumerate();
        cells
            .filter(move |(place, _)| held || *place != 2)
            .map(|(_, cell)| cell)
    };
    table::draw(
        &columns,
        (&state.0.picked, queues.len()),
        row,
        &below,
        (area, buf),
        scene,
    );
}

/// The columns; `held` only where a broker tells it.
fn shown_columns(held: bool) -> Vec<Column> {
    let columns = COLUMNS.into_iter();
    columns
        .filter(|column| held || column.title != "held")
        .collect()
}

fn nothing(scene: &Scene<'_>) -> &'static str {
    if !scene.shared.links.broker.is_up() {
        "The queues come with the broker."
    } else if scene.shared.cluster.surveyed {
        "No queue is bound yet. Workers create them when they start."
    } else {
        "asking broker..."
    }
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "?".to_owned(), count)
}

fn cells(queue: &Queue, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let role = |role| if scene.stale() { Role::Dim } else { role };
    let trouble = trouble_role(queue);
    [
        Cell::new(remote(queue.name.as_str()), role(Role::Fg), theme),
        Cell::new(number(queue.ready), role(trouble), theme),
        Cell::new(number(queue.held.of_queue()), role(Role::Fg), theme),
        Cell::new(number(queue.consumers), role(trouble), theme),
        Cell::new(
            line(queue, usize::from(SPARK), theme),
            role(Role::Run),
            theme,
        ),
        Cell::new(
            trouble_word(queue).unwrap_or_default(),
            role(trouble),
            theme,
        ),
    ]
}

/// The reasons of trouble, and the selected queue.
fn below(state: &State, queues: &[&Queue], width: u16, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let mut lines = vec![table::rule(width, scene)];
    let selected = queues
        .iter()
        .find(|queue| Some(&queue.name) == state.selected());
    if let Some(queue) = selected.filter(|_| !state.0.folded) {
        lines.extend(detail(queue, width, scene));
    }
    if let Some(held) = queues.iter().find_map(|queue| queue.held.of_all()) {
        let text = format!(
            "{} messages held over all queues, too many to tell by queue",
            count(held)
        );
        lines.extend(table::sentence(Role::Dim, &text, width, 2, scene));
    }
    for queue in queues {
        if let Some(reason) = reason(queue) {
            lines.extend(table::sentence(
                trouble_role(queue),
                &reason,
                width,
                2,
                scene,
            ));
        }
    }
    lines
}

fn detail(queue: &Queue, width: u16, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let readers = scene.shared.cluster.readers(&queue.name);
    let readers: Vec<&str> = readers
        .iter()
        .map(crate::protocol::NodeName::as_str)
        .collect();
    let readers = match readers.as_slice() {
        [] => "no worker that answered".to_owned(),
        names => names.join(", "),
    };
    let peak = queue.recent(WINDOW).max();
    let held = queue.held.of_queue();
    let held = held.map_or_else(String::new, |held| format!("   held {}", count(held)));
    let text = format!(
        "{}   ready {}{held}   peak {}   read by {readers}",
        queue.name,
        number(queue.ready),
        number(peak)
    );
    table::sentence(Role::Fg, &remote(&text), width, 2, scene)
}
