//! What is asked when: bounded, O(1) questions, never more than one of a kind outstanding (ux.md 2.9).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Actor, Done};
use crate::backend::Results;
use crate::broker::{Depth, Link, Reach};
use crate::call::Fact;
use crate::client::event::LinkName;
use crate::client::survey::Purpose;
use crate::clock::{Moment, Now};
use crate::cluster::{Answer, Heard, Question, SILENT_AFTER};
use crate::error::Error;
use crate::protocol::control::{Method, Place, Request};
use crate::protocol::{QueueName, State};

const DEPTH_EVERY: Duration = Duration::from_secs(1);
/// A queue that does not exist costs the broker a channel each time it is asked for.
const MISSING_EVERY: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WATCHED_EVERY: Duration = Duration::from_secs(2);
const LOAD_EVERY: Duration = Duration::from_secs(5);
/// How often at most what runs is asked because of our own calls.
const STIRRED_EVERY: Duration = Duration::from_secs(1);
/// How often at most who is there is asked because one has gone.
const DOUBT_EVERY: Duration = Duration::from_secs(1);
const TASKS_EVERY: Duration = Duration::from_secs(30);
/// The longest the actor sleeps.
const LONGEST: Duration = Duration::from_hours(1);

/// When what was asked last.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    ping: Moment,
    load: Moment,
    active: Moment,
    tasks: Moment,
    depth: Moment,
    missing: Moment,
    watched: bool,
    /// A call of ours was started or has ended since the workers were asked what they run.
    stirred: bool,
    /// A worker was heard that was not there when everybody was asked.
    newcomers: bool,
    /// Queues whose depth is being asked.
    asking: BTreeSet<QueueName>,
}

impl Schedule {
    pub(super) fn watch_workers(&mut self, watched: bool) {
        self.watched = watched;
    }

    pub(super) fn forget_outstanding(&mut self) {
        self.asking.clear();
    }

    fn ping_every(&self) -> Duration {
        if self.watched {
            PING_WATCHED_EVERY
        } else {
            PING_EVERY
        }
    }
}

/// A question on its way out.
pub(super) struct Announcement {
    request: Request,
    /// Whose reach is to be told.
    question: Option<Question>,
}

/// Sends questions one after the other, so that answers come in the order of the questions; ends with its line.
pub(super) async fn announce(
    link: Arc<dyn Link>,
    mut questions: mpsc::Receiver<Announcement>,
    done: mpsc::Sender<Done>,
) {
    while let Some(Announcement { request, question }) = questions.recv().await {
        if let Some(question) = question {
            // Told before it leaves: the first answer may come before the broker's confirm.
            let _ = done
                .send(Done::Asking(request.ticket.clone(), question))
                .await;
        }
        let reach = link.broadcast(request.encode()).await;
        let _ = done.send(Done::Reached(question, reach)).await;
    }
}

impl Actor {
    /// When something is due next.
    pub(super) fn next_due(&self) -> Moment {
        let now = self.now().mono;
        let retries = [self.broker.retry_at(), self.backend.retry_at()];
        let survey = self.survey.map(|survey| survey.ends(&self.cluster));
        let polls = self.polls().then(|| self.next_poll());
        let wakes = retries
            .into_iter()
            .chain([
                survey,
                polls,
                self.next_look(),
                self.ears.due(),
                self.investigation.due(),
            ])
            .flatten();
        wakes
            .min()
            .unwrap_or(now.after(LONGEST))
            .min(now.after(LONGEST))
    }

    /// Whether it goes on asking after the first round.
    fn polls(&self) -> bool {
        self.purpose == Purpose::Screen && self.broker.link().is_some()
    }

    /// A broker that is slow to answer is asked half as often.
    fn pace(&self, every: Duration) -> Duration {
        if self.broker.slow { every * 2 } else { every }
    }

    fn next_poll(&self) -> Moment {
        let schedule = &self.schedule;
        if schedule.newcomers {
            return self.now().mono;
        }
        let ping = schedule.ping.after(self.pace(schedule.ping_every()));
        let load = schedule.load.after(self.pace(LOAD_EVERY));
        let tasks = schedule.tasks.after(self.pace(TASKS_EVERY));
        let depth = schedule.depth.after(self.pace(DEPTH_EVERY));
        ping.min(load).min(tasks).min(depth)
    }

