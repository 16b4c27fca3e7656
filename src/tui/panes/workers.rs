//! Workers: who answers, how busy each is, what it runs. What a worker did not tell is `?`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Ask, Scene, remote, table};
use crate::cluster::{Cluster, Worker, WorkerState};
use crate::protocol::NodeName;
use crate::protocol::control::HeldTask;
use crate::tui::keymap::Action;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Columns, Width};

/// The columns.
const COLUMNS: [Column; 6] = [
    Column::new("name", Width::Fill(12)),
    Column::new("state", Width::Fixed(6)),
    Column::new("slots", Width::Fixed(10)),
    Column::new("ping", Width::Fixed(6)).right(),
    Column::new("pool", Width::Fixed(8)).rank(1),
    Column::new("running", Width::Fill(12)).rank(2),
];
/// Cells of the bar of slots.
const BAR: usize = 4;
/// Running tasks that are told one by one.
const RUNNING: usize = 3;

/// What the pane remembers.
#[derive(Debug, Default)]
pub struct State(table::State<NodeName>);

/// Rows of the table in a pane of this height.
pub fn list_height(height: u16) -> usize {
    usize::from(table::rows(height, below_lines(height)))
}

/// Lines below the table: they leave at least half of the pane to it.
fn below_lines(height: u16) -> usize {
    usize::from(height / 2).min(9)
}

impl State {
    /// The worker under the cursor.
    pub fn selected(&self) -> Option<&NodeName> {
        self.0.picked.key()
    }

    /// The cluster changed: the cursor stays on its worker.
    pub fn refresh(&mut self, cluster: &Cluster, height: usize) -> Option<Ask> {
        let gone = self.0.refresh(&names(cluster), height)?;
        Some(Ask::say(format!(
            "worker {gone} is gone: nothing is selected now"
        )))
    }

    /// One action.
    pub fn update(&mut self, action: Action, cluster: &Cluster, height: usize) -> Option<Ask> {
        self.0
            .update(action, &names(cluster), height, "the worker's name")
    }
}

fn names(cluster: &Cluster) -> Vec<&NodeName> {
    let workers = cluster.workers_by_trouble();
    workers.into_iter().map(|worker| &worker.name).collect()
}

/// The role of a worker's state.
pub fn state_role(state: WorkerState) -> Role {
    match state {
        WorkerState::Ok => Role::Ok,
        WorkerState::Busy | WorkerState::Silent => Role::Warn,
    }
}

/// Its state in a word; a question mark after it where it may be gone.
pub fn state_word(worker: &Worker) -> String {
    let mark = if worker.in_doubt() { "?" } else { "" };
    format!("{}{mark}", worker.state())
}

/// `3/8`, `?` where it is not known.
pub fn slots(worker: &Worker) -> String {
    if worker.state() == WorkerState::Silent {
        return "?".to_owned();
    }
    match (worker.running(), worker.slots()) {
        (Some(running), Some(slots)) => format!("{running}/{slots}"),
        (Some(running), None) => format!("{running}/?"),
        (None, Some(slots)) => format!("?/{slots}"),
        (None, None) => "?".to_owned(),
    }
}

/// Draws the pane inside its frame.
pub fn view(state: &State, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) {
    let cluster = &scene.shared.cluster;
    let workers = cluster.workers_by_trouble();
    if workers.is_empty() {
        return table::empty(&nothing(scene), area, buf, scene);
    }
    let columns = Columns::fit(&COLUMNS, area.width);
    let mut below = below(state, &workers, area.width, scene);
    below.truncate(below_lines(area.height));
    let row = |index: usize| {
        workers
            .get(index)
            .map(|worker| cells(worker, scene))
            .into_iter()
            .flatten()
    };
    table::draw(
        &columns,
        (&state.0.picked, workers.len()),
        row,
        &below,
        (area, buf),
        scene,
    );
}

fn nothing(scene: &Scene<'_>) -> String {
    let cluster = &scene.shared.cluster;
    if let Some(reason) = &cluster.unreadable {
        return format!("? unreadable reply: {}", remote(reason));
    }
    let text = if !scene.shared.links.broker.is_up() {
        "The workers come with the broker."
    } else if cluster.surveyed {
        "No worker answered in 2s. Broker is up, so: none running, other vhost/db, or control is off (worker_enable_remote_control)."
    } else {
        "asking the workers..."
    };
    text.to_owned()
}

