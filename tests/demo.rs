//! The demo through the `Broker` trait, as the program sees it: real messages in, real results and replies out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use tokio::sync::mpsc;
use tokio::time::timeout;

use umbel::broker::memory::MemoryServer;
use umbel::broker::{Delivery, Depth, Held, Incoming, Link, Reach, Route};
use umbel::clock::Timestamp;
use umbel::demo::{self, Demo};
use umbel::protocol::control::{self, Method, Place, Reply, Request};
use umbel::protocol::message::Sender;
use umbel::protocol::{
    Json, Message, NodeName, Options, QueueName, Signature, State, TaskId, TaskName, TaskResult,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// A client of the demo: sends calls and control requests, sorts what comes back.
struct Client {
    link: Arc<dyn Link>,
    incoming: mpsc::Receiver<Incoming>,
    results: VecDeque<TaskResult>,
    replies: VecDeque<Reply>,
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("in time")
}

impl Client {
    async fn connect(demo: &Demo) -> Self {
        let (sender, incoming) = mpsc::channel(1024);
        Self {
            link: demo.broker().connect(sender).await.unwrap(),
            incoming,
            results: VecDeque::new(),
            replies: VecDeque::new(),
        }
    }

    async fn send(&self, call: Call) -> (TaskId, Delivery) {
        let message = call.signature.encode(&self.sender(call.age)).unwrap();
        let delivery = self
            .link
            .publish(&Route::to_queue(&call.queue), message)
            .await;
        (call.signature.id, delivery)
    }

    fn sender(&self, age: Duration) -> Sender {
        Sender {
            origin: "gen1@test".to_owned(),
            reply_to: Some(self.link.result_queue()),
            now: Timestamp::now().checked_sub(age).unwrap(),
        }
    }

    async fn confirmed(&self, call: Call) -> TaskId {
        let (id, delivery) = self.send(call).await;
        assert_eq!(delivery, Delivery::Confirmed);
        id
    }

    async fn hear(&mut self) {
        match within(self.incoming.recv()).await.expect("still connected") {
            Incoming::Result { message, tag } => {
                self.link.ack(tag).await;
                let id = TaskId(message.properties.correlation_id.clone().unwrap());
                let content_type = message.properties.content_type.as_deref();
                let result = TaskResult::parse(&message.body, content_type, &id).unwrap();
                self.results.push_back(result);
            }
            Incoming::Reply(message) => self.replies.push_back(Reply::parse(&message).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    async fn result(&mut self) -> TaskResult {
        while self.results.is_empty() {
            self.hear().await;
        }
        self.results.pop_front().unwrap()
    }

    /// All states of a call up to its last; results of others are dropped.
    async fn states(&mut self, id: &TaskId) -> Vec<TaskResult> {
        let mut states = Vec::new();
        loop {
            let result = self.result().await;
            if result.id == *id {
                let last = result.state.is_final();
                states.push(result);
                if last {
                    return states;
                }
            }
        }
    }

    async fn call(&mut self, call: Call) -> Vec<TaskResult> {
        let id = self.confirmed(call).await;
        self.states(&id).await
    }

    async fn last(&mut self, call: Call) -> TaskResult {
        self.call(call).await.pop().unwrap()
    }

    async fn ask(&mut self, method: Method, nodes: &[&str]) -> Vec<Reply> {
        let request = Request {
            method,
            destination: nodes.iter().map(|node| NodeName::from(*node)).collect(),
            ticket: "ticket".to_owned(),
            reply_to: Some(self.link.reply_to()),
        };
        self.broadcast(request.encode(), nodes.len()).await
    }

    async fn broadcast(&mut self, request: Message, replies: usize) -> Vec<Reply> {
        assert_eq!(self.link.broadcast(request).await, Ok(Reach::Somebody));
        while self.replies.len() < replies {
            self.hear().await;
        }
        let mut replies: Vec<Reply> = self.replies.drain(..).collect();
        replies.sort_by_key(|reply| reply.node.clone());
        replies
    }

    /// What alpha answers.
    async fn alpha(&mut self, method: Method) -> Json {
        let replies = self.ask(method, &["alpha@demo"]).await;
        assert_eq!(replies[0].ticket, "ticket");
        replies.into_iter().next().unwrap().value.unwrap()
    }

    /// Waits until alpha runs `count` tasks.
    async fn busy(&mut self, count: usize) {
        let waiting = async {
            while control::held_tasks(&self.alpha(Method::Active).await).len() != count {}
        };
        within(waiting).await;
    }
}

/// A call under construction.
struct Call {
    signature: Signature,
    queue: QueueName,
    /// How long ago it was sent.
    age: Duration,
}

fn call(task: &str, args: &str) -> Call {
    let Ok(Json::List(args)) = Json::parse_strict(args) else {
        panic!("args are a list");
    };
    Call {
        signature: Signature {
            task: TaskName::from(task),
            id: TaskId::random(),
            args,
            kwargs: Vec::new(),
            options: Options::default(),
        },
        queue: QueueName::from("celery"),
        age: Duration::ZERO,
    }
}

impl Call {
    fn keyword(mut self, name: &str, value: &str) -> Self {
        let value = Json::parse_strict(value).unwrap();
        self.signature.kwargs.push((name.to_owned(), value));
        self
    }

    fn ignore_result(mut self, ignore: bool) -> Self {
        self.signature.options.ignore_result = Some(ignore);
        self
    }
}

fn words(states: &[TaskResult]) -> Vec<&str> {
    states.iter().map(|result| result.state.as_str()).collect()
}

fn headline(result: &TaskResult) -> String {
    result.exception.as_ref().unwrap().headline()
}

#[tokio::test]
async fn a_call_is_started_and_succeeds_with_its_result() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let states = client.call(call("demo.math.add", "[2, 3]")).await;
    assert_eq!(words(&states), ["STARTED", "SUCCESS"]);
    assert_eq!(states[0].worker, Some(NodeName::from("alpha@demo")));
    assert!(states[0].pid.is_some());
    assert_eq!(states[1].value, Json::from(5));
    assert!(states[1].done_at.is_some());
}

#[tokio::test]
async fn a_call_of_an_unknown_queue_is_returned() {
    let demo = demo::start_alone();
    let client = Client::connect(&demo).await;
    let lost = Call {
        queue: QueueName::from("nowhere"),
        ..call("demo.math.add", "[2, 3]")
    };
    let (_, delivery) = client.send(lost).await;
    assert!(matches!(delivery, Delivery::Returned(_)));
}

#[rstest]
#[case(
    "demo.math.add",
    "[2]",
    "TypeError: add() missing 1 required positional argument: 'y'"
)]
#[case(
    "demo.math.add",
    "[1,2,3]",
    "TypeError: add() takes 2 positional arguments but 3 were given"
)]
#[case(
    "demo.math.add",
    r#"[1,"2"]"#,
    "TypeError: unsupported operand type(s) for +: 'int' and 'str'"
)]
#[case(
    "demo.unicode",
    "[1]",
    "TypeError: unicode() takes 0 positional arguments but 1 was given"
)]
#[case(
    "demo.slow.sleep",
    "[-1]",
    "ValueError: sleep length must be non-negative"
)]
#[case(
    "demo.slow.sleep",
    r#"["a"]"#,
    "TypeError: 'str' object cannot be interpreted as an integer"
)]
#[case(
    "demo.result.large",
    "[99]",
    "ValueError: megabytes must be between 0 and 64"
)]
#[case(
    "demo.progress.count",
    "[1e9]",
    "TypeError: 'float' object cannot be interpreted as an integer"
)]
#[case("celery.chain", "[]", "NotImplementedError: chain is not a real task")]
#[tokio::test]
async fn wrong_arguments_fail_with_pythons_words(
    #[case] task: &str,
    #[case] args: &str,
    #[case] text: &str,
) {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let failure = client.last(call(task, args)).await;
    assert_eq!(failure.state, State::Failure);
    assert_eq!(headline(&failure), text);
    let traceback = failure.traceback.unwrap();
    assert!(traceback.starts_with("Traceback (most recent call last):\n  File \""));
    assert!(traceback.ends_with(&format!("{text}\n")));
}

