//! The actor on the broker in memory: every wait is for an event, with a deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::actor::{ResultsSource, Setup, start};
use super::survey::Purpose;
use super::*;
use crate::backend::Results;
use crate::broker::Broker;
use crate::broker::memory::{MemoryServer, Target};
use crate::call::{Answer, Fact};
use crate::clock::Clock;
use crate::cluster::Heard;
use crate::demo::{self, Demo};
use crate::protocol::control::{Method, Request};
use crate::protocol::event::TaskEventKind;
use crate::protocol::{Json, Options, State, TaskResult};

struct Running {
    client: Client,
    events: mpsc::Receiver<Event>,
}

impl Running {
    fn on(broker: Arc<dyn Broker>, purpose: Purpose) -> Self {
        let resolve = Box::new(|told: &crate::backend::Told| {
            crate::backend::url::parse_told(
                told,
                &Arc::default(),
                &crate::server::Neighbour::default(),
            )
        });
        let setup = Setup {
            broker,
            results: ResultsSource::Workers(resolve),
            purpose,
            clock: Clock::default(),
            origin: "test".into(),
        };
        let (client, events) = start(setup);
        Self { client, events }
    }

    /// Waits for the first event that `wanted` makes something of.
    async fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = async {
            while let Some(event) = self.events.recv().await {
                seen.push(format!("{event:?}"));
                if let Some(found) = wanted(event) {
                    return Some(found);
                }
            }
            None
        };
        let found = tokio::time::timeout(Duration::from_secs(10), found).await;
        found
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("no {what} among {seen:#?}"))
    }

    async fn surveyed(&mut self) {
        self.wait("survey", |event| {
            matches!(event, Event::Heard(Heard::Surveyed, _)).then_some(())
        })
        .await;
    }

    async fn call(&mut self, task: &str, args: Vec<Json>) -> TaskId {
        self.call_on("celery", task, args).await
    }

    async fn call_on(&mut self, queue: &str, task: &str, args: Vec<Json>) -> TaskId {
        let signature = Signature {
            task: task.into(),
            id: TaskId::random(),
            args,
            kwargs: vec![],
            options: Options::default(),
        };
        let order = Order::to_queue(signature, &queue.into());
        self.order(order).await
    }

    async fn order(&mut self, order: Order) -> TaskId {
        let id = order.signature.id.clone();
        self.client.send(Command::Call(Box::new(order))).await;
        id
    }

    /// A call whose end comes by events.
    async fn heard(&mut self, task: &str, args: &str, answer: Answer) -> TaskId {
        let args = Json::parse_strict(args).unwrap();
        let signature = Signature {
            task: task.into(),
            id: TaskId::random(),
            args: args.as_list().unwrap().to_vec(),
            kwargs: vec![],
            options: Options::default(),
        };
        let order = Order {
            answer,
            readers: vec!["alpha@demo".into()],
            ..Order::to_queue(signature, &"celery".into())
        };
        self.order(order).await
    }

    /// The event that ends a call.
    async fn told(&mut self, of: &TaskId) -> TaskEventKind {
        self.fact(of, "an event that ends it", |fact| match fact {
            Fact::Event(event) => match event.kind {
                TaskEventKind::Received(_)
                | TaskEventKind::Started
                | TaskEventKind::Retried { .. } => None,
                end => Some(end),
            },
            _ => None,
        })
        .await
    }

    async fn fact<T>(
        &mut self,
        of: &TaskId,
        what: &str,
        mut wanted: impl FnMut(Fact) -> Option<T>,
    ) -> T {
        self.wait(what, |event| match event {
            Event::Call(id, fact, _) if id == *of => wanted(fact),
            _ => None,
        })
        .await
    }

    async fn end(&mut self, of: &TaskId) -> TaskResult {
        self.fact(of, "end", |fact| match fact {
            Fact::Result(result) if result.state.is_final() => Some(*result),
            _ => None,
        })
        .await
    }

    async fn close(&mut self) {
        self.client.send(Command::Close).await;
        self.wait("good-bye", |event| {
            matches!(event, Event::Closed).then_some(())
        })
        .await;
    }
}

fn number(digits: &str) -> Json {
    Json::Number(digits.to_owned())
}

async fn demo() -> (Demo, Running) {
    let demo = demo::start_alone();
    let mut running = Running::on(demo.broker(), Purpose::Call);
    running.surveyed().await;
    (demo, running)
}

#[tokio::test]
async fn a_call_is_published_once_and_ends_with_its_result() {
    let (demo, mut running) = demo().await;
    let id = running
        .call("demo.math.add", vec![number("2"), number("3")])
        .await;
    running
        .fact(&id, "publishing", |fact| {
            matches!(fact, Fact::Publishing).then_some(())
        })
        .await;
    let result = running.end(&id).await;
    assert_eq!((result.state, result.value), (State::Success, number("5")));
    assert_eq!(demo.server().published_tasks().len(), 1);
}

