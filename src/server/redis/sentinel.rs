//! Asks Sentinels who the master is now. The crate's own `Sentinel` is not used: it has no time limits of its own, and its errors do
//! not say whether a Sentinel or the master refused (protocol.md 11.9).

use std::time::Duration;

use redis::{
    Client, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, ServerErrorKind, cmd,
};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use super::errors::{self, At, Node};
use super::{RedisServer, dial, open, tcp};
use crate::error::Error;
use crate::server::tls::TlsFiles;
use crate::server::url::authority;

/// How long all Sentinels together may take; what is left of the caller's patience is for the master.
const ASKING: Duration = Duration::from_secs(3);

/// How long the master may take to say that it is one.
const ROLE: Duration = Duration::from_millis(1500);

/// A client of the present master. The Sentinels are asked in turn and share the time.
pub(super) async fn master(
    server: &RedisServer,
    sentinels: &[(String, u16)],
    files: &TlsFiles,
) -> Result<Client, Error> {
    let Some(name) = &server.options.master_name else {
        let error = server.misconfigured("the name of the Sentinel's group is missing");
        return Err(error.hint("give the option master_name, as Celery has it in broker_transport_options (--broker-option, --backend-option)"));
    };
    server.set_master(None);
    let (host, port) = address(server, sentinels, files, name).await?;
    server.set_master(Some((host.clone(), port)));
    let told = |error: RedisError| server.told(&error);
    let encrypted = server.options.wants_tls();
    let client = open(tcp(encrypted, &host, port), server.login(), files).map_err(told)?;
    match timeout(ROLE, is_master(&client)).await {
        Ok(Ok(true)) => Ok(client),
        Ok(Ok(false)) => Err(server.failed(&format!(
            "the Sentinels name {}, which is no master now (failover?)",
            authority(&host, port)
        ))),
        Ok(Err(error)) => Err(told(error)),
        Err(_) => Err(server.silent()),
    }
}

/// Where the master is, from the first Sentinel that knows.
async fn address(
    server: &RedisServer,
    sentinels: &[(String, u16)],
    files: &TlsFiles,
    name: &str,
) -> Result<(String, u16), Error> {
    let deadline = Instant::now() + ASKING;
    let mut unnamed = false;
    let mut failure = None;
    for (index, (host, port)) in sentinels.iter().enumerate() {
        let at = At {
            node: Some(Node::Sentinel(host, *port)),
            ..server.whole()
        };
        let left = u32::try_from(sentinels.len() - index).unwrap_or(u32::MAX);
        let limit = deadline.saturating_duration_since(Instant::now()) / left;
        match timeout(limit, ask(server, files, host, *port, name)).await {
            Ok(Ok(Some(master))) => return Ok(master),
            Ok(Ok(None)) => unnamed = true,
            Ok(Err(error)) => drop(failure.get_or_insert(errors::told(&at, &error))),
            Err(_) => drop(failure.get_or_insert(errors::silent(&at))),
        }
    }
    match failure {
        Some(failure) if !unnamed => Err(failure),
        _ => Err(server
            .failed(&format!(
                "the Sentinels name no master '{name}' now (failover?)"
            ))
            .hint("is the option master_name that of `sentinel monitor`?")),
    }
}

/// One Sentinel's answer; `None`: it names no master.
async fn ask(
    server: &RedisServer,
    files: &TlsFiles,
    host: &str,
    port: u16,
    name: &str,
) -> RedisResult<Option<(String, u16)>> {
    let options = &server.options;
    let mut login = RedisConnectionInfo::default();
    if let Some(user) = &options.sentinel_username {
        login = login.set_username(user);
    }
    if let Some(password) = &options.sentinel_password {
        login = login.set_password(password.0.expose_secret());
    }
    let client = open(tcp(options.wants_tls(), host, port), login, files)?;
    let mut connection = dial(&client).await?;
    cmd("SENTINEL")
        .arg("get-master-addr-by-name")
        .arg(name)
        .query_async(&mut connection)
        .await
}

/// Whether the node takes itself for a master; one that may not be asked is believed to be.
async fn is_master(client: &Client) -> RedisResult<bool> {
    let mut connection = dial(client).await?;
    let answer: RedisResult<Vec<redis::Value>> = cmd("ROLE").query_async(&mut connection).await;
    match answer {
        Ok(answer) => {
            let role = answer.into_iter().next();
            let role: Option<String> = role.map(redis::from_redis_value).transpose()?;
            Ok(role.as_deref() == Some("master"))
        }
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(true),
        Err(error) => Err(error),
    }
}