#[tokio::test]
async fn an_unexpected_keyword_fails_with_pythons_words() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let failure = client
        .last(call("demo.math.add", "[1,2]").keyword("z", "3"))
        .await;
    let text = "TypeError: add() got an unexpected keyword argument 'z'";
    assert_eq!(headline(&failure), text);
}

#[rstest]
#[case("demo.math.add", r#"["客", "戶"]"#, r#""客戶""#)]
#[case(
    "demo.math.add",
    "[1180591620717411303424, 1]",
    "1180591620717411303425"
)]
#[case(
    "demo.text.echo",
    r#"[{"a": [1.10, null, true]}]"#,
    r#"{"a":[1.1,null,true]}"#
)]
#[case("demo.text.echo", "[1, 2]", "[1,2]")]
#[case("demo.slow.sleep", "[0.01]", "0.01")]
#[case(
    "celery.accumulate",
    r#"[1, "ping", {"k": 2}]"#,
    r#"[1,"ping",{"k":2}]"#
)]
#[tokio::test]
async fn tasks_return_what_they_say(#[case] task: &str, #[case] args: &str, #[case] result: &str) {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    assert_eq!(client.last(call(task, args)).await.value.to_wire(), result);
}

#[tokio::test]
async fn a_failure_brings_a_chained_traceback_and_a_chinese_message() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let failure = client.last(call("demo.fail.always", "[]")).await;
    let exception = failure.exception.clone().unwrap();
    assert_eq!(exception.kind, "InvoiceError");
    assert_eq!(exception.module.as_deref(), Some("demo.billing.errors"));
    assert!(headline(&failure).contains("資料庫連線遭拒"));
    let traceback = failure.traceback.unwrap();
    assert!(traceback.contains("The above exception was the direct cause"));
    assert!(traceback.contains("/site-packages/psycopg/"));
    assert_eq!(traceback.matches("  File \"").count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_retried_task_is_retried_twice_and_succeeds() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let states = client.call(call("demo.fail.retry", "[]")).await;
    assert_eq!(
        words(&states),
        ["STARTED", "RETRY", "STARTED", "RETRY", "STARTED", "SUCCESS"]
    );
    assert_eq!(headline(&states[1]), "ConnectionError: 付款閘道沒有回應");
    assert!(
        states[1]
            .traceback
            .as_ref()
            .unwrap()
            .contains("Retry in 0.4s")
    );
    assert_eq!(states[5].value.to_wire(), r#"{"attempts":3}"#);
}

#[tokio::test]
async fn progress_is_told_step_by_step() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let states = client
        .call(call("demo.progress.count", "[2]").keyword("delay", "0"))
        .await;
    assert_eq!(
        words(&states),
        ["STARTED", "PROGRESS", "PROGRESS", "SUCCESS"]
    );
    assert_eq!(states[1].value.to_wire(), r#"{"current":1,"total":2}"#);
    assert_eq!(states[3].value.to_wire(), r#"{"counted":2}"#);
}

#[tokio::test]
async fn a_large_result_is_as_large_as_asked_and_readable() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let result = client.last(call("demo.result.large", "[2]")).await;
    assert!((2 << 20..(2 << 20) + 4096).contains(&result.size));
    let customers = result.value.get("customers").unwrap();
    assert!(customers.as_list().unwrap().len() > 1000);
}

#[tokio::test]
async fn hard_text_arrives_as_it_is() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let value = client.last(call("demo.unicode", "[]")).await.value;
    let text = value.to_wire();
    assert!(text.contains("客戶") && text.contains("👨\u{200d}👩") && text.contains("שלום"));
    let escapes = value.get("escape sequences").unwrap().to_wire();
    assert!(escapes.contains("\\u001b]52;c;"));
}

