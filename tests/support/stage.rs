//! A stage for the screen: a state in a made-up cluster, driven by keys and events at a time of its own. Reads no clock and no network.
#![allow(dead_code, reason = "each test target uses its own part of the stage")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::mpsc;
use umbel::backend::{self, Backend, Results};
use umbel::broker::{Depth, Held, Reach};
use umbel::call::Fact;
use umbel::client::{Event, LinkName, LinkState};
use umbel::clock::Now;
use umbel::cluster::{Answer, Heard, Question};
use umbel::error::{Error, Kind};
use umbel::protocol::control::{Conf, ConsumedQueue, HeldTask, Report, Stats};
use umbel::protocol::json::Limits;
use umbel::protocol::result::{Exception, State as TaskState};
use umbel::protocol::{Json, NodeName, QueueName, TaskId, TaskName, TaskResult};
use umbel::tui::effect::Effect;
use umbel::tui::input::Input;
use umbel::tui::message::Message;
use umbel::tui::runtime::testing::text_of;
use umbel::tui::state::{Ids, State};
use umbel::tui::theme::{Look, Theme};
use umbel::tui::{Setup, Target, update, view};

/// A result backend that is only a name.
struct Named;

#[async_trait]
impl Backend for Named {
    async fn connect(
        &self,
        _: mpsc::Sender<backend::Incoming>,
    ) -> Result<Arc<dyn backend::Link>, Error> {
        Err(Error::new(Kind::Internal, "only a name"))
    }

    fn address(&self) -> String {
        "redis://localhost:6379/0".to_owned()
    }
}

/// A state, the time, and what the state asked for.
pub struct Stage {
    pub state: State,
    pub now: Now,
    pub effects: Vec<Effect>,
    pub redrawn: bool,
}

/// One worker of the made-up cluster.
pub struct Cast {
    pub name: &'static str,
    pub slots: u64,
    pub queues: &'static [&'static str],
    pub tasks: &'static [&'static str],
    pub running: &'static [(&'static str, &'static str)],
}

const SHOP: &[&str] = &[
    "shop.mail.send_receipt",
    "shop.orders.refund",
    "shop.orders.refund_bulk",
    "shop.payments.capture",
    "shop.reports.客戶月報",
];

pub const CAST: [Cast; 3] = [
    Cast {
        name: "w1@stg-1",
        slots: 8,
        queues: &["default"],
        tasks: SHOP,
        running: &[],
    },
    Cast {
        name: "w2@stg-4",
        slots: 2,
        queues: &["default", "reports"],
        tasks: &[
            "shop.mail.send_receipt",
            "shop.orders.refund",
            "shop.reports.客戶月報",
        ],
        running: &[
            ("shop.reports.客戶月報", "c177ab10-0000"),
            ("shop.orders.refund", "0fb81210-0000"),
        ],
    },
    Cast {
        name: "w3@stg-9",
        slots: 1,
        queues: &["default"],
        tasks: SHOP,
        running: &[],
    },
];

impl Stage {
    /// A screen that has just started, of this size.
    pub fn new(width: u16, height: u16) -> Self {
        let setup = Setup {
            connection: None,
            target: Target {
                broker: "amqp://localhost:5672/".to_owned(),
                demo: false,
            },
            timeout: Duration::from_secs(10),
            look: Look::default(),
        };
        let now = Now::fixed(Duration::from_secs(1_795_349_071));
        let mut state = State::new(&setup, now);
        state.shared.connected = true;
        state.shared.zone = TimeZone::UTC;
        state.ids = Ids::Counted(0xc7a3_1f08);
        let mut new = Self {
            state,
            now,
            effects: Vec::new(),
            redrawn: false,
        };
        new.tell(Message::Input(Input::Resize { width, height }));
        new
    }

    /// The same screen without a broker.
    pub fn without_broker(mut self) -> Self {
        self.state.shared.connected = false;
        self
    }

    /// Drawn with this look.
    pub fn look(mut self, look: Look) -> Self {
        self.state.shared.theme = Theme::new(look);
        self
    }

    /// Both links up, results on redis.
    pub fn up(mut self) -> Self {
        self.event(Event::Link(
            LinkName::Broker,
            LinkState::Up {
                latency: Some(Duration::from_millis(4)),
            },
        ));
        self.event(Event::Results(Results::Stored(Arc::new(Named))));
        self.event(Event::Link(
            LinkName::Backend,
            LinkState::Up { latency: None },
        ));
        self
    }

