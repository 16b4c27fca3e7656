//! The loop: what it does with inputs, events, ticks and frames, on a screen that records.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use ratatui::widgets::Paragraph;
use tokio::time::Instant;

use super::testing::Recorder;
use super::*;
use crate::tui::effect::Effect;

/// A model that writes down what it hears.
#[derive(Debug, Default)]
struct Diary {
    text: String,
    bursts: usize,
    ticks: usize,
    events: usize,
    refused: usize,
    animating: bool,
    /// After how many events keys were handled.
    at: Vec<usize>,
    typing: bool,
    gone: bool,
}

impl Model for Diary {
    fn update(&mut self, message: Message, _: Now) -> Outcome {
        let mut effects = Vec::new();
        match message {
            Message::Input(Input::Key { key, burst }) => {
                self.bursts += usize::from(burst);
                self.at.push(self.events);
                match key.code {
                    KeyCode::Char('q') if !burst => effects.push(Effect::Quit),
                    KeyCode::Char('r') => effects.push(Effect::Client(Command::Refresh)),
                    KeyCode::Char('y') => effects.push(Effect::Copy("a".to_owned())),
                    KeyCode::Char(char) => self.text.push(char),
                    _ => {}
                }
            }
            Message::Input(Input::Paste(text)) => self.text.push_str(&text),
            Message::Input(Input::Resize { .. }) | Message::History(_) => {}
            Message::Client(events) => self.events += events.len(),
            Message::CommandRefused(_) => self.refused += 1,
            Message::Gone => self.gone = true,
            Message::Tick => self.ticks += 1,
        }
        Outcome {
            redraw: self.refused > 0 || !self.text.is_empty(),
            effects,
        }
    }

    fn view(&self, frame: &mut Frame, _: Now) {
        frame.render_widget(Paragraph::new(self.text.as_str()), frame.area());
    }

    fn animating(&self) -> bool {
        self.animating
    }

    fn context(&self) -> Context {
        if self.typing {
            Context::CallEdit
        } else {
            Context::Tasks
        }
    }
}

fn clock() -> impl Fn() -> Now {
    let start = Instant::now();
    move || Now::fixed(start.elapsed())
}

/// Keys, each at its time in milliseconds, then nothing more.
fn keys(keys: &str, gap: u64) -> impl Stream<Item = Arrival> + Unpin + use<> {
    let keys: Vec<char> = keys.chars().collect();
    let start = Instant::now();
    let arrivals =
        stream::iter(keys.into_iter().enumerate()).then(move |(index, char)| async move {
            let at = Duration::from_millis(gap * u64::try_from(index).unwrap());
            tokio::time::sleep_until(start + at).await;
            let input = Input::key(KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE));
            Arrival {
                input,
                at: Moment(at),
            }
        });
    Box::pin(arrivals.chain(stream::pending()))
}

fn recorder() -> Recorder {
    Recorder::new(40, 3)
}

async fn never() -> Ended {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn keys_change_the_screen_until_the_user_quits() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), keys("abq", 100), clock());
    assert_eq!(running.run(&mut diary, never()).await, Ended::Quit);
    assert_eq!((diary.text.as_str(), diary.bursts), ("ab", 0));
    assert!(running.screen().watch().borrow().text.starts_with("ab "));
}

#[tokio::test(start_paused = true)]
async fn pasted_keys_are_told_as_a_burst_and_do_not_quit() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), keys("qX.cY", 1), clock());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ended::Terminated
    };
    assert_eq!(running.run(&mut diary, stop).await, Ended::Terminated);
    assert!(diary.gone, "nobody told it");
    assert_eq!((diary.text.as_str(), diary.bursts), ("qX.cY", 5));
}

#[tokio::test(start_paused = true)]
async fn typed_text_is_not_held() {
    let mut diary = Diary {
        typing: true,
        ..Diary::default()
    };
    let mut running = Loop::new(recorder(), keys("ab", 5), clock());
    let stop = async {
        tokio::time::sleep(Duration::from_millis(6)).await;
        Ended::Terminated
    };
    running.run(&mut diary, stop).await;
    assert_eq!(diary.text, "ab");
}