    pub(super) fn poll(&mut self, now: Now) {
        if !self.polls() {
            return;
        }
        if std::mem::take(&mut self.schedule.newcomers) {
            self.ask_settings();
            self.ask_tasks();
            self.ask_load();
        } else if now.mono.since(self.schedule.tasks) >= self.pace(TASKS_EVERY) {
            self.ask_tasks();
        }
        if self.doubts(now) {
            self.ask_ping();
        }
        if now.mono.since(self.schedule.ping) >= self.pace(self.schedule.ping_every()) {
            self.ask_ping();
            self.measure(LinkName::Broker);
            self.measure(LinkName::Backend);
        }
        if now.mono.since(self.schedule.load) >= self.pace(LOAD_EVERY) {
            self.ask_load();
        } else if self.schedule.stirred
            && now.mono.since(self.schedule.active) >= self.pace(STIRRED_EVERY)
        {
            self.ask_active();
        }
        if now.mono.since(self.schedule.depth) >= self.pace(DEPTH_EVERY) {
            self.schedule.depth = now.mono;
            let all = now.mono.since(self.schedule.missing) >= self.pace(MISSING_EVERY);
            if all {
                self.schedule.missing = now.mono;
            }
            let queues = self.cluster.queues.values();
            let due = queues.filter(|queue| all || !queue.missing);
            let due: Vec<QueueName> = due.map(|queue| queue.name.clone()).collect();
            for queue in due {
                self.ask_depth(queue);
            }
        }
    }

    /// Whether to ask now who is there: a worker has gone, or one has not answered another question for as long as makes one SILENT.
    fn doubts(&self, now: Now) -> bool {
        let schedule = &self.schedule;
        let late = schedule.ping < schedule.load
            && now.mono.since(schedule.load) >= SILENT_AFTER
            && self.cluster.awaited_since(schedule.load);
        let again = now.mono.since(schedule.ping) >= self.pace(DOUBT_EVERY);
        late || (again && self.cluster.wants_ping())
    }

    /// The user wants everything anew, now.
    pub(super) async fn refresh(&mut self) {
        self.redial_now().await;
        if self.broker.link().is_some() {
            self.ask_everything();
            self.measure(LinkName::Broker);
            self.measure(LinkName::Backend);
        }
    }

    /// The first round of questions.
    pub(super) fn ask_everything(&mut self) {
        let load = matches!(self.purpose, Purpose::Workers | Purpose::Screen);
        if load {
            self.ask_ping();
        }
        self.ask_tasks();
        self.ask_settings();
        if load {
            self.ask_load();
        } else if self.purpose == Purpose::Call {
            // Nobody waits for that; a worker that is silent later is told by its pool.
            self.ask(Method::Stats);
        }
        let queues: Vec<QueueName> = self.cluster.queues.keys().cloned().collect();
        for queue in queues {
            self.ask_depth(queue);
        }
    }

    fn ask_settings(&mut self) {
        self.ask(Method::Conf);
        if self.purpose != Purpose::Tasks {
            self.ask(Method::Report);
        }
    }

    pub(super) fn ask_tasks(&mut self) {
        self.schedule.tasks = self.now().mono;
        self.ask(Method::Registered {
            item: None,
            builtins: true,
        });
        self.ask(Method::Registered {
            item: Some("queue".to_owned()),
            builtins: true,
        });
        self.ask(Method::Registered {
            item: Some("ignore_result".to_owned()),
            builtins: true,
        });
        self.ask(Method::ActiveQueues);
    }

    pub(super) fn ask_load(&mut self) {
        self.schedule.load = self.now().mono;
        self.ask(Method::Stats);
        self.ask_active();
        self.ask(Method::Reserved);
    }

    fn ask_active(&mut self) {
        self.schedule.active = self.now().mono;
        self.schedule.stirred = false;
        self.ask(Method::Active);
    }

    /// A call of ours was started or has ended: what its worker runs is another now than it told last.
    pub(super) fn stirred_by(&mut self, fact: &Fact) {
        self.schedule.stirred |= match fact {
            Fact::Event(_) => true,
            Fact::Seen { place, .. } => *place == Place::Active,
            Fact::Result(result) => result.state == State::Started || result.state.is_final(),
            _ => false,
        };
    }

    pub(super) fn ask_ping(&mut self) {
        self.schedule.ping = self.now().mono;
        self.ask(Method::Ping);
    }

    /// A question leaves now: from here its answers are timed, and from here silence counts.
    pub(super) async fn asking(&mut self, ticket: &str, question: Question) {
        self.replies.leaves(ticket, self.now());
        if question == Question::Ping {
            let reach = Reach::Somebody;
            self.heard(Heard::Asked { question, reach }).await;
        }
    }

    /// Hands a question to the outgoing line; questions keep their order.
    pub(super) fn ask(&mut self, method: Method) {
        let Some(link) = self.broker.link() else {
            return;
        };
        let question = match method {
            Method::Registered { item: None, .. } => Some(Question::Registered),
            Method::Ping => Some(Question::Ping),
            _ => None,
        };
        let request = self.request(method, &*link);
        if let Some(line) = &self.line {
            // A full line means a stalled broker: this round is skipped, the next one comes.
            let _ = line.try_send(Announcement { request, question });
        }
    }