    /// Both links up, and a surveyed cluster: w2 is BUSY, w3 fell SILENT.
    pub fn shop(self) -> Self {
        let mut stage = self.up();
        stage.heard(Heard::Asked {
            question: Question::Registered,
            reach: Reach::Somebody,
        });
        for cast in &CAST {
            stage.worker(cast);
        }
        for (queue, ready, consumers) in [("default", 12, 3), ("reports", 0, 1), ("legacy", 4, 0)] {
            stage.depth(queue, ready, consumers);
        }
        stage.heard(Heard::Surveyed);
        stage.ping_all_but("w3@stg-9");
        for round in 1..=12 {
            stage.pass(Duration::from_secs(1));
            stage.depth("default", 12 + round % 3, 3);
            stage.depth("reports", round * 210, 1);
            stage.depth("legacy", 4, 0);
        }
        stage
    }

    /// All answers of one worker.
    pub fn worker(&mut self, cast: &Cast) {
        let queues = cast.queues.iter().map(|name| ConsumedQueue {
            name: QueueName::from(*name),
            exchange: (*name).to_owned(),
            routing_key: (*name).to_owned(),
            ..ConsumedQueue::default()
        });
        let running = cast.running.iter().map(|(name, id)| HeldTask {
            id: TaskId::from(*id),
            name: TaskName::from(*name),
            started: Some(1_795_349_013.0),
            acknowledged: true,
            pid: Some(4120),
            redelivered: false,
        });
        let builtins = ["celery.backend_cleanup", "celery.chord"];
        let tasks = cast.tasks.iter().chain(&builtins);
        let names: Vec<TaskName> = tasks.map(|name| TaskName::from(*name)).collect();
        let kept = names.iter().map(|name| (name.clone(), "False".to_owned()));
        let answers = [
            Answer::Pong,
            Answer::Item {
                item: "ignore_result".to_owned(),
                values: kept.collect(),
            },
            Answer::Tasks(names),
            Answer::Queues(queues.collect()),
            Answer::Stats(Stats {
                pool: Some(if cast.slots == 1 { "solo" } else { "prefork" }.to_owned()),
                slots: Some(cast.slots),
                pid: Some(4102),
                ..Stats::default()
            }),
            Answer::Active(running.collect()),
            Answer::Reserved(Vec::new()),
            Answer::Conf(Box::new(Conf {
                default_queue: Some("default".to_owned()),
                ..Conf::default()
            })),
            Answer::Report(Report {
                celery: Some("5.7.0".to_owned()),
                ..Report::default()
            }),
        ];
        for answer in answers {
            self.heard(Heard::Answer {
                node: NodeName::from(cast.name),
                answer,
                took: Duration::from_millis(4),
            });
        }
    }

    /// Everybody is asked, and all but one answer.
    pub fn ping_all_but(&mut self, silent: &str) {
        self.heard(Heard::Asked {
            question: Question::Ping,
            reach: Reach::Somebody,
        });
        for cast in CAST.iter().filter(|cast| cast.name != silent) {
            self.heard(Heard::Answer {
                node: NodeName::from(cast.name),
                answer: Answer::Pong,
                took: Duration::from_millis(4),
            });
        }
    }

    pub fn depth(&mut self, queue: &str, ready: u64, consumers: u64) {
        self.heard(Heard::Depth {
            queue: QueueName::from(queue),
            took: Duration::ZERO,
            depth: Ok(Depth::Known {
                ready,
                held: Held::Unknown,
                held_ago: Duration::ZERO,
                rates: None,
                consumers: Some(consumers),
            }),
        });
    }

    pub fn tell(&mut self, message: Message) {
        let outcome = update::update(&mut self.state, message, self.now);
        self.redrawn |= outcome.redraw;
        self.effects.extend(outcome.effects);
    }