#[rstest]
#[case("demo.silent.ignored", None, false)]
#[case("demo.silent.ignored", Some(true), false)]
#[case("demo.silent.ignored", Some(false), true)]
#[case("demo.text.echo", Some(true), false)]
#[tokio::test]
async fn a_result_is_sent_only_if_it_is_wanted(
    #[case] task: &str,
    #[case] ignore: Option<bool>,
    #[case] sent: bool,
) {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let first = match ignore {
        Some(ignore) => call(task, "[]").ignore_result(ignore),
        None => call(task, "[]"),
    };
    let id = client.confirmed(first).await;
    // The one slot that matters: results come in the order of the calls, so this one's end tells that the first has none.
    while control::stats(&client.alpha(Method::Stats).await).total != Some(1) {}
    client.busy(0).await;
    let next = client.confirmed(call("demo.text.echo", "[]")).await;
    assert_eq!(client.result().await.id, if sent { id } else { next });
}

#[tokio::test]
async fn an_unknown_task_is_not_registered() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let states = client.call(call("no.such.task", "[]")).await;
    assert_eq!(words(&states), ["FAILURE"]);
    assert!(states[0].exception.as_ref().unwrap().is_not_registered());
    assert_eq!(states[0].traceback, None);
}

#[tokio::test]
async fn a_call_that_came_too_late_is_expired() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let mut late = call("demo.math.add", "[2, 3]");
    late.signature.options.expires = Some(Duration::from_mins(1));
    late.age = Duration::from_secs(61);
    let states = client.call(late).await;
    assert_eq!(words(&states), ["REVOKED"]);
    assert!(states[0].exception.as_ref().unwrap().is_expired());
}

