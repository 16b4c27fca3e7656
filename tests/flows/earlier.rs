//! Earlier calls on the real loop with a real history file: two writers, differences, a broken file that is repaired.

use std::time::Duration;

use umbel::clock::Clock;
use umbel::demo;
use umbel::history::actor::Settings;
use umbel::history::store::Store;
use umbel::history::{Filter, Place, repair};
use umbel::protocol::Json;

use super::{SMALL, play_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_umbel_writes_is_listed_and_what_is_looked_at_is_renewed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("history.db");
    let place = || Some(Settings::new(Place::File(path.clone())));
    play_with(place(), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter F5");
        player.sees("OK  demo.math.add").await;
        player.keys("q");
    })
    .await;
    let mut other = Store::open(&path).unwrap();
    let all = Filter::default();
    let mut record = other.records(&all, None, 9).unwrap().records.remove(0);
    play_with(place(), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("4");
        player.sees("1 kept").await;
        let mut second = record.clone();
        second.signature.id = "second".into();
        second.signature.kwargs = vec![("note".to_owned(), Json::from("written elsewhere"))];
        other.upsert(&[second]).unwrap();
        player.pass(Duration::from_secs(2));
        player.sees("2 kept").await;
        let both = |screen: &str| screen.matches("add             OK").count() == 2;
        player.waits("both calls", both).await;
        player.keys("g Enter");
        player.sees("[3 Result]").await;
        record = other.records(&all, None, 9).unwrap().records.remove(0);
        record.worker = Some("elsewhere@host".into());
        record.times.recorded.after += Duration::from_secs(1);
        other.upsert(std::slice::from_ref(&record)).unwrap();
        player.sees("elsewhere@host").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_are_compared_by_keys() {
    let home = tempfile::tempdir().unwrap();
    let place = Some(Settings::new(Place::File(home.path().join("history.db"))));
    play_with(place, SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("Enter 2 Enter 3 Enter F5");
        player.sees("OK  demo.math.add").await;
        player.keys("4");
        player.sees("[4 History]").await;
        player.keys("=");
        player.sees("it is the first call of its task").await;
        // Sooner than this it may be the key that called, still held down.
        player.pass(Duration::from_secs(1));
        player.keys(".");
        player.sees("[3 Result]").await;
        player.sees("OK  demo.math.add").await;
        player.keys("4");
        player.pass(Duration::from_secs(2));
        player.sees("2 kept").await;
        player.keys("g =");
        player.sees("the same: arguments").await;
        player.keys("Esc");
        player.sees_no("the same: arguments").await;
        player.keys("q");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_history_is_told_in_its_pane_until_it_is_repaired() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("history.db");
    std::fs::write(&path, b"this is no database, and long enough".repeat(200)).unwrap();
    let place = Some(Settings::new(Place::File(path.clone())));
    play_with(place, SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("4 !");
        let screen = player.sees("in memory only").await;
        assert!(screen.contains("umbel history repair"), "{screen}");
        player.pass(Duration::from_mins(1));
        player.sees("umbel history repair").await;
        repair(&path, Clock::default().now().wall).unwrap();
        player.sees_no("umbel history repair").await;
        player.keys("q");
    })
    .await;
}
