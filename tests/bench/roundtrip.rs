//! umbel's side of the benchmarks: the engine behind `umbel call` and the screen. The line protocol stands in `peer.py`; with the
//! argument `past FILE` it writes the history that `screen.py` looks at instead (`past.rs`).

mod past;

use std::collections::HashSet;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use umbel::backend::Results;
use umbel::broker::Broker;
use umbel::broker::amqp::AmqpBroker;
use umbel::broker::redis::RedisBroker;
use umbel::broker::url::BrokerUrl;
use umbel::call::Fact;
use umbel::client::actor::{ResultsSource, Setup, start};
use umbel::client::survey::Purpose;
use umbel::client::{Client, Command, Event, LinkName, LinkState, Order};
use umbel::clock::Clock;
use umbel::protocol::{Json, Options, Signature, TaskId, TaskResult};
use umbel::server::redis::{RedisServer, Role};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    // One thread for all, as `umbel call` has it; it goes on working while nobody calls.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let past = match arguments.as_slice() {
        [word, file] if word == "past" => Some(past::Past::write(file.as_ref())?),
        _ => None,
    };
    let (client, mut events) = connect().await?;
    match past {
        Some(past) => past.go_on(&client, &mut events).await?,
        None => obey(&client, &mut events).await?,
    }
    client.send(Command::Close).await;
    while !matches!(events.recv().await, None | Some(Event::Closed)) {}
    Ok(())
}

/// Does what the driver says, line by line.
async fn obey(client: &Client, events: &mut mpsc::Receiver<Event>) -> Outcome<()> {
    let mut next = TaskId::random();
    call(client, events, &mut next).await?;
    say("ready")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let micros = match words.as_slice() {
            ["go"] => call(client, events, &mut next).await?,
            ["many", calls, at_once] => {
                many(client, events, calls.parse()?, at_once.parse()?).await?
            }
            _ => return Err(format!("what is {line:?}?").into()),
        };
        say(&micros.to_string())?;
    }
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
    let broker = broker(&std::env::var("UMBEL_BENCH_BROKER")?)?;
    let results =
        umbel::backend::url::parse(&std::env::var("UMBEL_BENCH_BACKEND")?, &Arc::default())?;
    let stored = matches!(results, Results::Stored(_));
    let (client, mut events) = start(Setup {
        broker,
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

fn broker(url: &str) -> Outcome<Arc<dyn Broker>> {
    Ok(match umbel::broker::url::parse(url)? {
        BrokerUrl::Redis(servers) => {
            let server = |url| RedisServer::new(url, Role::Broker, Arc::default());
            Arc::new(RedisBroker::new(servers.into_iter().map(server).collect()))
        }
        amqp @ BrokerUrl::Amqp(_) => Arc::new(AmqpBroker::new(amqp)),
    })
}

/// Calls `shop.tasks.add(2, 3)` so often, so many at once; the microseconds it took.
async fn many(
    client: &Client,
    events: &mut mpsc::Receiver<Event>,
    calls: usize,
    at_once: usize,
) -> Outcome<u128> {
    let begun = Instant::now();
    let (mut ordered, mut open) = (0, HashSet::new());
    while ordered < calls || !open.is_empty() {
        while ordered < calls && open.len() < at_once {
            let id = TaskId::random();
            open.insert(id.clone());
            order(client, signature(id, 2, 3)).await;
            ordered += 1;
        }
        let (id, result) = next_result(events).await?;
        if open.remove(&id) {
            is_five(&result)?;
        }
    }
    Ok(begun.elapsed().as_micros())
}

async fn order(client: &Client, signature: Signature) {
    let order = Order::to_queue(signature, &"celery".into());
    client.send(Command::Call(Box::new(order))).await;
}

fn signature(id: TaskId, x: usize, y: usize) -> Signature {
    Signature {
        task: "shop.tasks.add".into(),
        id,
        args: vec![Json::Number(x.to_string()), Json::Number(y.to_string())],
        kwargs: vec![],
        options: Options::default(),
    }
}

/// The end of some call; an error when one was not sent.
async fn next_result(events: &mut mpsc::Receiver<Event>) -> Outcome<(TaskId, Box<TaskResult>)> {
    loop {
        match events.recv().await.ok_or("the client ended")? {
            Event::Call(id, Fact::Result(result), _) if result.state.is_final() => {
                return Ok((id, result));
            }
            Event::Call(id, Fact::Unsent(error) | Fact::Unknown(error), _) => {
                return Err(format!("{id}: {error}").into());
            }
            Event::Call(id, Fact::Returned(reason), _) => {
                return Err(format!("{id}: {reason}").into());
            }
            _ => {}
        }
    }
}

fn is_five(result: &TaskResult) -> Outcome<()> {
    if result.value == Json::Number("5".to_owned()) {
        Ok(())
    } else {
        Err(format!("{:?}", result.value).into())
    }
}

/// One call of `shop.tasks.add(2, 3)`; the microseconds it took. The result of the one after it is subscribed to between the calls,
/// as `umbel call` does while it looks who reads the queue.
async fn call(
    client: &Client,
    events: &mut mpsc::Receiver<Event>,
    next: &mut TaskId,
) -> Outcome<u128> {
    let begun = Instant::now();
    let id = std::mem::replace(next, TaskId::random());
    order(client, signature(id.clone(), 2, 3)).await;
    loop {
        let (of, result) = next_result(events).await?;
        if of == id {
            let micros = begun.elapsed().as_micros();
            client.send(Command::Expect(next.clone())).await;
            is_five(&result)?;
            return Ok(micros);
        }
    }
}
