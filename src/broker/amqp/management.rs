//! What RabbitMQ's management API tells of a queue beside AMQP: unacknowledged messages and rates. Asked only when the user gave
//! its URL; it never keeps anybody waiting, and what it does not tell stays unknown.
//!
//! Facts: protocol.md 6.2. Its numbers lag by some 5 s, so that a queue is asked no more often than that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::broker::url::Endpoint;
use crate::broker::{Held, Incoming, Listed, Rates};
use crate::protocol::QueueName;
use crate::server::http::HttpUrl;
use crate::server::tls::TlsFiles;

/// How old numbers may be before they are asked anew; RabbitMQ's own interval.
const FRESH: Duration = Duration::from_secs(5);

/// How old numbers may be to be told at all.
const STALE: Duration = Duration::from_secs(15);

/// How old the numbers are that RabbitMQ tells: it takes them every 5 s unless it is configured otherwise.
const SAMPLED: Duration = Duration::from_secs(5);

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(2);

/// How long the first numbers of a queue are waited for; later ones are there already.
const FIRST: Duration = Duration::from_millis(300);

/// The largest answer that is read.
const MAX_ANSWER: u64 = 1 << 20;

/// Questions at the same time.
const AT_ONCE: usize = 2;

/// Queues that are listed.
const PAGE: usize = 500;

/// Queues that are remembered.
const MOST: usize = 1024;

/// What is known of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    pub(super) held: Held,
    pub(super) rates: Option<Rates>,
}

/// See the head of this file.
pub(super) struct Management {
    agent: Result<Agent, String>,
    /// `http://host:15672/api/queues/<vhost>`
    queues: String,
    authorization: SecretString,
    /// For people.
    base: String,
    known: Mutex<HashMap<String, Known>>,
    permits: Semaphore,
    incoming: mpsc::WeakSender<Incoming>,
}

/// What is known of a queue, and since when.
#[derive(Default)]
struct Known {
    statistics: Option<(Instant, Statistics)>,
    /// It is being asked.
    asking: bool,
}

impl Management {
    /// The API at `url`, with the broker's login unless the URL has one, and the broker's certificates.
    pub(super) fn new(
        url: &HttpUrl,
        endpoint: &Endpoint,
        files: &TlsFiles,
        incoming: mpsc::WeakSender<Incoming>,
    ) -> Self {
        let (user, password) = match &url.login {
            Some((user, password)) => (user.as_str(), password),
            None => (endpoint.user.as_str(), &endpoint.password),
        };
        let login = BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        let vhost = utf8_percent_encode(&endpoint.vhost, NON_ALPHANUMERIC);
        Self {
            agent: agent(files, url.base.starts_with("https:")),
            queues: format!("{}/api/queues/{vhost}", url.base),
            authorization: SecretString::from(format!("Basic {login}")),
            base: url.base.clone(),
            known: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            incoming,
        }
    }

