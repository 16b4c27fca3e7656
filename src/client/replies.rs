//! Which question a control reply answers. Pure: tickets in, meaning out.

use std::collections::HashMap;
use std::time::Duration;

use crate::call::diagnosis::Looked;
use crate::clock::{Moment, Now, Timestamp};
use crate::cluster::{Answer, Heard};
use crate::protocol::control::{self, HeldTask, Method, Place, Reply, ScheduledTask};
use crate::protocol::{Json, NodeName, TaskId, TaskName};

/// How long an answer is still expected: a solo worker answers only when its task ends.
const REMEMBERED: Duration = Duration::from_mins(10);

/// A question whose answers are awaited.
#[derive(Clone, Debug)]
struct Pending {
    method: Method,
    at: Moment,
}

/// What a reply means.
#[derive(Debug, PartialEq)]
pub enum Meaning {
    /// Something about the cluster.
    Heard(Heard),
    /// Where tasks of ours are.
    Places {
        /// Who says so.
        node: NodeName,
        /// What was asked.
        looked: Looked,
        /// The tasks that were asked for; empty: all.
        about: Vec<TaskId>,
        /// When they were asked for.
        asked: Moment,
        /// Those that are there.
        places: Vec<Found>,
    },
    /// The answer to a revoke.
    Revoked(TaskId, NodeName, Result<String, String>),
    /// The answer to `enable_events`; `None` if the worker cannot.
    Switched(NodeName, Option<Switched>),
    /// Nobody asked, or it was too long ago.
    Nothing,
}

/// A task, where it is, and when it may start if that was told.
pub type Found = (TaskId, Place, HeldTask, Option<Timestamp>);

/// What `enable_events` changed at a worker. One that was started with `-E` sends before and after, whatever it is told (protocol.md 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It sends task events from now on, because we asked.
    Now,
    /// It sent them before.
    Before,
}

/// The open questions, and the task names each worker told last (an item's answer cannot be read without them).
#[derive(Debug, Default)]
pub struct Replies {
    pending: HashMap<String, Pending>,
    names: HashMap<NodeName, Vec<TaskName>>,
}

impl Replies {
    /// A new question; returns its ticket.
    pub fn ask(&mut self, method: Method, now: Now) -> String {
        self.pending
            .retain(|_, pending| now.mono.since(pending.at) < REMEMBERED);
        let ticket = TaskId::random().0;
        self.pending.insert(
            ticket.clone(),
            Pending {
                method,
                at: now.mono,
            },
        );
        ticket
    }

    /// The question of this ticket leaves only now: its answers are timed from here.
    pub fn leaves(&mut self, ticket: &str, now: Now) {
        if let Some(pending) = self.pending.get_mut(ticket) {
            pending.at = now.mono;
        }
    }

    /// What `reply` means.
    pub fn meaning(&mut self, reply: Reply, now: Now) -> Meaning {
        let Some(Pending { method, at }) = self.pending.get(&reply.ticket).cloned() else {
            return Meaning::Nothing;
        };
        let Reply { node, value, .. } = reply;
        if let Method::Revoke { id, .. } = method {
            return Meaning::Revoked(id, node, value.map(|value| words(&value)));
        }
        if method == Method::EnableEvents {
            let switched = value.ok().and_then(|value| switched(&words(&value)));
            return Meaning::Switched(node, switched);
        }
        let value = match value {
            Ok(value) => value,
            Err(reason) => return unreadable(node, reason),
        };
        if let Method::QueryTask(about) = method {
            let places = control::places(&value).into_iter();
            return Meaning::Places {
                node,
                looked: Looked::Tasks,
                about,
                asked: at,
                places: places
                    .map(|(id, place, task)| (id, place, task, None))
                    .collect(),
            };
        }
        if method == Method::Scheduled {
            let found = |it: ScheduledTask| (it.task.id.clone(), Place::Scheduled, it.task, it.eta);
            return Meaning::Places {
                node,
                looked: Looked::Scheduled,
                about: Vec::new(),
                asked: at,
                places: control::scheduled(&value).into_iter().map(found).collect(),
            };
        }
        match self.answer(&node, &method, &value) {
            Some(answer) => Meaning::Heard(Heard::Answer {
                node,
                answer,
                took: now.mono.since(at),
            }),
            None => unreadable(node, "its task list changed while it was asked".to_owned()),
        }
    }

