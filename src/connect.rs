//! The part of the composition root that picks the concrete broker and result backend, and starts the client on them.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::amqp::AmqpBroker;
use crate::broker::memory::MemoryServer;
use crate::broker::redis::RedisBroker;
use crate::broker::url::{BrokerUrl, Endpoint};
use crate::client::Client;
use crate::client::actor::{Resolve, ResultsSource, Setup};
use crate::client::survey::Purpose;
use crate::clock::Clock;
use crate::config::Target;
use crate::error::Result;
use crate::server::http::HttpUrl;
use crate::server::redis::{RedisServer, Role};
use crate::server::{Neighbour, TransportOptions};
use crate::{backend, client, demo};

/// A started client; the demo's workers live as long as this does.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) events: tokio::sync::mpsc::Receiver<client::Event>,
    /// Short address for the header.
    pub(crate) broker: String,
    /// The pretend cluster.
    pub(crate) demo: Option<demo::Demo>,
}

/// Picks broker and result backend, and starts the client on them.
pub(crate) fn connect(target: Target, purpose: Purpose) -> Result<Connection> {
    let mut demo = None;
    let (broker, results): (Arc<dyn Broker>, ResultsSource) = match target {
        Target::Demo => {
            let broker = demo.insert(demo::start()).broker();
            let resolve = told_by_workers(Arc::default(), Neighbour::default());
            (broker, ResultsSource::Workers(resolve))
        }
        Target::Broker {
            urls,
            broker_options,
            backend,
            backend_options,
            management,
            ..
        } => {
            let results = if let Some(url) = backend {
                ResultsSource::Given(backend::url::parse(&url, &backend_options)?)
            } else {
                let neighbour = neighbour(&urls, &broker_options);
                ResultsSource::Workers(told_by_workers(backend_options, neighbour))
            };
            let broker = pick(urls, broker_options, management);
            (broker, results)
        }
    };
    let address = broker.short_address();
    let (client, events) = client::actor::start(Setup {
        broker,
        results,
        purpose,
        clock: Clock::default(),
        origin: client::origin(),
    });
    Ok(Connection {
        client,
        events,
        broker: address,
        demo,
    })
}

/// The addresses of the broker for people, as [`Connection::broker`] has them, in the order in which they are tried. Dials nobody.
pub(crate) fn addresses(target: &Target) -> Vec<String> {
    let (urls, options) = match target {
        Target::Demo => return vec![MemoryServer::new(demo::NAME).broker().short_address()],
        Target::Broker {
            urls,
            broker_options,
            ..
        } => (urls, broker_options),
    };
    match urls {
        BrokerUrl::Amqp(endpoints) => {
            let reached = |endpoint: &Endpoint| Endpoint {
                tls: endpoint.tls || options.wants_tls(),
                ..endpoint.clone()
            };
            endpoints.iter().map(|it| reached(it).short()).collect()
        }
        BrokerUrl::Redis(servers) => servers
            .iter()
            .map(|url| RedisServer::new(url.clone(), Role::Broker, Arc::clone(options)).short())
            .collect(),
    }
}

/// A Redis broker helps to find the backend beside it.
fn neighbour(urls: &BrokerUrl, options: &Arc<TransportOptions>) -> Neighbour {
    match urls {
        BrokerUrl::Redis(urls) => Neighbour {
            urls: urls.clone(),
            options: Arc::clone(options),
        },
        BrokerUrl::Amqp(_) => Neighbour::default(),
    }
}

/// The broker at these addresses.
fn pick(
    urls: BrokerUrl,
    options: Arc<TransportOptions>,
    management: Option<HttpUrl>,
) -> Arc<dyn Broker> {
    let servers = match urls {
        BrokerUrl::Redis(servers) => servers,
        urls @ BrokerUrl::Amqp(_) => {
            return Arc::new(AmqpBroker::new(urls).with(options, management));
        }
    };
    let servers = servers
        .into_iter()
        .map(|url| RedisServer::new(url, Role::Broker, Arc::clone(&options)));
    Arc::new(RedisBroker::new(servers.collect()))
}

/// How a backend is reached that the workers tell: with the user's options, beside a broker that may be a Redis.
fn told_by_workers(options: Arc<TransportOptions>, neighbour: Neighbour) -> Resolve {
    Box::new(move |told| backend::url::parse_told(told, &options, &neighbour))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;
    use crate::cli::Cli;
    use crate::config;

    #[rstest]
    #[case(&["--demo"], &["memory://demo/"])]
    #[case(&["--broker", "amqp://joe:pw@h/shop"], &["amqp://h:5672/shop"])]
    #[case(&["--broker", "amqp://a//;amqp://b//"], &["amqp://a:5672/", "amqp://b:5672/"])]
    #[case(&["--broker", "redis://:pw@h/3"], &["redis://h:6379/3"])]
    #[case(&["--broker", "redis://h/3", "--broker-option", "virtual_host=4"], &["redis://h:6379/4"])]
    fn the_addresses_are_those_that_a_call_is_kept_with(
        #[case] words: &[&str],
        #[case] expected: &[&str],
    ) {
        let words = ["umbel"].iter().chain(words);
        let cli = Cli::try_parse_from(words).unwrap();
        let target = config::target(&cli.global, &|_| None).unwrap().unwrap();
        assert_eq!(addresses(&target), expected);
        if let Target::Broker {
            urls,
            broker_options,
            ..
        } = target
        {
            assert_eq!(
                pick(urls, broker_options, None).short_address(),
                expected[0]
            );
        }
    }
}
