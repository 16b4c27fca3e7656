//! What is sent by keys that are pressed twice, held down or pasted: once, or nothing. And what becomes of a call that is revoked.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::time::sleep;
use umbel::clock::Now;
use umbel::demo;
use umbel::tui::input::Input;

use crate::{Player, SMALL, play};

const F5: KeyCode = KeyCode::F(5);

impl Player {
    fn press(&self, code: KeyCode) {
        self.input(Input::key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    /// Out of a form that holds what was not sent: the question is deaf at first.
    async fn leave(&self) {
        self.keys("Esc Esc");
        self.sees("┏━ 1 Tasks").await;
        self.keys("q");
        self.sees("[q] quit").await;
        self.pass(Duration::from_secs(1));
        self.keys("q");
    }

    /// A key is held down: it repeats after half a second and a bit, for three seconds. Each press is taken before the next one comes.
    async fn hold(&self, code: KeyCode) {
        let hold = |at: Option<Now>| *self.clock.held.lock().expect("nobody panicked with it") = at;
        hold(Some(self.clock.real.now()));
        self.press(code);
        self.pass(Duration::from_millis(560));
        for _ in 0..90 {
            sleep(Duration::from_millis(1)).await;
            self.pass(Duration::from_millis(33));
            self.press(code);
        }
        sleep(Duration::from_millis(1)).await;
        hold(None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_quick_presses_send_one_message() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3");
        for _ in 0..5 {
            player.press(F5);
        }
        player.sees("OK  demo.math.add").await;
        assert_eq!(player.published(), 1);
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enter_held_down_on_the_button_sends_one_message() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter Enter");
        player.hold(KeyCode::Enter).await;
        player.sees("OK  demo.math.add").await;
        assert_eq!(player.published(), 1);
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_not_there_is_told_when_it_is_named_and_no_held_key_sends_there() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter Tab Tab Tab nosuch Tab");
        player.sees("queue nosuch · no such queue").await;
        player.sees("queue nosuch: there is no such queue").await;
        player.hold(F5).await;
        player.sees("F5 again within 5s sends it").await;
        assert_eq!(player.published(), 0);
        player.leave().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paste_with_line_breaks_sends_nothing() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter");
        player.input(Input::Paste("2\n3\n\n\n\n".to_owned()));
        player.sees("lines were pasted as one").await;
        player.keys("Enter Enter");
        player.sees("▸ [ Call  F5 ]").await;
        player.input(Input::Paste("\n\n\n".to_owned()));
        player.sees("paste ignored here").await;
        assert_eq!(player.published(), 0);
        player.leave().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_task_is_killed_after_a_question_and_its_worker_is_named() {
    play(SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ sleep Enter Enter 600 F5");
        player.sees("RUN  demo.slow.sleep").await;
        player.keys("0");
        player.sees("no limit (24h)").await;
        player.keys("X");
        player.sees("gets SIGTERM").await;
        player.pass(Duration::from_secs(1));
        player.keys("T");
        player.sees("heard by alpha@demo").await;
        player.sees("KILLED  demo.slow.sleep").await;
        player.keys("q");
    })
    .await;
}