#[tokio::test]
async fn a_running_task_is_killed_by_revoke_with_terminate() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let id = client.confirmed(call("demo.slow.sleep", "[3600]")).await;
    assert_eq!(client.result().await.state, State::Started);
    let terminate = Method::Revoke {
        id: id.clone(),
        terminate: Some(control::Signal::default()),
    };
    let answer = client.alpha(terminate).await;
    assert_eq!(
        answer.get("ok").unwrap().as_str(),
        Some(format!("terminate: {id}").as_str())
    );
    let killed = client.result().await;
    assert!(killed.exception.unwrap().is_terminated());
    client.busy(0).await;
}

#[tokio::test]
async fn a_task_revoked_while_it_waits_for_a_slot_never_starts() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(client.confirmed(call("demo.slow.sleep", "[3600]")).await);
    }
    client.busy(4).await;
    let waiting = client.confirmed(call("demo.math.add", "[2, 3]")).await;
    let asked = Method::QueryTask(vec![waiting.clone(), running[0].clone(), "nope".into()]);
    while control::held_tasks(&client.alpha(Method::Reserved).await).is_empty() {}
    let mut places = control::places(&client.alpha(asked).await);
    places.sort_by_key(|(id, ..)| *id != waiting);
    assert_eq!((&places[0].0, places[0].1), (&waiting, Place::Reserved));
    assert_eq!((&places[1].0, places[1].1), (&running[0], Place::Active));
    assert_eq!(places.len(), 2);

    let revoke = |id: &TaskId, terminate| Method::Revoke {
        id: id.clone(),
        terminate: bool::then(terminate, control::Signal::default),
    };
    let answer = client.alpha(revoke(&waiting, false)).await;
    let flagged = format!("tasks {{'{waiting}'}} flagged as revoked");
    assert_eq!(answer.get("ok").unwrap().as_str(), Some(flagged.as_str()));
    client.alpha(revoke(&running[0], true)).await;
    let states = client.states(&waiting).await;
    assert_eq!(words(&states), ["REVOKED"]);
    assert_eq!(headline(&states[0]), "TaskRevokedError: revoked");
}