fn cells(worker: &Worker, scene: &Scene<'_>) -> [Cell; 6] {
    let theme = scene.theme();
    let old = scene.stale() || worker.in_doubt();
    let role = |role| if old { Role::Dim } else { role };
    let state = worker.state();
    let silent = state == WorkerState::Silent;
    let ping = match worker.band {
        _ if silent => ">2s".to_owned(),
        Some(band) => band.to_string(),
        None => "?".to_owned(),
    };
    let pool = worker.stats.as_ref().and_then(|stats| stats.pool.clone());
    [
        Cell::new(remote(worker.name.as_str()), role(Role::Fg), theme),
        Cell::new(state_word(worker), role(state_role(state)), theme),
        Cell::new(
            format!("{} {}", slots(worker), slot_bar(worker)),
            role(Role::Fg),
            theme,
        ),
        Cell::new(ping, role(Role::Fg), theme),
        Cell::new(
            pool.map_or_else(|| "?".to_owned(), |pool| remote(&pool)),
            role(Role::Dim),
            theme,
        ),
        Cell::new(running_names(worker), role(Role::Dim), theme),
    ]
}

/// `###-`; blank where it is not known.
fn slot_bar(worker: &Worker) -> String {
    let (Some(running), Some(slots @ 1..)) = (worker.running(), worker.slots()) else {
        return String::new();
    };
    if worker.state() == WorkerState::Silent {
        return String::new();
    }
    let cells = u64::try_from(BAR).unwrap_or(4);
    let full = (running.min(slots) * cells).div_ceil(slots);
    let full = usize::try_from(full).unwrap_or(BAR);
    format!("{}{}", "#".repeat(full), "-".repeat(BAR - full))
}

fn running_names(worker: &Worker) -> String {
    let tasks = worker.active.iter().flatten();
    let names: Vec<String> = tasks
        .map(|task| remote(super::last_part(task.name.as_str())))
        .collect();
    names.join(", ")
}

/// The selected worker, and why others are in trouble.
fn below(state: &State, workers: &[&Worker], width: u16, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let mut lines = vec![table::rule(width, scene)];
    let selected = workers
        .iter()
        .find(|worker| Some(&worker.name) == state.selected());
    if let Some(worker) = selected.filter(|_| !state.0.folded) {
        lines.extend(detail(worker, width, scene));
    }
    for worker in workers
        .iter()
        .filter(|worker| worker.state() == WorkerState::Silent || worker.in_doubt())
    {
        let name = remote(worker.name.as_str());
        let heard = scene.shared.clock(worker.heard_at);
        let text = format!("{name}  {}, heard last at {heard}", worker.evidence());
        lines.extend(table::sentence(Role::Warn, &text, width, 2, scene));
    }
    if let Some(unheard) =
        super::missing(&scene.shared.cluster).filter(|text| text.ends_with("unheard"))
    {
        let text = format!("{unheard}: the broker counts more consumers than workers answered");
        lines.extend(table::sentence(Role::Warn, &text, width, 2, scene));
    }
    if let Some(reason) = &scene.shared.cluster.unreadable {
        let text = format!("? unreadable reply: {}", remote(reason));
        lines.extend(table::sentence(Role::Warn, &text, width, 2, scene));
    }
    lines
}

fn detail(worker: &Worker, width: u16, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let version = worker
        .report
        .as_ref()
        .and_then(|report| report.celery.as_ref());
    let version = version.map(|version| format!("celery {version}"));
    let queues = worker.queues.as_ref().map(|queues| {
        let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
        format!("queues {}", names.join(", "))
    });
    let pid = worker
        .stats
        .as_ref()
        .and_then(|stats| stats.pid)
        .map(|pid| format!("pid {pid}"));
    let facts = [Some(worker.name.to_string()), version, queues, pid];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    let mut lines = table::sentence(Role::Fg, &remote(&facts.join("   ")), width, 2, scene);
    let tasks: Vec<&HeldTask> = worker.active.iter().flatten().collect();
    for task in tasks.iter().take(RUNNING) {
        lines.extend(table::sentence(
            Role::Fg,
            &running(task, scene),
            width,
            1,
            scene,
        ));
    }
    if tasks.len() > RUNNING {
        let text = format!("running  and {} more", tasks.len() - RUNNING);
        lines.extend(table::sentence(Role::Dim, &text, width, 1, scene));
    }
    if let Some(held) = worker
        .reserved
        .as_ref()
        .map(Vec::len)
        .filter(|held| *held > 0)
    {
        let text = format!("held     {held} more prefetched (not in the queue's depth)");
        lines.extend(table::sentence(Role::Dim, &text, width, 1, scene));
    }
    lines
}

/// `running  reports.daily  c1 77ab10  since 12:04:17`.
fn running(task: &HeldTask, scene: &Scene<'_>) -> String {
    let since = task.started.and_then(|unix| scene.shared.unix_clock(unix));
    let since = since
        .map(|since| format!("  since {since}"))
        .unwrap_or_default();
    let text = format!("running  {}  {}{since}", task.name, task.id.short());
    remote(&text)
}