#[tokio::test(start_paused = true)]
async fn time_is_told_every_second_and_faster_while_something_moves() {
    for (animating, ticks) in [(false, 10), (true, 100)] {
        let mut diary = Diary {
            animating,
            ..Diary::default()
        };
        let mut running = Loop::new(recorder(), keys("", 1), clock());
        let stop = async {
            tokio::time::sleep(Duration::from_millis(10_050)).await;
            Ended::HungUp
        };
        running.run(&mut diary, stop).await;
        assert_eq!(diary.ticks, ticks);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_drawn_when_nothing_changed() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), keys("", 1), clock());
    let stop = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        Ended::HungUp
    };
    running.run(&mut diary, stop).await;
    assert_eq!(running.screen().frames, 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_starves_no_key_and_draws_no_more_than_it_may() {
    let (sender, events) = mpsc::channel(100_000);
    for _ in 0..100_000 {
        sender.try_send(Event::Closed).unwrap();
    }
    let (commands, _kept) = mpsc::channel(1);
    let mut diary = Diary {
        text: "x".to_owned(),
        typing: true,
        ..Diary::default()
    };
    let mut running =
        Loop::new(recorder(), keys("k", 1), clock()).connected(Client::new(commands), events);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ended::HungUp
    };
    running.run(&mut diary, stop).await;
    assert_eq!(diary.events, 100_000);
    assert!(diary.at[0] <= 2 * BATCH + 2, "{:?}", diary.at);
    assert!(running.screen().frames <= 32, "{}", running.screen().frames);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_command_without_a_client_is_told_as_refused() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), keys("rq", 100), clock());
    running.run(&mut diary, never()).await;
    assert_eq!(diary.refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_goes_to_the_terminal() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), keys("yq", 100), clock());
    running.run(&mut diary, never()).await;
    assert_eq!(running.screen().sent, b"\x1b]52;c;YQ==\x07");
}

#[tokio::test(start_paused = true)]
async fn when_input_ends_the_terminal_is_gone() {
    let mut diary = Diary::default();
    let mut running = Loop::new(recorder(), stream::empty(), clock());
    assert_eq!(running.run(&mut diary, never()).await, Ended::HungUp);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_client_but_not_for_ever() {
    let (commands, mut asked) = mpsc::channel(1);
    let (_events, heard) = mpsc::channel(1);
    let inputs = keys("", 1);
    let running = Loop::new(recorder(), inputs, clock()).connected(Client::new(commands), heard);
    let start = Instant::now();
    running.close(Ended::Terminated).await;
    assert_eq!(start.elapsed(), CLOSE_SIGNAL);
    assert!(matches!(asked.recv().await, Some(Command::Close)));
}

/// A terminal that takes nothing for a while.
struct Stuck {
    until: Instant,
    frames: usize,
    blocked: bool,
}

impl Screen for Stuck {
    fn size(&self) -> (u16, u16) {
        (80, 24)
    }

    fn is_free(&self) -> bool {
        !self.blocked || Instant::now() >= self.until
    }

    async fn freed(&self) -> bool {
        tokio::time::sleep_until(self.until).await;
        true
    }

    fn draw(&mut self, _: &mut dyn FnMut(&mut Frame)) -> std::io::Result<()> {
        assert!(self.is_free());
        self.frames += 1;
        self.blocked = true;
        Ok(())
    }

    fn repaint(&mut self) {}

    fn send(&mut self, _: &[u8]) {}

    fn wants_frame(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_terminal_takes_nothing_time_and_keys_go_on_and_nothing_is_drawn() {
    let mut diary = Diary {
        animating: true,
        ..Diary::default()
    };
    let screen = Stuck {
        until: Instant::now() + Duration::from_secs(20),
        frames: 0,
        blocked: false,
    };
    let mut running = Loop::new(screen, keys("abc", 100), clock());
    let stop = async {
        tokio::time::sleep(Duration::from_millis(20_060)).await;
        Ended::HungUp
    };
    running.run(&mut diary, stop).await;
    assert_eq!((diary.text.as_str(), diary.ticks), ("abc", 200));
    assert_eq!(running.screen().frames, 2);
}