#[tokio::test]
async fn a_worker_tells_its_tasks_and_their_items() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let registered = |item: Option<&str>, builtins| Method::Registered {
        item: item.map(str::to_owned),
        builtins,
    };
    let names = control::registered_names(&client.alpha(registered(None, false)).await);
    assert_eq!(names, demo::TASK_NAMES.map(TaskName::from));
    let all = control::registered_names(&client.alpha(registered(None, true)).await);
    assert_eq!(all.len(), names.len() + 9);
    assert!(all.is_sorted());

    let ignore = client.alpha(registered(Some("ignore_result"), true)).await;
    let ignore = control::registered_item(&all, "ignore_result", &ignore).unwrap();
    let of = |values: &[Option<String>], name: &str| {
        let at = all.iter().position(|task| task.as_str() == name).unwrap();
        values[at].clone()
    };
    assert_eq!(of(&ignore, "demo.silent.ignored").as_deref(), Some("True"));
    assert_eq!(of(&ignore, "demo.math.add").as_deref(), Some("False"));
    let queue = client.alpha(registered(Some("queue"), true)).await;
    let queue = control::registered_item(&all, "queue", &queue).unwrap();
    assert_eq!(of(&queue, "demo.result.large").as_deref(), Some("celery"));
    assert_eq!(of(&queue, "demo.math.add"), None);
}

#[tokio::test]
async fn a_worker_tells_its_settings_and_its_pool() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let queues = control::active_queues(&client.alpha(Method::ActiveQueues).await);
    assert_eq!(queues[0].name, QueueName::from("celery"));
    let conf = control::conf(&client.alpha(Method::Conf).await);
    assert_eq!(conf.result_backend.as_deref(), Some("rpc://"));
    assert_eq!(conf.track_started, Some(true));
    let report = control::report(&client.alpha(Method::Report).await);
    assert_eq!(report.celery.as_deref(), Some("5.7.0"));
    assert_eq!(report.results.as_deref(), Some("rpc://"));
    client.last(call("demo.text.echo", "[]")).await;
    let stats = control::stats(&client.alpha(Method::Stats).await);
    assert_eq!(stats.pool.as_deref(), Some("prefork"));
    assert_eq!((stats.slots, stats.total), (Some(4), Some(1)));
    assert_eq!((stats.pid, stats.prefetch), (Some(4100), Some(16)));
}

#[tokio::test]
async fn an_unknown_command_is_a_key_error() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let request = Request {
        method: Method::Ping,
        destination: Vec::new(),
        ticket: "t".to_owned(),
        reply_to: Some(client.link.reply_to()),
    };
    let mut message = request.encode();
    let body = String::from_utf8(message.body).unwrap();
    message.body = body.replace("\"ping\"", "\"nosuch\"").into_bytes();
    let replies = client.broadcast(message, 1).await;
    assert_eq!(replies[0].value, Err("KeyError('nosuch')".to_owned()));
}

#[tokio::test]
async fn a_result_that_came_while_the_connection_was_gone_is_found() {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    let id = client.confirmed(call("demo.slow.sleep", "[0.05]")).await;
    client.busy(1).await;
    demo.server().cut();
    let results = client.link.result_queue();
    let finished = |server: &MemoryServer| !server.messages(&results).is_empty();
    within(demo.server().wait_until(finished)).await;
    let mut client = Client::connect(&demo).await;
    assert_eq!(
        client.states(&id).await.pop().unwrap().state,
        State::Success
    );
}

fn malformed(change: impl FnOnce(&mut Message)) -> Message {
    let sender = Sender {
        origin: "gen1@test".to_owned(),
        reply_to: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let mut message = call("demo.math.add", "[2, 3]")
        .signature
        .encode(&sender)
        .unwrap();
    change(&mut message);
    message
}

#[rstest]
#[case::no_id(malformed(|message| message.headers.retain(|(name, _)| name != "id")))]
#[case::no_content_type(malformed(|message| message.properties.content_type = None))]
#[case::two_elements(malformed(|message| message.body = b"[[2, 3], {}]".to_vec()))]
#[case::empty(malformed(|message| message.body.clear()))]
#[tokio::test]
async fn a_malformed_message_kills_the_worker_and_stays_in_the_queue(#[case] message: Message) {
    let demo = demo::start_alone();
    let client = Client::connect(&demo).await;
    client
        .link
        .publish(&Route::to_queue(&"celery".into()), message)
        .await;
    within(
        demo.server()
            .wait_until(|server| server.consumers("celery") == 0),
    )
    .await;
    assert_eq!(demo.server().queue_depth("celery"), Some(1));
}

#[rstest]
#[case::another_serializer(malformed(|message| {
    message.properties.content_type = Some("application/x-msgpack".to_owned());
}))]
#[case::not_json(malformed(|message| message.body = b"[[2, 3], {}, ".to_vec()))]
#[case::unknown_type(malformed(|message| {
    message.body = br#"[[{"__type__": "odd", "__value__": 1}], {}, {}]"#.to_vec();
}))]
#[tokio::test]
async fn an_unreadable_message_is_lost_and_the_worker_lives(#[case] message: Message) {
    let demo = demo::start_alone();
    let mut client = Client::connect(&demo).await;
    client
        .link
        .publish(&Route::to_queue(&"celery".into()), message)
        .await;
    let gone = |server: &MemoryServer| server.unacked("celery") == 0;
    within(demo.server().wait_until(gone)).await;
    assert_eq!(demo.server().queue_depth("celery"), Some(0));
    assert_eq!(
        client.last(call("demo.math.add", "[2, 3]")).await.value,
        Json::from(5)
    );
}

