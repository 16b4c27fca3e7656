//! How long our list lives, and the way by which control replies come to it.
//!
//! A push to a list that is gone makes one without a time to live, and who pushes late is out of our hands. So:
//!
//! * Replies come by an exchange of our own, whose set of bindings a worker reads each time before it pushes (kombu
//!   `virtual/base.py`, `_lookup`). What we have unbound it pushes nowhere, however late it answers.
//! * Results of tasks come by name (Celery `backends/rpc.py`): while one is owed, the list lives for a day. Else for minutes.
//! * The set of bindings has a time to live too, the shortest, so that after a crash it goes before the list does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use tokio::time::Instant;

use super::debts::{Debts, Left};
use super::names::{Names, REPLIES};
use super::{ReplyList, errors};
use crate::protocol::control::ReplyTo;

/// How long the list lives after we have gone without a word, in seconds: while results of tasks are owed, and else.
pub(super) const DAY: u64 = 24 * 60 * 60;
const MINUTES: u64 = 5 * 60;

/// How often that is renewed.
pub(super) const RENEW: Duration = Duration::from_mins(1);

/// How long the bindings live after the last question of anybody, in seconds.
const BOUND: u64 = MINUTES - 60;

/// Bindings that are looked at when what others left is tidied up.
const MOST: usize = 100;

/// See the head of this file; shared by a link and its reader.
pub(super) struct Lease {
    names: Names,
    /// Without the prefix of keys.
    name: String,
    debts: Arc<Debts>,
    /// When the way by the exchange was opened last; `None`: replies come by name as well.
    bound: Mutex<Option<Instant>>,
}

impl Lease {
    pub(super) fn new(names: Names, list: &ReplyList) -> Self {
        Self {
            names,
            name: list.name.clone(),
            debts: list.debts.clone(),
            bound: Mutex::default(),
        }
    }

    /// By which way replies come.
    pub(super) fn reply_to(&self) -> ReplyTo {
        let by_name = ReplyTo::queue(&self.name);
        if !self.is_bound() {
            return by_name;
        }
        ReplyTo {
            exchange: REPLIES.to_owned(),
            ..by_name
        }
    }

    /// Opens the way by the exchange, unless this user may not; then replies come by name.
    pub(super) async fn bind(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let key = self.names.own_bindings();
        let mut bind = pipe();
        bind.atomic();
        bind.cmd("SADD").arg(&key).arg(self.binding());
        bind.cmd("EXPIRE").arg(&key).arg(BOUND);
        match bind.exec_async(connection).await {
            Ok(()) => *self.bound() = Some(Instant::now()),
            Err(error) if errors::is_answer(&error) => {
                tracing::info!(%error, "replies come by the name of our list");
                *self.bound() = None;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Before every question: keeps the way open.
    pub(super) async fn keep_bound(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<()> {
        let bound = *self.bound();
        match bound {
            Some(at) if at.elapsed() >= RENEW => self.bind(connection).await,
            _ => Ok(()),
        }
    }

    pub(super) fn is_bound(&self) -> bool {
        self.bound().is_some()
    }

    fn bound(&self) -> MutexGuard<'_, Option<Instant>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the list is to live now, in seconds.
    pub(super) fn seconds(&self) -> u64 {
        match self.debts.left() {
            Left::Results => DAY,
            Left::Replies if !self.is_bound() => DAY,
            Left::Replies | Left::Nothing => MINUTES,
        }
    }

    /// Lets a list live as long as ours has to.
    pub(super) async fn renew(
        &self,
        connection: &mut MultiplexedConnection,
        list: &str,
    ) -> RedisResult<()> {
        let mut expire = cmd("EXPIRE");
        expire.arg(list).arg(self.seconds());
        expire.exec_async(connection).await
    }

    /// Closes the way, and removes the list, or empties it and leaves it with its time to live: what a worker is pushing in
    /// this moment would make one without.
    pub(super) async fn end(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let key = self.key();
        let mut end = pipe();
        if self.is_bound() {
            end.cmd("SREM")
                .arg(self.names.own_bindings())
                .arg(self.binding());
        }
        if self.debts.left() == Left::Nothing {
            end.cmd("DEL").arg(&key);
        } else {
            end.cmd("LTRIM").arg(&key).arg(-1).arg(-1);
            end.cmd("EXPIRE").arg(&key).arg(self.seconds());
        }
        end.exec_async(connection).await
    }

    fn key(&self) -> String {
        self.names.key(&self.name)
    }

    fn binding(&self) -> String {
        self.names.own_binding(&self.name)
    }
}

/// Unbinds what others left when they were killed: lists that are gone, and those that a late reply made anew, which then go too.
pub(super) async fn sweep(
    connection: &mut MultiplexedConnection,
    names: &Names,
) -> RedisResult<()> {
    let set = names.own_bindings();
    let mut look = cmd("SRANDMEMBER");
    look.arg(&set).arg(MOST);
    let members: Vec<Vec<u8>> = look.query_async(connection).await?;
    let bound: HashMap<String, String> = members
        .iter()
        .filter_map(|member| String::from_utf8(member.clone()).ok())
        .filter_map(|member| Some((names.binding(&member)?.into_queue()?, member)))
        .collect();
    if bound.is_empty() {
        return Ok(());
    }
    let mut ask = pipe();
    for name in bound.keys() {
        ask.cmd("TTL").arg(names.key(name));
    }
    let lives: Vec<i64> = ask.query_async(connection).await?;
    let mut tidy = pipe();
    for ((name, member), _) in bound.iter().zip(lives).filter(|(_, life)| *life < 0) {
        tidy.cmd("SREM").arg(&set).arg(member);
        tidy.cmd("EXPIRE").arg(names.key(name)).arg(MINUTES);
    }
    if tidy.is_empty() {
        return Ok(());
    }
    tidy.exec_async(connection).await
}
