//! Whole flows: the real loop, the real client and the demo's workers in one process, driven by keys. Waits for what is shown, never for time to pass.

#[path = "flows/sending.rs"]
mod sending;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use umbel::backend;
use umbel::client::actor::{self, ResultsSource};
use umbel::client::survey::Purpose;
use umbel::clock::{Clock, Now};
use umbel::demo::{self, Demo};
use umbel::history::actor::Settings;
use umbel::history::{Origin, Place, Scribe};
use umbel::tui::archive::Archive;
use umbel::tui::input::{Arrival, Input};
use umbel::tui::runtime::testing::{Recorder, Shown};
use umbel::tui::runtime::{Ended, Loop};
use umbel::tui::state::State;
use umbel::tui::theme::Look;
use umbel::tui::{Setup, Target};

#[path = "flows/earlier.rs"]
mod earlier;
#[path = "flows/recall.rs"]
mod recall;

const DEADLINE: Duration = Duration::from_secs(20);

/// Who sits in front of the screen.
struct Player {
    inputs: mpsc::UnboundedSender<Arrival>,
    shown: watch::Receiver<Shown>,
    clock: ScreenClock,
    demo: Demo,
}

/// The screen's clock: the real one, and a leap ahead when a test wants time to have passed.
#[derive(Clone)]
struct ScreenClock {
    real: Clock,
    ahead_ms: Arc<AtomicU64>,
    /// While there is one, only leaps move it: a slow machine is no slow finger.
    held: Arc<Mutex<Option<Now>>>,
}

impl ScreenClock {
    fn now(&self) -> Now {
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        let real = || self.real.now();
        let held = *self.held.lock().expect("nobody panicked with it");
        held.unwrap_or_else(real).plus(ahead)
    }
}

impl Player {
    /// Keys by name, as fast as a person: `Enter 2 F5`. Words that are no keys are typed.
    fn keys(&self, keys: &str) {
        for key in keys.split(' ').flat_map(named) {
            self.pass(Duration::from_millis(200));
            self.input(Input::key(key));
        }
    }

    fn input(&self, input: Input) {
        let at = self.clock.now().mono;
        let sent = self.inputs.send(Arrival { input, at });
        assert!(sent.is_ok(), "the loop has ended");
    }