const EVERYBODY: [&str; 3] = ["alpha@demo", "beta@demo", "gamma@demo"];

#[tokio::test]
async fn everybody_answers_at_first() {
    let demo = demo::start();
    let mut client = Client::connect(&demo).await;
    let replies = client.ask(Method::Ping, &EVERYBODY).await;
    let nodes: Vec<NodeName> = replies.iter().map(|reply| reply.node.clone()).collect();
    assert_eq!(nodes, demo::worker_names());
}

#[tokio::test(start_paused = true)]
async fn gamma_falls_silent_and_its_mail_waits() {
    let demo = demo::start();
    let mut client = Client::connect(&demo).await;
    client.ask(Method::Ping, &EVERYBODY).await;
    within(
        demo.server()
            .wait_until(|server| server.queue_depth("mail") == Some(3)),
    )
    .await;
    let replies = client.ask(Method::Ping, &EVERYBODY[..2]).await;
    assert_eq!(replies.len(), 2);
    let mail = client.link.depth(&QueueName::from("mail")).await;
    let known = Depth::Known {
        ready: 3,
        held: Held::Unknown,
        held_ago: Duration::ZERO,
        rates: None,
        consumers: Some(1),
    };
    assert_eq!(mail, Ok(known));
    // Well beyond any patience the other two have answered again, and the request to gamma lies unread.
    client.link.broadcast(ping(&client)).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    client.hear().await;
    client.hear().await;
    assert!(client.incoming.try_recv().is_err());
    assert!(demo.server().unacked("gamma@demo.celery.pidbox") > 0);
}

fn ping(client: &Client) -> Message {
    let request = Request {
        method: Method::Ping,
        destination: Vec::new(),
        ticket: "later".to_owned(),
        reply_to: Some(client.link.reply_to()),
    };
    request.encode()
}

#[tokio::test(start_paused = true)]
async fn beta_is_always_busy_while_its_queue_grows_and_drains() {
    let demo = demo::start();
    let mut client = Client::connect(&demo).await;
    let mut depths = Vec::new();
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        depths.push(demo.server().queue_depth("reports").unwrap());
        let replies = client.ask(Method::Active, &["beta@demo"]).await;
        let active = control::held_tasks(replies[0].value.as_ref().unwrap());
        assert_eq!(active.len(), 2);
    }
    let (least, most) = (depths.iter().min().unwrap(), depths.iter().max().unwrap());
    assert!(*least > 0 && *most < 60, "{least} to {most}");
    assert!(most - least > 15, "{least} to {most}");
    let changes = depths.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 150, "{changes} changes");
}

#[tokio::test]
async fn everything_stops_when_the_demo_is_dropped() {
    let demo = demo::start();
    let server = demo.server().clone();
    let client = Client::connect(&demo).await;
    drop(demo);
    within(server.wait_until(|server| server.consumers("celery") == 0)).await;
    within(server.wait_until(|server| server.consumers("mail") == 0)).await;
    within(server.wait_until(|server| server.consumers("reports") == 0)).await;
    assert_eq!(
        client.link.broadcast(ping(&client)).await,
        Ok(Reach::Nobody)
    );
}