    /// Whether anything that can be seen may have changed since the last question.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.redrawn)
    }

    pub fn event(&mut self, event: Event) {
        self.tell(Message::Client(vec![event]));
    }

    pub fn heard(&mut self, heard: Heard) {
        self.event(Event::Heard(heard, self.now));
    }

    /// A fact about the call sent last.
    pub fn fact(&mut self, fact: Fact) {
        let id = self.last_id();
        self.fact_of(&id, fact);
    }

    pub fn fact_of(&mut self, id: &TaskId, fact: Fact) {
        self.event(Event::Call(id.clone(), fact, self.now));
    }

    pub fn last_id(&self) -> TaskId {
        let call = self.state.shared.calls.newest_first().next();
        call.expect("a call was sent").id().clone()
    }

    /// Time passes in steps of 100 ms, with a tick each.
    pub fn pass(&mut self, span: Duration) {
        let step = Duration::from_millis(100);
        let mut left = span;
        while !left.is_zero() {
            let by = left.min(step);
            self.now = self.now.plus(by);
            self.tell(Message::Tick);
            left -= by;
        }
    }

    /// Keys by name, half a second apart: `Enter 2 F5`. A word of several letters that is no key is typed.
    pub fn keys(&mut self, keys: &str) {
        for word in keys.split(' ') {
            for key in named(word) {
                self.now = self.now.plus(Duration::from_millis(500));
                self.tell(Message::Input(Input::key(key)));
            }
        }
    }

    /// Keys without any time between them.
    pub fn fast_keys(&mut self, keys: &str) {
        for key in keys.split(' ').flat_map(named) {
            self.tell(Message::Input(Input::key(key)));
        }
    }

    pub fn burst(&mut self, keys: &str) {
        for key in keys.split(' ').flat_map(named) {
            self.tell(Message::Input(Input::Key { key, burst: true }));
        }
    }

    pub fn paste(&mut self, text: &str) {
        self.tell(Message::Input(Input::Paste(text.to_owned())));
    }

    /// Sends the call that the form holds, and the broker confirms it.
    pub fn send(&mut self) {
        self.keys("F5");
        self.fact(Fact::Publishing);
        self.now = self.now.plus(Duration::from_millis(2));
        self.fact(Fact::Confirmed);
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        text_of(&self.buffer())
    }

    pub fn buffer(&self) -> ratatui::buffer::Buffer {
        let (width, height) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend");
        let draw = |frame: &mut ratatui::Frame| view::view(frame, &self.state, self.now);
        terminal.draw(draw).expect("a test backend");
        terminal.backend().buffer().clone()
    }
}

/// A result of the task with this id.
pub fn result(id: &TaskId, state: TaskState, value: &str) -> Fact {
    let value = Json::parse(value.as_bytes(), Limits::default()).expect("JSON");
    Fact::Result(Box::new(TaskResult {
        size: value.to_wire().len() + 180,
        ..TaskResult::new(id.clone(), state, value)
    }))
}

/// STARTED, as a worker stores it.
pub fn started(id: &TaskId) -> Fact {
    let mut fact = result(id, TaskState::Started, "null");
    if let Fact::Result(result) = &mut fact {
        result.worker = Some(NodeName::from("w1@stg-1"));
        result.pid = Some(4120);
    }
    fact
}

/// A failure with its traceback.
pub fn failure(id: &TaskId, kind: &str, args: &str, traceback: Option<&str>) -> Fact {
    let mut fact = result(id, TaskState::Failure, "null");
    if let Fact::Result(result) = &mut fact {
        let args = Json::parse(args.as_bytes(), Limits::default()).expect("JSON");
        result.exception = Some(Exception {
            kind: kind.to_owned(),
            module: Some("shop.errors".to_owned()),
            args: args.as_list().expect("a list").to_vec(),
        });
        result.traceback = traceback.map(str::to_owned);
    }
    fact
}

/// A link that is down, as of `now`.
pub fn down(now: Now, reason: &str) -> LinkState {
    LinkState::Waiting {
        attempt: 3,
        retry_at: now.plus(Duration::from_secs(6)),
        reason: Error::new(Kind::Unsent, reason),
        since: now,
    }
}

fn named(word: &str) -> Vec<KeyEvent> {
    let code = match word {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "S-Tab" => KeyCode::BackTab,
        "Down" => KeyCode::Down,
        "Up" => KeyCode::Up,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Del" => KeyCode::Delete,
        "Backspace" => KeyCode::Backspace,
        "Space" => KeyCode::Char(' '),
        "End" => KeyCode::End,
        "F1" => KeyCode::F(1),
        "F2" => KeyCode::F(2),
        "F5" => KeyCode::F(5),
        control if control.len() == 2 && control.starts_with('^') => {
            let letter = control.to_ascii_lowercase().pop().unwrap_or_default();
            return vec![KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)];
        }
        text => {
            let typed = |char| KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE);
            return text.chars().map(typed).collect();
        }
    };
    vec![KeyEvent::new(code, KeyModifiers::NONE)]
}