    /// What is known of a queue now. Fresh numbers are fetched beside; only the very first are waited for, and not for long.
    /// With how long ago at most they were taken.
    pub(super) async fn of(self: &Arc<Self>, queue: &str) -> (Statistics, Duration) {
        let (known, ask) = self.look(queue);
        if ask {
            let (this, name) = (Arc::clone(self), queue.to_owned());
            let asked = tokio::spawn(async move { this.ask(&name).await });
            if known.is_none() && timeout(FIRST, asked).await.is_ok() {
                return self.look(queue).0.unwrap_or_default();
            }
        }
        known.unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, and whether to ask; who is told to ask is the only one.
    fn look(&self, queue: &str) -> (Option<(Statistics, Duration)>, bool) {
        let mut all = self.lock();
        if all.len() >= MOST && !all.contains_key(queue) {
            all.retain(|_, known| known.asking);
        }
        let known = all.entry(queue.to_owned()).or_default();
        let age = known.statistics.map(|(at, _)| at.elapsed());
        let ask = !known.asking && age.is_none_or(|age| age >= FRESH);
        known.asking |= ask;
        let usable = known
            .statistics
            .filter(|(at, _)| at.elapsed() < STALE)
            .map(|(at, statistics)| (statistics, at.elapsed() + SAMPLED));
        (usable, ask)
    }

    async fn ask(self: Arc<Self>, queue: &str) {
        let (began, answer) = match self.permits.acquire().await {
            Ok(_permit) => {
                let began = Instant::now();
                let (this, name) = (Arc::clone(&self), queue.to_owned());
                let asked = tokio::task::spawn_blocking(move || this.fetch(&name)).await;
                let failed = |_| Err("the question was not asked".to_owned());
                (began, asked.unwrap_or_else(failed))
            }
            Err(_) => return,
        };
        let statistics = match answer {
            Ok(statistics) => statistics,
            Err(reason) => {
                self.complain(&reason);
                Statistics::default()
            }
        };
        let mut all = self.lock();
        let known = all.entry(queue.to_owned()).or_default();
        known.asking = false;
        known.statistics = Some((began, statistics));
    }

    /// One question; blocks for [`LIMIT`] at most.
    fn fetch(&self, queue: &str) -> Result<Statistics, String> {
        let name = utf8_percent_encode(queue, NON_ALPHANUMERIC);
        let url = format!(
            "{}/{name}?columns=messages_unacknowledged,message_stats",
            self.queues
        );
        let document = self.get(&url)?;
        Ok(document.as_ref().map(read).unwrap_or_default())
    }

    /// The queues of the vhost that may be for tasks, the first page of them; why not is told as a notice.
    pub(super) async fn listed(self: &Arc<Self>) -> Option<Listed> {
        let this = Arc::clone(self);
        let url = format!(
            "{}?page=1&page_size={PAGE}&columns=name,exclusive",
            self.queues
        );
        let asked = tokio::task::spawn_blocking(move || this.get(&url)).await;
        match asked.unwrap_or_else(|_| Err("the question was not asked".to_owned())) {
            Ok(document) => names(&document?),
            Err(reason) => {
                self.complain(&reason);
                None
            }
        }
    }

    /// One document; `None` if there is none. Blocks for [`LIMIT`] at most.
    fn get(&self, url: &str) -> Result<Option<Value>, String> {
        let agent = self.agent.as_ref().map_err(Clone::clone)?;
        let asked = agent
            .get(url)
            .header("authorization", self.authorization.expose_secret())
            .call();
        let mut answer = asked.map_err(|error| told(&error))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            401 | 403 => {
                return Err(
                    "login refused: the user needs the tag monitoring or management, or --management a login of its own"
                        .to_owned(),
                );
            }
            status => return Err(format!("it answered with status {status}")),
        }
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        let bytes = body.read_to_vec().map_err(|error| told(&error))?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| "what answered is not RabbitMQ's management API".to_owned())
    }

    /// Says why nothing comes. The same words are told once, by whoever listens.
    fn complain(&self, reason: &str) {
        let notice = format!(
            "RabbitMQ's management API {}: {reason}; unacked messages and rates stay unknown",
            self.base
        );
        if let Some(incoming) = self.incoming.upgrade() {
            // A full channel means that much else is told; the next complaint comes in some seconds.
            let _ = incoming.try_send(Incoming::Notice(notice));
        }
    }
}

/// The queues of a page that may be for tasks: nobody's own, and none that Celery, kombu or umbel make beside them.
fn names(document: &Value) -> Option<Listed> {
    let items = document.get("items")?.as_array()?;
    let total = document.get("filtered_count").and_then(Value::as_u64);
    let shared = |item: &&Value| item.get("exclusive").and_then(Value::as_bool) != Some(true);
    let name = |item: &Value| item.get("name")?.as_str().map(str::to_owned);
    let queues = items.iter().filter(shared).filter_map(name);
    let queues = queues.filter(|name| is_for_tasks(name)).map(QueueName);
    Some(Listed {
        queues: queues.collect(),
        by: "RabbitMQ's management API",
        complete: total.is_some_and(|total| total <= items.len() as u64),
    })
}

fn is_for_tasks(name: &str) -> bool {
    let beginnings = ["celeryev.", "celery_delayed_", "umbel.", "amq.gen-"];
    let other = beginnings
        .iter()
        .any(|beginning| name.starts_with(beginning));
    !other && !name.ends_with(".pidbox")
}

