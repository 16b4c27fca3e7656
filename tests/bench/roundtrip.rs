//! umbel's side of the round trip benchmark: the engine behind `umbel call` and the screen. The line protocol stands in `peer.py`.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use umbel::backend::Results;
use umbel::broker::amqp::AmqpBroker;
use umbel::call::Fact;
use umbel::client::actor::{ResultsSource, Setup, start};
use umbel::client::survey::Purpose;
use umbel::client::{Client, Command, Event, LinkName, LinkState, Order};
use umbel::clock::Clock;
use umbel::protocol::{Json, Options, Signature, TaskId};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    // One thread for all, as `umbel call` has it; it goes on working while nobody calls.
    let (client, mut events) = connect().await?;
    let mut next = TaskId::random();
    call(&client, &mut events, &mut next).await?;
    say("ready")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line != "go" {
            return Err("a line that is not go".into());
        }
        say(&call(&client, &mut events, &mut next).await?.to_string())?;
    }
    client.send(Command::Close).await;
    while !matches!(events.recv().await, None | Some(Event::Closed)) {}
    Ok(())
}

/// One line for the driver.
fn say(line: &str) -> Outcome<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Both links up, and the survey over.
async fn connect() -> Outcome<(Client, mpsc::Receiver<Event>)> {
    let broker = umbel::broker::url::parse(&std::env::var("UMBEL_BENCH_BROKER")?)?;
    let results =
        umbel::backend::url::parse(&std::env::var("UMBEL_BENCH_BACKEND")?, &Arc::default())?;
    let stored = matches!(results, Results::Stored(_));
    let (client, mut events) = start(Setup {
        broker: Arc::new(AmqpBroker::new(broker)),
        results: ResultsSource::Given(results),
        purpose: Purpose::Call,
        clock: Clock::default(),
        origin: "bench".to_owned(),
    });
    let (mut surveyed, mut backend_up) = (false, !stored);
    while !(surveyed && backend_up) {
        match events.recv().await.ok_or("the client ended")? {
            Event::Link(name, LinkState::Waiting { reason, .. }) => {
                return Err(format!("{name}: {reason}").into());
            }
            Event::Link(LinkName::Backend, LinkState::Up { .. }) => backend_up = true,
            Event::Heard(umbel::cluster::Heard::Surveyed, _) => surveyed = true,
            _ => {}
        }
    }
    Ok((client, events))
}

/// One call of `shop.tasks.add(2, 3)`; the microseconds it took. The result of the one after it is subscribed to between the calls,
/// as `umbel call` does while it looks who reads the queue.
async fn call(
    client: &Client,
    events: &mut mpsc::Receiver<Event>,
    next: &mut TaskId,
) -> Outcome<u128> {
    let begun = Instant::now();
    let signature = Signature {
        task: "shop.tasks.add".into(),
        id: std::mem::replace(next, TaskId::random()),
        args: vec![Json::Number("2".to_owned()), Json::Number("3".to_owned())],
        kwargs: vec![],
        options: Options::default(),
    };
    let id = signature.id.clone();
    client
        .send(Command::Call(Box::new(Order::to_queue(
            signature,
            &"celery".into(),
        ))))
        .await;
    loop {
        match events.recv().await.ok_or("the client ended")? {
            Event::Call(of, Fact::Result(result), _) if of == id && result.state.is_final() => {
                let micros = begun.elapsed().as_micros();
                client.send(Command::Expect(next.clone())).await;
                if result.value != Json::Number("5".to_owned()) {
                    return Err(format!("{:?}", result.value).into());
                }
                return Ok(micros);
            }
            Event::Call(of, Fact::Unsent(error) | Fact::Unknown(error), _) if of == id => {
                return Err(error.into());
            }
            _ => {}
        }
    }
}