#[tokio::test]
async fn where_results_are_is_learned_from_the_workers() {
    let demo = demo::start_alone();
    let mut running = Running::on(demo.broker(), Purpose::Call);
    let results = running
        .wait("results", |event| match event {
            Event::Results(results) => Some(results),
            _ => None,
        })
        .await;
    assert!(matches!(results, Results::Rpc), "{results:?}");
}

#[tokio::test]
async fn a_result_that_comes_while_the_broker_is_away_is_found_after_the_reconnect() {
    let (demo, mut running) = demo().await;
    let id = running.call("demo.slow.sleep", vec![number("0.3")]).await;
    running
        .fact(&id, "confirm", |fact| {
            matches!(fact, Fact::Confirmed).then_some(())
        })
        .await;
    demo.server().refuse(true);
    demo.server().cut();
    running
        .fact(&id, "word of the loss", |fact| {
            matches!(fact, Fact::BackendLost(_)).then_some(())
        })
        .await;
    demo.server().refuse(false);
    assert_eq!(running.end(&id).await.state, State::Success);
    assert_eq!(demo.server().published_tasks().len(), 1, "never sent twice");
}

#[tokio::test]
async fn a_lost_confirm_is_unknown_and_nothing_is_sent_again() {
    let (demo, mut running) = demo().await;
    demo.server().lose_next_confirm();
    let id = running
        .call("demo.math.add", vec![number("2"), number("3")])
        .await;
    running
        .fact(&id, "doubt", |fact| {
            matches!(fact, Fact::Unknown(_)).then_some(())
        })
        .await;
    assert_eq!(
        running.end(&id).await.state,
        State::Success,
        "the result tells that it was queued"
    );
    assert_eq!(demo.server().published_tasks().len(), 1);
}

#[tokio::test]
async fn a_queue_that_does_not_exist_returns_the_message() {
    let (_demo, mut running) = demo().await;
    let id = running.call_on("nowhere", "demo.math.add", vec![]).await;
    running
        .fact(&id, "return", |fact| {
            matches!(fact, Fact::Returned(_)).then_some(())
        })
        .await;
}

#[tokio::test]
async fn nothing_is_sent_while_the_broker_is_down() {
    let server = MemoryServer::new("test");
    server.refuse(true);
    let mut running = Running::on(Arc::new(server.broker()), Purpose::Screen);
    running
        .wait("refusal", |event| {
            matches!(
                event,
                Event::Link(LinkName::Broker, LinkState::Waiting { .. })
            )
            .then_some(())
        })
        .await;
    let id = running.call("demo.math.add", vec![]).await;
    let error = running
        .fact(&id, "refusal", |fact| match fact {
            Fact::Unsent(error) => Some(error),
            _ => None,
        })
        .await;
    assert_eq!(error.kind, crate::error::Kind::Unsent);
    server.refuse(false);
    running
        .wait("link", |event| {
            matches!(event, Event::Link(LinkName::Broker, LinkState::Up { .. })).then_some(())
        })
        .await;
    assert_eq!(
        server.published_tasks().len(),
        0,
        "a refused call is not kept for later"
    );
}

