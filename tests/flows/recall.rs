//! Recall by keys: what was called before goes into the form exactly as it was, and nothing is sent by choosing it.

use umbel::demo;
use umbel::history::Place;
use umbel::history::actor::Settings;

use super::{SMALL, play_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_recalled_exactly_and_sends_the_same_arguments() {
    let arguments = [
        "big=123456789012345678901234567890",
        "amount:decimal=12.50",
        "客戶=王小明",
        "empty=",
        "none=null",
        "digits:=\"42\"",
    ];
    play_with(Some(Settings::new(Place::Memory)), SMALL, demo::start_alone(), async |player| {
        player.opens().await;
        player.keys("/ text.echo Enter Enter");
        for argument in arguments {
            player.keys(argument);
            player.keys("Enter");
        }
        player.keys("Enter F5");
        player.sees("OK  demo.text.echo").await;
        // Another call of the same task, with other arguments.
        player.keys("Esc Esc Enter");
        player.sees("[2 Call]").await;
        player.keys("F2 ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del ^K Del");
        player.keys("{\"args\":[7],\"kwargs\":{}} F2 F5");
        player.sees("echo(7)").await;
        player.sees("OK  demo.text.echo").await;
        assert_eq!(player.published(), 2);
        player.keys("Esc ^R");
        player.sees("2 of 2").await;
        player.keys("empty");
        player.sees("1 of 2").await;
        player.sees("differs from the form now:  big (omitted) -> 1234").await;
        player.keys("Enter");
        player.sees("loaded into the form").await;
        assert_eq!(player.published(), 2, "choosing sends nothing");
            // The keys that send are deaf for a moment after a load.
            player.pass(std::time::Duration::from_secs(1));
        player.keys("F5");
        player.sees("[3 Result]").await;
        player.sees("OK  demo.text.echo").await;
        let bodies: Vec<_> = player
            .demo
            .server()
            .published_tasks()
            .iter()
            .map(|message| message.body.clone())
            .collect();
        assert_eq!(bodies.len(), 3);
        assert_ne!(bodies[0], bodies[1]);
        assert_eq!(bodies[0], bodies[2]);
        player.keys("2 u");
        player.sees("echo(7)").await;
        player.keys("u");
        player.sees("客戶=王小明").await;
        player.keys("q");
    })
    .await;
}
