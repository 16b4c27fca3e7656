//! A past for the screen to be measured with: 100,000 calls that have ended, and 1,000 that are sent now and that nobody answers
//! before the queue is read again. They are written as umbel writes them, by `history::Store`.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use umbel::call::{Call, Fact};
use umbel::client::{Client, Event};
use umbel::clock::{Clock, Now};
use umbel::error::{Error as UmbelError, Kind};
use umbel::history::store::Store;
use umbel::history::{Known, Origin, Record, Scribe};
use umbel::protocol::{Json, Options, Signature, State, TaskId, TaskResult};

use super::{Outcome, order, signature};

const ENDED: u64 = 100_000;
const IN_FLIGHT: usize = 1_000;
/// Records that are written in one go.
const BATCH: usize = 1_000;
/// Between two calls of the past: 100,000 of them are 69 days.
const APART: Duration = Duration::from_mins(1);

/// A history that is being made.
pub struct Past<'a> {
    file: &'a Path,
    store: Store,
    clock: Clock,
    scribe: Scribe,
}

impl<'a> Past<'a> {
    /// Writes the calls that have ended. It takes its time: nobody may be connected meanwhile.
    pub fn write(file: &'a Path) -> Outcome<Self> {
        let mut store = Store::open(file)?;
        let clock = Clock::default();
        let broker = super::broker(&std::env::var("UMBEL_BENCH_BROKER")?)?;
        let scribe = Scribe {
            origin: Origin {
                broker: broker.short_address(),
                ..Origin::default()
            },
            ..Scribe::default()
        };
        let now = clock.now();
        let numbers: Vec<u64> = (1..=ENDED).rev().collect();
        for chunk in numbers.chunks(BATCH) {
            let records: Vec<Record> = chunk.iter().map(|n| ended(*n, now, &scribe)).collect();
            store.upsert(&records)?;
        }
        Ok(Self {
            file,
            store,
            clock,
            scribe,
        })
    }

    /// Sends the calls of the present, and writes them down.
    pub async fn go_on(
        mut self,
        client: &Client,
        events: &mut mpsc::Receiver<Event>,
    ) -> Outcome<()> {
        let records = send(client, events, &self.clock, &self.scribe).await?;
        self.store.upsert(&records)?;
        keep_all(self.file)
    }
}

/// The call that was made `n` minutes ago.
fn ended(n: u64, now: Now, scribe: &Scribe) -> Record {
    let made = Duration::from_micros(u64::try_from(now.wall.as_microsecond()).unwrap_or_default());
    let made = made.saturating_sub(APART * u32::try_from(n).unwrap_or(u32::MAX));
    let at = |ms: u64| Now::fixed(made + Duration::from_millis(ms));
    let tasks = [
        "shop.orders.refund",
        "shop.mail.send",
        "shop.tasks.add",
        "shop.stock.count",
    ];
    let task = tasks[usize::try_from(n).unwrap_or_default() % tasks.len()];
    let text = |text: String| Json::Text(text);
    let signature = Signature {
        task: task.into(),
        id: TaskId::random(),
        args: vec![Json::Number(n.to_string())],
        kwargs: vec![
            ("basket".to_owned(), text(format!("b{n:06}"))),
            (
                "customer".to_owned(),
                text(format!("customer {} of Lisbon", n % 977)),
            ),
            (
                "note".to_owned(),
                text(format!("order {n} came back: {}", "too small, ".repeat(8))),
            ),
        ],
        options: Options::default(),
    };
    let mut call = Call::new(signature, Duration::from_secs(10), at(0));
    call.queue = Some("celery".into());
    call.apply(Fact::Publishing, at(0));
    call.apply(Fact::Confirmed, at(1));
    match n % 10 {
        0 => call.apply(
            result(State::Failure, text("no such order".to_owned())),
            at(40),
        ),
        1 => call.apply(
            Fact::Unsent(UmbelError::new(
                Kind::Unsent,
                "the broker is down: nothing was sent",
            )),
            at(2),
        ),
        _ => call.apply(result(State::Success, value(n)), at(20 + n % 300)),
    };
    Record::of(&call, scribe, Known::default(), at(400))
}

/// What the call returned; of some it is long enough to be moved through.
fn value(n: u64) -> Json {
    let refunded = Json::Text(format!("refunded {n}"));
    if n % 100 == 2 {
        Json::List(vec![refunded; 300])
    } else {
        refunded
    }
}

fn result(state: State, value: Json) -> Fact {
    Fact::Result(Box::new(TaskResult {
        worker: Some("bench@test".into()),
        pid: Some(7),
        size: 200,
        ..TaskResult::new("x".into(), state, value)
    }))
}

/// Sends calls and comes back when the broker has them all; nobody waits for them any more.
async fn send(
    client: &Client,
    events: &mut mpsc::Receiver<Event>,
    clock: &Clock,
    scribe: &Scribe,
) -> Outcome<Vec<Record>> {
    let mut calls = HashMap::new();
    for n in 0..IN_FLIGHT {
        let signature = signature(TaskId::random(), 2, n);
        let mut call = Call::new(signature.clone(), Duration::from_secs(10), clock.now());
        call.queue = Some("celery".into());
        calls.insert(signature.id.clone(), call);
        order(client, signature).await;
    }
    let mut confirmed = 0;
    while confirmed < IN_FLIGHT {
        let Event::Call(id, fact, at) = events.recv().await.ok_or("the client ended")? else {
            continue;
        };
        if matches!(fact, Fact::Unsent(_) | Fact::Unknown(_) | Fact::Result(_)) {
            return Err(format!("{id}: {fact:?}").into());
        }
        confirmed += usize::from(matches!(fact, Fact::Confirmed));
        if let Some(call) = calls.get_mut(&id) {
            call.apply(fact, at);
        }
    }
    let now = clock.now();
    let record = |mut call: Call| {
        call.detach(now);
        Record::of(&call, scribe, Known::default(), now)
    };
    Ok(calls.into_values().map(record).collect())
}

/// Forbids the file to forget what is beyond the usual 5,000 calls: the screen that opens it is to have all of them.
fn keep_all(file: &Path) -> Outcome<()> {
    let connection = rusqlite::Connection::open(file)?;
    for table in ["calls", "bodies", "words"] {
        connection.execute_batch(&format!(
            "CREATE TRIGGER keep_{table} BEFORE DELETE ON {table} BEGIN SELECT RAISE(IGNORE); END"
        ))?;
    }
    Ok(())
}