/// In a queue that is new they are absent or null: unknown.
fn read(document: &Value) -> Statistics {
    let unacked = document.get("messages_unacknowledged");
    let statistics = document
        .get("message_stats")
        .filter(|statistics| statistics.as_object().is_some_and(|all| !all.is_empty()));
    // Of what never happened there is no entry.
    let rate = |statistics: &Value, name: &str| match statistics.get(name) {
        None => Some(0),
        Some(details) => milli(details.get("rate")?.as_f64()?),
    };
    Statistics {
        held: unacked
            .and_then(Value::as_u64)
            .map_or(Held::Unknown, Held::Queue),
        rates: statistics.and_then(|statistics| {
            Some(Rates {
                in_milli: rate(statistics, "publish_details")?,
                out_milli: rate(statistics, "deliver_get_details")?,
            })
        }),
    }
}

/// Thousandths; `None` for what no rate can be.
fn milli(rate: f64) -> Option<u64> {
    let plausible = (0.0..1e12).contains(&rate);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    plausible.then(|| (rate * 1000.0).round() as u64)
}

/// Why nothing came, in words.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host name is not known".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too large".to_owned(),
        ureq::Error::Protocol(_) => "what answers there does not speak HTTP".to_owned(),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused (is the plugin rabbitmq_management on, and is that its port?)"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// A client that asks nobody else: no proxy, no redirects.
fn agent(files: &TlsFiles, encrypted: bool) -> Result<Agent, String> {
    let config = Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None);
    let config = if encrypted {
        config.tls_config(tls(files)?)
    } else {
        config
    };
    Ok(config.build().new_agent())
}

/// The broker's authorities and certificate, else the system's.
fn tls(files: &TlsFiles) -> Result<TlsConfig, String> {
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    if let Some(pem) = &files.authorities {
        let all = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten();
        roots.extend(all.map(|one| Certificate::from_der(&one).to_owned()));
    } else {
        let system = rustls_native_certs::load_native_certs().certs;
        roots.extend(
            system
                .iter()
                .map(|one| Certificate::from_der(one).to_owned()),
        );
    }
    let identity = files.identity.as_ref().map(|(chain, key)| {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .flatten()
            .map(|one| Certificate::from_der(&one).to_owned())
            .collect();
        let key = PrivateKey::from_pem(key).map_err(|error| error.to_string())?;
        Ok::<_, String>(ClientCert::new_with_certs(&chain, key))
    });
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(identity.transpose()?)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn rates(in_milli: u64, out_milli: u64) -> Rates {
        Rates {
            in_milli,
            out_milli,
        }
    }

    #[test]
    fn queues_of_workers_themselves_and_of_one_connection_are_not_listed() {
        let document = json!({"filtered_count": 7, "items": [
            {"name": "celery", "exclusive": false},
            {"name": "客戶", "exclusive": false},
            {"name": "w1@host.celery.pidbox", "exclusive": false},
            {"name": "celeryev.4b0c", "exclusive": false},
            {"name": "celery_delayed_3", "exclusive": false},
            {"name": "umbel.1b0c", "exclusive": false},
            {"name": "mine", "exclusive": true},
        ]});
        let listed = names(&document).unwrap();
        let queues: Vec<&str> = listed.queues.iter().map(QueueName::as_str).collect();
        assert_eq!((queues, listed.complete), (vec!["celery", "客戶"], true));
        assert_eq!(names(&json!([])), None);
    }

    #[rstest]
    #[case::full(
        json!({"messages_unacknowledged": 4, "message_stats": {"publish_details": {"rate": 1.2346}, "deliver_get_details": {"rate": 0.0}}}),
        Held::Queue(4), Some(rates(1235, 0)))]
    #[case::nothing_delivered_yet(
        json!({"messages_unacknowledged": 0, "message_stats": {"publish": 3, "publish_details": {"rate": 3}}}),
        Held::Queue(0), Some(rates(3000, 0)))]
    #[case::fresh(json!({"messages_unacknowledged": null, "message_stats": null}), Held::Unknown, None)]
    #[case::empty(json!({"message_stats": {}}), Held::Unknown, None)]
    #[case::absurd(
        json!({"messages_unacknowledged": -1, "message_stats": {"publish_details": {"rate": -5.0}}}),
        Held::Unknown, None)]
    #[case::other(json!(["what"]), Held::Unknown, None)]
    fn what_is_absent_or_null_is_unknown(
        #[case] document: Value,
        #[case] held: Held,
        #[case] rates: Option<Rates>,
    ) {
        assert_eq!(read(&document), Statistics { held, rates });
    }
}