    pub(super) fn request(&mut self, method: Method, link: &dyn Link) -> Request {
        let now = self.now();
        let ticket = self.replies.ask(method.clone(), now);
        Request {
            method,
            destination: Vec::new(),
            ticket,
            reply_to: Some(link.reply_to()),
        }
    }

    pub(super) async fn reached(
        &mut self,
        question: Option<Question>,
        reach: Result<Reach, Error>,
    ) {
        match (question, reach) {
            (Some(question @ Question::Registered), Ok(reach)) => {
                self.heard(Heard::Asked { question, reach }).await;
            }
            (Some(Question::Ping), Ok(reach)) => self.heard(Heard::Reached(reach)).await,
            // It may not have left: nobody is SILENT for that.
            (Some(Question::Ping), Err(_)) => self.heard(Heard::NotAsked).await,
            // Where listeners are counted, every question tells whether one has gone.
            (None, Ok(reach @ Reach::Listeners(_))) if self.cluster.reach() != Some(reach) => {
                self.heard(Heard::Reached(reach)).await;
            }
            _ => {}
        }
    }

    pub(super) async fn answered(&mut self, heard: Heard) {
        let new: Vec<QueueName> = self.new_queues(&heard);
        if let Heard::Answer { node, .. } = &heard {
            self.schedule.newcomers |=
                self.survey.is_none() && !self.cluster.workers.contains_key(node);
        }
        self.heard(heard).await;
        let now = self.now().mono;
        if let Some(survey) = &mut self.survey {
            survey.heard(now);
        }
        for queue in new {
            self.ask_depth(queue);
        }
        let workers = self.cluster.workers.values();
        let (report, conf) = workers.fold((false, false), |(report, conf), worker| {
            (
                report || worker.report.is_some(),
                conf || worker.conf.is_some(),
            )
        });
        // The one names the backend, the other the options that say where in it results are.
        if report && conf {
            self.choose_results().await;
        }
    }

    /// Queues of an answer that are not known yet.
    fn new_queues(&self, heard: &Heard) -> Vec<QueueName> {
        let Heard::Answer {
            answer: Answer::Queues(queues),
            ..
        } = heard
        else {
            return Vec::new();
        };
        let names = queues.iter().map(|queue| queue.name.clone());
        names
            .filter(|name| !self.cluster.queues.contains_key(name))
            .collect()
    }

    /// Asks which queues the broker has, where it can tell.
    pub(super) fn list_queues(&self) {
        let Some(link) = self.broker.link() else {
            return;
        };
        let done = self.done.clone();
        tokio::spawn(async move {
            let _ = done.send(Done::Listed(link.listed().await)).await;
        });
    }

    /// One more queue to look at, now and from now on.
    pub(super) fn look_at(&mut self, queue: QueueName) {
        self.ask_depth(queue);
    }

    pub(super) fn ask_depth(&mut self, queue: QueueName) {
        let Some(link) = self.broker.link() else {
            return;
        };
        if !self.schedule.asking.insert(queue.clone()) {
            return;
        }
        let done = self.done.clone();
        let began = self.now().mono;
        tokio::spawn(async move {
            let depth = link.depth(&queue).await;
            let _ = done.send(Done::Depth(queue, began, depth)).await;
        });
    }

    pub(super) async fn depth(
        &mut self,
        queue: QueueName,
        began: Moment,
        depth: Result<Depth, Error>,
    ) {
        self.schedule.asking.remove(&queue);
        let now = self.now().mono;
        let empty = matches!(depth, Ok(Depth::Known { ready: 0, .. }));
        self.heard(Heard::Depth {
            queue: queue.clone(),
            depth: depth.map_err(|error| error.message),
            took: now.since(began),
        })
        .await;
        self.look_closer(queue, began, empty);
        if let Some(survey) = &mut self.survey {
            survey.heard(now);
        }
    }

    pub(super) async fn end_survey_if_due(&mut self, now: Now) {
        let over = self
            .survey
            .is_some_and(|survey| now.mono >= survey.ends(&self.cluster));
        if !over {
            return;
        }
        self.survey = None;
        if self.results.is_none() {
            self.choose_results().await;
        }
        if self.results.is_none() && self.purpose != Purpose::Tasks {
            self.set_results_for_now().await;
        }
        self.heard(Heard::Surveyed).await;
    }

    /// Nobody told: say so, and go on listening for an answer.
    async fn set_results_for_now(&mut self) {
        self.tell(crate::client::Event::Results(Results::Unknown))
            .await;
    }
}