#[tokio::test]
async fn the_wait_for_the_next_try_grows_and_a_refresh_ends_it() {
    let server = MemoryServer::new("test");
    server.refuse(true);
    let mut running = Running::on(Arc::new(server.broker()), Purpose::Screen);
    let attempt = |event| match event {
        Event::Link(LinkName::Broker, LinkState::Waiting { attempt, .. }) if attempt >= 3 => {
            Some(attempt)
        }
        _ => None,
    };
    running.wait("third failure", attempt).await;
    server.refuse(false);
    running.client.send(Command::Refresh).await;
    running
        .wait("link", |event| {
            matches!(event, Event::Link(LinkName::Broker, LinkState::Up { .. })).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_broker_without_workers_ends_the_survey_at_once() {
    let mut best = Duration::MAX;
    // A machine under load may stop any one of them.
    for _ in 0..10 {
        let server = MemoryServer::new("test");
        let begun = std::time::Instant::now();
        let mut running = Running::on(Arc::new(server.broker()), Purpose::Tasks);
        running.surveyed().await;
        best = best.min(begun.elapsed());
        if best < Duration::from_millis(900) {
            return;
        }
    }
    panic!("after the whole second: {best:?}");
}

#[tokio::test]
async fn closing_leaves_none_of_our_queues_behind() {
    let (demo, mut running) = demo().await;
    let ours = |server: &MemoryServer| {
        server
            .queue_names()
            .into_iter()
            .filter(|name| name.starts_with("umbel."))
            .count()
    };
    assert!(ours(demo.server()) > 0);
    running.close().await;
    assert_eq!(ours(demo.server()), 0);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_too() {
    let demo = demo::start_alone();
    let Running { client, mut events } = Running::on(demo.broker(), Purpose::Call);
    drop(client);
    let closed = async { while !matches!(events.recv().await, None | Some(Event::Closed)) {} };
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_confirmed_revoke_reaches_the_worker_and_ends_the_task() {
    let (_demo, mut running) = demo().await;
    let id = running.call("demo.slow.sleep", vec![number("30")]).await;
    running
        .fact(&id, "start", |fact| {
            matches!(fact, Fact::Result(result) if result.state == State::Started).then_some(())
        })
        .await;
    running
        .client
        .send(Command::Revoke {
            id: id.clone(),
            terminate: true,
            confirmed: Confirmed::by_person(),
        })
        .await;
    assert_eq!(running.end(&id).await.state, State::Revoked);
}

#[tokio::test]
async fn a_running_task_is_seen_at_its_worker() {
    let (_demo, mut running) = demo().await;
    let id = running.call("demo.slow.sleep", vec![number("3")]).await;
    let place = running
        .fact(&id, "sighting", |fact| match fact {
            Fact::Seen { place, .. } => Some(place),
            _ => None,
        })
        .await;
    assert_eq!(place, crate::protocol::control::Place::Active);
}

#[tokio::test]
async fn a_call_that_somebody_else_sent_is_seen_at_its_worker_once_it_is_followed() {
    let (demo, mut theirs) = demo().await;
    let id = theirs.call("demo.slow.sleep", vec![number("3")]).await;
    let mut ours = Running::on(demo.broker(), Purpose::Call);
    ours.surveyed().await;
    ours.client.send(Command::Follow(id.clone())).await;
    let place = ours
        .fact(&id, "sighting", |fact| match fact {
            Fact::Seen { place, .. } => Some(place),
            _ => None,
        })
        .await;
    assert_eq!(place, crate::protocol::control::Place::Active);
}

/// What the workers were told about events, in order.
fn switches(demo: &Demo) -> Vec<String> {
    let requests = demo.server().published().into_iter();
    let requests = requests.filter(|published| published.target == Target::Pidbox);
    let bodies = requests.map(|request| {
        let body = String::from_utf8(request.message.body.clone()).unwrap();
        Json::parse_strict(&body).unwrap()
    });
    let method = |body: &Json| {
        body.get("method")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    bodies
        .filter(|body| method(body).ends_with("_events"))
        .map(|body| {
            format!(
                "{} {}",
                method(&body),
                body.get("destination").unwrap().to_wire()
            )
        })
        .collect()
}

#[tokio::test]
async fn the_end_of_a_task_without_a_result_is_heard_from_its_worker() {
    let (demo, mut running) = demo().await;
    let id = running
        .heard("demo.silent.ignored", "[]", Answer::Events)
        .await;
    let end = running.told(&id).await;
    assert!(
        matches!(end, TaskEventKind::Succeeded { result, .. } if result == "'nobody reads this'")
    );
    running.close().await;
    assert_eq!(
        switches(&demo),
        ["enable_events null", r#"disable_events ["alpha@demo"]"#]
    );
}

/// Somebody else wants events.
async fn switch_on(demo: &Demo) {
    let (incoming, _replies) = mpsc::channel(16);
    let link = demo.broker().connect(incoming).await.unwrap();
    let request = Request {
        method: Method::EnableEvents,
        destination: vec![],
        ticket: "other".to_owned(),
        reply_to: None,
    };
    link.broadcast(request.encode()).await.unwrap();
}

#[tokio::test]
async fn workers_that_send_events_anyway_are_left_alone() {
    let demo = demo::start_alone();
    switch_on(&demo).await;
    let mut running = Running::on(demo.broker(), Purpose::Call);
    running.surveyed().await;
    let id = running
        .heard("demo.fail.always", "[1]", Answer::Events)
        .await;
    assert!(matches!(
        running.told(&id).await,
        TaskEventKind::Failed { .. }
    ));
    running.close().await;
    assert_eq!(
        switches(&demo),
        ["enable_events null", "enable_events null"],
        "the first was not ours"
    );
}

#[tokio::test]
async fn events_end_with_the_last_call_that_needs_them() {
    let (demo, mut running) = demo().await;
    let slow = running
        .heard("demo.slow.sleep", "[0.5]", Answer::Events)
        .await;
    let quick = running
        .heard("demo.math.add", "[2, 3]", Answer::Events)
        .await;
    running.told(&quick).await;
    running.told(&slow).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while switches(&demo).len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(
        switches(&demo),
        ["enable_events null", r#"disable_events ["alpha@demo"]"#]
    );
}

#[tokio::test]
async fn a_call_that_is_left_in_the_air_leaves_the_workers_as_they_were() {
    let (demo, mut running) = demo().await;
    let id = running
        .heard("demo.slow.sleep", "[60]", Answer::Events)
        .await;
    running
        .fact(&id, "confirm", |fact| {
            matches!(fact, Fact::Confirmed).then_some(())
        })
        .await;
    running.close().await;
    assert_eq!(
        switches(&demo).last().map(String::as_str),
        Some(r#"disable_events ["alpha@demo"]"#)
    );
}

#[tokio::test]
async fn a_result_goes_before_an_event_and_tells_where_results_are() {
    let demo = demo::start_alone();
    let nowhere = ResultsSource::Given(Results::Unknown);
    let setup = Setup {
        broker: demo.broker(),
        results: nowhere,
        purpose: Purpose::Call,
        clock: Clock::default(),
        origin: "test".into(),
    };
    let (client, events) = start(setup);
    let mut running = Running { client, events };
    running.surveyed().await;
    let id = running
        .heard("demo.math.add", "[2, 3]", Answer::Either)
        .await;
    running
        .wait("results on the reply queue", |event| {
            matches!(event, Event::Results(Results::Rpc)).then_some(())
        })
        .await;
    assert_eq!(running.end(&id).await.value, number("5"));
}

#[tokio::test]
async fn where_both_may_come_the_event_is_taken_when_no_result_does() {
    let (_demo, mut running) = demo().await;
    let id = running
        .heard("demo.silent.ignored", "[]", Answer::Either)
        .await;
    assert!(matches!(
        running.told(&id).await,
        TaskEventKind::Succeeded { .. }
    ));
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_not_waited_for_and_named() {
    let (_demo, mut running) = demo().await;
    let signature = Signature {
        task: "demo.silent.ignored".into(),
        id: TaskId::random(),
        args: vec![],
        kwargs: vec![],
        options: Options::default(),
    };
    let order = Order {
        answer: Answer::Events,
        readers: vec!["alpha@demo".into(), "deaf@demo".into()],
        ..Order::to_queue(signature, &"celery".into())
    };
    let id = running.order(order).await;
    let warning = running
        .fact(&id, "a warning", |fact| match fact {
            Fact::Warning(text) => Some(text),
            _ => None,
        })
        .await;
    assert!(
        warning.contains("deaf@demo") && !warning.contains("alpha"),
        "{warning}"
    );
    running.told(&id).await;
}

#[tokio::test]
async fn while_the_broker_is_down_nothing_is_switched_on() {
    let (demo, mut running) = demo().await;
    demo.server().refuse(true);
    demo.server().cut();
    running
        .wait("loss", |event| {
            matches!(
                event,
                Event::Link(LinkName::Broker, LinkState::Waiting { .. })
            )
            .then_some(())
        })
        .await;
    let id = running
        .heard("demo.silent.ignored", "[]", Answer::Events)
        .await;
    running
        .fact(&id, "a refusal", |fact| {
            matches!(fact, Fact::Unsent(_)).then_some(())
        })
        .await;
    assert!(switches(&demo).is_empty() && demo.server().published_tasks().is_empty());
}

#[tokio::test]
async fn a_large_result_is_announced_and_keeps_nobody_waiting() {
    let (_demo, mut running) = demo().await;
    let id = running.call("demo.result.large", vec![number("2")]).await;
    let size = running
        .fact(&id, "its arrival", |fact| match fact {
            Fact::Arriving(size) => Some(size),
            _ => None,
        })
        .await;
    assert!(size > 1 << 20, "{size}");
    assert_eq!(running.end(&id).await.state, State::Success);
}

/// A screen beside the demo, after its first round of questions.
async fn screen(demo: &Demo) -> Running {
    let mut running = Running::on(demo.broker(), Purpose::Screen);
    running.surveyed().await;
    running
}

#[tokio::test]
async fn what_runs_is_asked_again_when_a_call_of_ours_starts() {
    let demo = demo::start_alone();
    let mut running = screen(&demo).await;
    let id = running.call("demo.slow.sleep", vec![number("30")]).await;
    let begun = std::time::Instant::now();
    running
        .wait("the task among those that run", |event| match event {
            Event::Heard(
                Heard::Answer {
                    answer: crate::cluster::Answer::Active(tasks),
                    ..
                },
                _,
            ) => tasks.iter().any(|task| task.id == id).then_some(()),
            _ => None,
        })
        .await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(3_500), "{took:?}");
}
