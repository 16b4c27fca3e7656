//! In which form the message is written: one that the workers who read it accept. Pure.

use crate::cluster::{Cluster, Worker};
use crate::error::{Error, Kind};
use crate::protocol::{NodeName, QueueName, Serializer, Signature};

/// In which order a form is looked for that everybody accepts.
const ORDER: [Serializer; 3] = [Serializer::Json, Serializer::Msgpack, Serializer::Yaml];

/// The form of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writing {
    pub serializer: Serializer,
    pub refusal: Option<Error>,
    pub warning: Option<String>,
}

/// The form for `signature`: named by the user, else what all readers of its queues accept, else what most do.
/// `proved`: the workers that answer are all who read it, so that what none of them accepts reaches nobody.
pub(super) fn choose(
    cluster: &Cluster,
    signature: &Signature,
    takers: &[QueueName],
    proved: bool,
) -> Writing {
    let readers: Vec<&Worker> = cluster
        .answering()
        .filter(|worker| worker.conf.is_some() && takers.iter().any(|queue| worker.reads(queue)))
        .collect();
    let serializer = signature
        .options
        .serializer
        .unwrap_or_else(|| best(&readers));
    let refusing: Vec<&&Worker> = readers
        .iter()
        .filter(|it| !accepts(it, serializer))
        .collect();
    let quiet = Writing {
        serializer,
        refusal: None,
        warning: None,
    };
    if refusing.is_empty() {
        return quiet;
    }
    let who: Vec<String> = refusing.iter().map(|it| accepted(it)).collect();
    let who = who.join("; ");
    if refusing.len() == readers.len() && proved {
        let message = format!("no worker would take a message in {serializer}: {who}");
        let hint = "name a form that they accept with --serializer";
        return Writing {
            refusal: Some(Error::new(Kind::NoWorker, message).hint(hint)),
            ..quiet
        };
    }
    Writing {
        warning: Some(format!(
            "not every worker takes a message in {serializer}, and one that does not throws it away: {who}"
        )),
        ..quiet
    }
}

/// What most of them accept; of equals the first of [`ORDER`].
fn best(readers: &[&Worker]) -> Serializer {
    let takers = |form: Serializer| readers.iter().filter(|it| accepts(it, form)).count();
    let most = ORDER.map(takers).into_iter().max().unwrap_or(0);
    let found = ORDER.into_iter().find(|form| takers(*form) == most);
    found.unwrap_or_default()
}

fn accepts(worker: &Worker, form: Serializer) -> bool {
    worker.conf.as_ref().is_some_and(|conf| conf.accepts(form))
}

/// `w1@host accepts json, yaml`.
fn accepted(worker: &Worker) -> String {
    let conf = worker.conf.as_ref();
    let told = conf.and_then(|conf| conf.accept_content.as_ref());
    let told = told.map(|names| names.join(", "));
    let NodeName(name) = &worker.name;
    format!("{name} accepts {}", told.as_deref().unwrap_or("json"))
}