    fn answer(&mut self, node: &NodeName, method: &Method, value: &Json) -> Option<Answer> {
        Some(match method {
            Method::Registered { item: None, .. } => {
                let names = control::registered_names(value);
                self.names.insert(node.clone(), names.clone());
                Answer::Tasks(names)
            }
            Method::Registered {
                item: Some(item), ..
            } => {
                let names = self.names.get(node)?;
                let values = control::registered_item(names, item, value)?;
                let told = names
                    .iter()
                    .cloned()
                    .zip(values)
                    .filter_map(|(name, value)| Some((name, value?)));
                Answer::Item {
                    item: item.clone(),
                    values: told.collect(),
                }
            }
            Method::ActiveQueues => Answer::Queues(control::active_queues(value)),
            Method::Stats => Answer::Stats(control::stats(value)),
            Method::Active => Answer::Active(control::held_tasks(value)),
            Method::Reserved => Answer::Reserved(control::held_tasks(value)),
            Method::Conf => Answer::Conf(Box::new(control::conf(value))),
            Method::Report => Answer::Report(control::report(value)),
            Method::Ping
            | Method::QueryTask(_)
            | Method::Revoke { .. }
            | Method::Scheduled
            | Method::EnableEvents
            | Method::DisableEvents => Answer::Pong,
        })
    }

    /// Forgets the task names of workers that are gone.
    pub fn forget(&mut self, gone: impl Fn(&NodeName) -> bool) {
        self.names.retain(|node, _| !gone(node));
    }
}

/// Celery's own words, the same in 5.3 to 5.7.
fn switched(words: &str) -> Option<Switched> {
    match words {
        "task events enabled" => Some(Switched::Now),
        "task events already enabled" => Some(Switched::Before),
        _ => None,
    }
}

fn unreadable(node: NodeName, reason: String) -> Meaning {
    Meaning::Heard(Heard::Unreadable {
        node: Some(node),
        reason,
    })
}

/// The text of `{"ok": text}`, else the JSON itself.
fn words(value: &Json) -> String {
    value
        .get("ok")
        .and_then(Json::as_str)
        .map_or_else(|| value.to_wire(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(ticket: &str, value: &str) -> Reply {
        let value = Json::parse_strict(value).unwrap();
        Reply {
            ticket: ticket.to_owned(),
            node: "w1@host".into(),
            value: Ok(value),
        }
    }

    fn at(seconds: u64) -> Now {
        Now::fixed(Duration::from_secs(seconds))
    }

    #[test]
    fn a_reply_without_a_question_of_ours_means_nothing() {
        assert_eq!(
            Replies::default().meaning(reply("x", "{}"), at(0)),
            Meaning::Nothing
        );
    }

    #[test]
    fn a_pong_tells_how_long_it_took() {
        let mut replies = Replies::default();
        let ticket = replies.ask(Method::Ping, at(1));
        let Meaning::Heard(Heard::Answer { answer, took, .. }) =
            replies.meaning(reply(&ticket, r#"{"ok":"pong"}"#), at(3))
        else {
            panic!("no answer");
        };
        assert_eq!((answer, took), (Answer::Pong, Duration::from_secs(2)));
    }

    #[test]
    fn an_item_is_read_against_the_names_of_the_same_worker() {
        let mut replies = Replies::default();
        let names = replies.ask(
            Method::Registered {
                item: None,
                builtins: true,
            },
            at(0),
        );
        replies.meaning(reply(&names, r#"["a","b"]"#), at(0));
        let item = replies.ask(
            Method::Registered {
                item: Some("queue".into()),
                builtins: true,
            },
            at(0),
        );
        let Meaning::Heard(Heard::Answer { answer, .. }) =
            replies.meaning(reply(&item, r#"["a [queue=mail]","b"]"#), at(0))
        else {
            panic!("no answer");
        };
        assert_eq!(
            answer,
            Answer::Item {
                item: "queue".into(),
                values: vec![("a".into(), "mail".into())]
            }
        );
    }

    #[test]
    fn an_error_of_the_worker_is_told_with_its_words() {
        let mut replies = Replies::default();
        let ticket = replies.ask(Method::Stats, at(0));
        let broken = Reply {
            value: Err("KeyError('x')".into()),
            ..reply(&ticket, "{}")
        };
        assert!(
            matches!(replies.meaning(broken, at(0)), Meaning::Heard(Heard::Unreadable { reason, .. }) if reason.contains("KeyError"))
        );
    }

    #[test]
    fn a_question_is_forgotten_after_ten_minutes() {
        let mut replies = Replies::default();
        let ticket = replies.ask(Method::Ping, at(0));
        replies.ask(Method::Ping, at(601));
        assert_eq!(
            replies.meaning(reply(&ticket, r#"{"ok":"pong"}"#), at(601)),
            Meaning::Nothing
        );
    }
}