    /// The screen's clock leaps ahead.
    fn pass(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.clock.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Waits until tasks are listed and it is known who reads their queue: a call before that is not sent, and says so.
    async fn opens(&self) {
        let told = |line: &str| {
            let (_, after) = line.split_once("celery")?;
            after.trim_start().chars().next()
        };
        let told = |line: &str| told(line).is_some_and(|depth| depth.is_ascii_digit());
        let opened = |screen: &str| screen.contains("▸ add") && screen.lines().any(told);
        self.waits("tasks and their queue", opened).await;
    }

    /// Waits until the screen shows `text`.
    async fn sees(&self, text: &str) -> String {
        self.waits(text, |screen| screen.contains(text)).await
    }

    /// Waits until the screen shows `text` no longer.
    async fn sees_no(&self, text: &str) -> String {
        self.waits(text, |screen| !screen.contains(text)).await
    }

    async fn waits(&self, what: &str, until: impl Fn(&str) -> bool) -> String {
        let mut shown = self.shown.clone();
        let waiting = shown.wait_for(|shown| until(&shown.text));
        let Ok(seen) = timeout(DEADLINE, waiting).await else {
            panic!("waited for {what:?}:\n{}", self.shown.borrow().text);
        };
        seen.expect("the loop has ended").text.clone()
    }

    fn published(&self) -> usize {
        self.demo.server().published_tasks().len()
    }
}

/// Plays `script` on a screen of this size; returns how it ended. The script must quit.
async fn play(size: (u16, u16), demo: Demo, script: impl AsyncFnOnce(&Player)) -> Ended {
    play_with(None, size, demo, script).await
}

/// The same with a history in this place.
async fn play_with(
    past: Option<Settings>,
    (width, height): (u16, u16),
    demo: Demo,
    script: impl AsyncFnOnce(&Player),
) -> Ended {
    let clock = ScreenClock {
        real: Clock::default(),
        ahead_ms: Arc::default(),
        held: Arc::default(),
    };
    let (client, events) = actor::start(actor::Setup {
        broker: demo.broker(),
        results: ResultsSource::Workers(Box::new(|told| {
            backend::url::parse_told(told, &Arc::default(), &umbel::server::Neighbour::default())
        })),
        purpose: Purpose::Screen,
        clock: clock.real,
        origin: "gen1@test".to_owned(),
    });
    let setup = Setup {
        connection: None,
        target: Target {
            broker: "demo".to_owned(),
            demo: true,
        },
        timeout: Duration::from_secs(10),
        look: Look::default(),
    };
    let mut state = State::new(&setup, clock.now());
    state.shared.connected = true;
    let (inputs, mut arrivals) = mpsc::unbounded_channel();
    let screen = Recorder::new(width, height);
    let player = Player {
        inputs,
        shown: screen.watch(),
        clock: clock.clone(),
        demo,
    };
    player.input(Input::Resize { width, height });
    let arrivals = stream::poll_fn(move |context| arrivals.poll_recv(context));
    let mut running = Loop::new(screen, arrivals, move || clock.now()).connected(client, events);
    if let Some(settings) = past {
        state.shared.scribe = Some(Scribe {
            origin: Origin {
                broker: "demo".to_owned(),
                ..Origin::default()
            },
            ..Scribe::default()
        });
        let (archive, told) = Archive::open(Settings {
            retry: Duration::from_millis(300),
            ..settings
        });
        running = running.remembering(archive, told);
    }
    let never = std::future::pending();
    let (ended, ()) = tokio::join!(running.run(&mut state, never), script(&player));
    running.close(ended).await;
    ended
}

fn named(word: &str) -> Vec<KeyEvent> {
    let code = match word {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "Del" => KeyCode::Delete,
        "Backspace" => KeyCode::Backspace,
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

const SMALL: (u16, u16) = (80, 24);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_opens_on_add_and_adds_2_and_3() {
    let ended = play(SMALL, demo::start(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter F5");
        let screen = player.sees("OK  demo.math.add").await;
        assert!(screen.contains("back  "), "{screen}");
        assert!(screen.contains("  5"), "{screen}");
        assert!(screen.contains("add(2, 3)"), "{screen}");
        player.keys("4");
        player.sees("1 this run, lost at exit").await;
        player.keys("Enter");
        player.sees("[3 Result]").await;
        assert_eq!(player.published(), 1);
        player.keys("q");
    })
    .await;
    assert_eq!(ended, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_ends_the_waiting_and_the_late_result_lands_in_the_same_call() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ sleep Enter Enter 3 Tab Tab 1 F5");
        player.sees("[3 Result]").await;
        player.keys("1");
        player.sees("TIMEOUT sleep after 1.0s").await;
        let screen = player.sees("! LATE OK  sleep").await;
        assert!(screen.contains("┏━ 1 Tasks"), "the focus stays: {screen}");
        player.keys("!");
        player.sees("LATE OK  demo.slow.sleep").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_shows_its_headline_and_its_traceback() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ fail.always Enter Enter F5");
        let screen = player.sees("FAIL  demo.fail.always").await;
        assert!(screen.contains("Traceback"), "{screen}");
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_reports_progress_is_followed() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ count Enter Enter F5");
        player.sees("RUN PROGRESS").await;
        player.sees("OK  demo.progress.count").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_json_with_chinese_goes_there_and_back() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ echo Enter Enter F2");
        player.sees("\"kwargs\"").await;
        player.keys("Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del");
        player.keys("Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del Del");
        player.input(Input::Paste(
            "{\"args\": [{\"客戶\": [\"不鏽鋼保溫瓶\", 1.10]}]}".to_owned(),
        ));
        player.sees("echo({'客戶': ['不鏽鋼保溫瓶', 1.10]})").await;
        player.keys("F5");
        player.sees("OK  demo.text.echo").await;
        let screen = player.sees("不鏽鋼保溫瓶").await;
        assert!(screen.contains("1.10"), "{screen}");
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_task_that_ignores_its_result_is_heard_from_its_worker() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ ignored Enter Enter");
        player.sees("result not kept").await;
        player.keys("F5");
        player.sees("OK  demo.silent.ignored").await;
        let screen = player.sees("'nobody reads this'").await;
        assert!(screen.contains("as the worker's log shows it"), "{screen}");
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_task_is_refused_before_it_is_sent() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("a demo.math.ad Enter");
        player.sees("demo.math.ad").await;
        player.sees("1 problem").await;
        player.keys("F5");
        player.sees("F5 again within 5s").await;
        assert_eq!(player.published(), 0);
        player.keys("Esc Esc q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_task_is_revoked_after_a_question() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ sleep Enter Enter 3 F5");
        player.sees("RUN  demo.slow.sleep").await;
        player.keys("X");
        player.sees("started: it will go on").await;
        player.pass(Duration::from_secs(1));
        player.keys("Y");
        player.sees("alpha@demo").await;
        player.sees("OK  demo.slow.sleep").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_broker_is_told_and_a_call_in_the_air_comes_back() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ sleep Enter Enter 1 F5");
        player.sees("RUN  demo.slow.sleep").await;
        player.demo.server().refuse(true);
        player.demo.server().cut();
        player.sees("broker DOWN").await;
        player.keys("2 F5");
        player
            .sees("calls are not sent while the broker is down")
            .await;
        player.pass(Duration::from_secs(3));
        player.sees("!! BROKER LOST").await;
        player.demo.server().refuse(false);
        player.keys("Esc r 3");
        player.sees("broker up").await;
        player.sees_no("!! BROKER LOST").await;
        player.sees("OK  demo.slow.sleep").await;
        assert_eq!(player.published(), 1);
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quitting_with_a_call_in_the_air_asks() {
    let ended = play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ sleep Enter Enter 30 F5");
        player.sees("RUN  demo.slow.sleep").await;
        player.keys("q");
        player.sees("rpc results die").await;
        player.keys("Esc");
        player.sees_no("rpc results die").await;
        player.keys("q");
        player.sees("rpc results die").await;
        player.pass(Duration::from_secs(1));
        player.keys("q");
    })
    .await;
    assert_eq!(ended, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_large_screen_shows_all_panes_of_a_living_cluster() {
    play((160, 48), demo::start(), async |player| {
        player.opens().await;
        player.sees("BUSY").await;
        player.sees("reports").await;
        player.sees("SILENT").await;
        player.keys("Enter 2 Enter 3 F5");
        let screen = player.sees("OK  demo.math.add").await;
        for pane in [
            "1 Tasks",
            "2 Call",
            "3 Result",
            "4 History",
            "5 Queues",
            "6 Workers",
        ] {
            assert!(screen.contains(pane), "{pane}: {screen}");
        }
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_there_again_after_a_new_start_and_is_repeated_loaded_forgotten_and_back() {
    let home = tempfile::tempdir().unwrap();
    let place = || Some(Settings::new(Place::File(home.path().join("history.db"))));
    play_with(place(), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter F5");
        player.sees("OK  demo.math.add").await;
        player.keys("q");
    })
    .await;
    play_with(place(), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("4");
        player.sees("1 kept").await;
        player.keys("Enter");
        let screen = player.sees("OK  demo.math.add").await;
        assert!(screen.contains("add(2, 3)"), "{screen}");
        player.keys("4");
        player.sees("[4 History]").await;
        // Sooner than this it may be the key that called, still held down.
        player.pass(Duration::from_secs(1));
        player.keys(".");
        player.sees("[3 Result]").await;
        player.sees("OK  demo.math.add").await;
        assert_eq!(player.published(), 1);
        player.keys("4 E");
        player.sees("loaded into the form").await;
        player.keys("4");
        player.pass(Duration::from_secs(4));
        player.sees("2 kept").await;
        player.keys("Del");
        player.sees("1 kept").await;
        player.keys("u");
        player.sees("2 kept").await;
        player.keys("/ state:fail");
        player.sees("No call passes the filter").await;
        player.keys("Esc");
        player.sees("2 kept").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_typed_is_in_no_file_of_the_history() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::File(home.path().join("history.db"));
    play_with(
        Some(Settings::new(place)),
        SMALL,
        demo::start_alone(),
        async |player| {
            player.opens().await;
            player.keys("/ fail.always Enter Enter password=hunter2xyz Enter Enter F5");
            player.sees("FAIL").await;
            player.keys("q");
        },
    )
    .await;
    let files = std::fs::read_dir(home.path()).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(10).any(|window| window == b"hunter2xyz");
        assert!(!found, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_must_not_be_kept_is_listed_marked_and_repeated_and_touches_no_file() {
    let home = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(Place::File(home.path().join("history.db")));
    settings.persist.set("demo.text.*", false).unwrap();
    play_with(Some(settings), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter F5");
        player.sees("OK  demo.math.add").await;
        player.keys("Esc Esc Esc / text.echo Enter Enter not-for-disk Enter Enter F5");
        player.sees("OK  demo.text.echo").await;
        player.keys("4");
        player.sees("1 kept · *1 in memory only").await;
        player.sees("*echo").await;
        // The filter knows it too.
        player.keys("/ not-for Enter");
        player.sees("1 hidden by filter").await;
        player.sees("*echo").await;
        // Called again as it was.
        player.keys(".");
        player.sees("OK  demo.text.echo").await;
        player.keys("q");
    })
    .await;
    let holds = |text: &str| {
        let files = std::fs::read_dir(home.path()).unwrap();
        let mut files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.any(|bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    };
    assert!(holds("demo.math.add"));
    assert!(!holds("not-for-disk") && !holds("text.echo"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_broken_is_told_at_start_and_calls_go_on() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("history.db");
    std::fs::write(
        &file,
        b"this is no database, and long enough to be looked at".repeat(100),
    )
    .unwrap();
    play_with(
        Some(Settings::new(Place::File(file))),
        (160, 48),
        demo::start_alone(),
        async |player| {
            let screen = player.sees("umbel history repair").await;
            assert!(screen.contains("memory only"), "{screen}");
            player.keys("Enter 2 Enter 3 Enter F5");
            player.sees("OK  demo.math.add").await;
            player.keys("q");
        },
    )
    .await;
}
