//! A link that breaks on demand: a TCP proxy between umbel and a server that can freeze, reset at a chosen moment, and refuse.
//!
//! The moments are chosen by what umbel says, not by time: after so many bytes, before a message leaves, or after the server
//! has taken a message and before umbel hears of it. Each such plan works once, on the first connection that it fits.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{SockRef, Socket};

use super::{PATIENCE, POLL, eventually, reserved_port};

/// `basic.ack` as it stands in a frame: what RabbitMQ answers when it has taken a message.
pub const AMQP_ACK: &[u8] = &[0, 60, 0, 80];

/// How much of what was said is kept for finding a pattern that arrives in pieces.
const MEMORY: usize = 4096;

/// A proxy on a port of its own in front of one server.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
    /// Holds the port, so that nobody else gets it while we do not listen.
    _port: Socket,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    frozen: AtomicBool,
    /// A connection on which the server has said more than so many bytes stands still.
    most: AtomicUsize,
    refusing: AtomicBool,
    down: AtomicBool,
    accepted: AtomicUsize,
    plan: Mutex<Option<Plan>>,
    fired: AtomicBool,
    links: Mutex<Vec<Weak<Link>>>,
}

/// When to break a link; always judged by the bytes from the client.
#[derive(Debug)]
enum Plan {
    /// Lets so many more bytes through.
    After(usize),
    /// Breaks when these bytes appear; the server gets what came before them.
    Before(Vec<u8>),
    /// When `question` appears: passes it on, keeps all answers, breaks when they hold `answer` (empty: any).
    Swallow { question: Vec<u8>, answer: Vec<u8> },
}

/// One connection through the proxy; gone when both its directions are closed.
#[derive(Debug, Default)]
struct Link {
    cut: AtomicBool,
    /// Bytes from the server so far.
    heard: AtomicUsize,
    swallow: Mutex<Option<Swallowed>>,
}

#[derive(Debug)]
struct Swallowed {
    until: Vec<u8>,
    bytes: Vec<u8>,
}

/// What to do with bytes that were read.
enum Verdict {
    /// Pass them on.
    Pass,
    /// Keep them.
    Keep,
    /// Pass on so many of them, then reset the link.
    PassAndCut(usize),
}

/// One direction of a link.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    link: Arc<Link>,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy in front of the server of this URL (`amqp://guest:guest@127.0.0.1:5672/name`).
    pub fn to(url: &str) -> Self {
        let (start, end) = host_and_port(url);
        let upstream = url[start..end]
            .parse()
            .expect("a numeric address and a port in the URL");
        let shared = Shared {
            upstream,
            frozen: AtomicBool::new(false),
            most: AtomicUsize::new(usize::MAX),
            refusing: AtomicBool::new(false),
            down: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            plan: Mutex::new(None),
            fired: AtomicBool::new(false),
            links: Mutex::new(Vec::new()),
        };
        let (port, address) = reserved_port();
        let url = format!("{}{address}{}", &url[..start], &url[end..]);
        let shared = Arc::new(shared);
        let thread = listen(address, &shared);
        Self {
            url,
            address,
            shared,
            listener: Mutex::new(Some(thread)),
            _port: port,
        }
    }

    /// The URL of the server with the proxy's port in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many connections have been made so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        let mut links = lock(&self.shared.links);
        links.retain(|link| link.strong_count() > 0);
        links.len()
    }

    /// Passes nothing on, in either direction; connections stay open and new ones are taken.
    pub fn freeze(&self) {
        self.shared.frozen.store(true, Ordering::SeqCst);
    }

    /// Passes on what was held, and everything after it.
    pub fn thaw(&self) {
        self.shared.frozen.store(false, Ordering::SeqCst);
    }

    /// From now on a connection stands still on which the server has said more than so many bytes; all others go on.
    pub fn hold_after(&self, bytes: usize) {
        self.shared.most.store(bytes, Ordering::SeqCst);
    }

    /// Whether a connection stands still because of that.
    pub fn holds(&self) -> bool {
        let links = lock(&self.shared.links).clone();
        let mut links = links.iter().filter_map(Weak::upgrade);
        links.any(|link| link.is_held(&self.shared))
    }

    /// Lets those go on.
    pub fn release(&self) {
        self.hold_after(usize::MAX);
    }

    /// Resets every connection, and returns when that is done.
    pub fn cut(&self) {
        let cut = self.sever();
        // Those alone: whoever was cut off may have connected again before we look.
        eventually(PATIENCE, "the proxy resets its connections", || {
            cut.iter().all(|link| link.strong_count() == 0)
        });
    }

    /// From now on resets new connections as soon as they are made; open ones go on.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Resets every connection and listens no more: connecting fails as if the server were not there.
    pub fn down(&self) {
        self.close();
        self.cut();
    }

    /// Listens again, on the same port.
    pub fn up(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
        *lock(&self.listener) = Some(listen(self.address, &self.shared));
    }

    /// Resets the first connection that says `bytes` bytes more, exactly after those.
    pub fn cut_after(&self, bytes: usize) {
        self.plan(Plan::After(bytes));
    }

    /// Resets the first connection that says `pattern`, before the server gets all of it.
    pub fn cut_before(&self, pattern: &[u8]) {
        self.plan(Plan::Before(pattern.to_vec()));
    }

    /// Resets the first connection that says `question`, after the server got it and answered `answer`, which the client
    /// does not get. With an empty `answer` any answer will do.
    ///
    /// A publish whose confirm is lost: `question` is a word of the message's body and `answer` is [`AMQP_ACK`].
    pub fn cut_swallowing(&self, question: &[u8], answer: &[u8]) {
        self.plan(Plan::Swallow {
            question: question.to_vec(),
            answer: answer.to_vec(),
        });
    }

    /// Whether the last plan has done its work.
    pub fn fired(&self) -> bool {
        self.shared.fired.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        if let Some(thread) = lock(&self.listener).take() {
            // Wakes the listener, which looks at `down` first.
            drop(TcpStream::connect(self.address));
            drop(thread.join());
        }
    }

    /// Tells every open link that it is cut; those are returned.
    fn sever(&self) -> Vec<Weak<Link>> {
        let links = lock(&self.shared.links).clone();
        for link in links.iter().filter_map(Weak::upgrade) {
            link.cut.store(true, Ordering::SeqCst);
        }
        links
    }

    fn plan(&self, plan: Plan) {
        self.shared.fired.store(false, Ordering::SeqCst);
        *lock(&self.shared.plan) = Some(plan);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without waiting: a test that failed must not fail a second time in here.
        self.close();
        self.sever();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where `127.0.0.1:5672` begins and ends in a URL.
fn host_and_port(url: &str) -> (usize, usize) {
    let start = url.find("://").expect("a URL") + 3;
    let end = url[start..]
        .find('/')
        .map_or(url.len(), |slash| start + slash);
    let start = url[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    (start, end)
}

/// Listens on a port that we hold.
fn listen(address: SocketAddr, shared: &Arc<Shared>) -> JoinHandle<()> {
    let socket = super::socket_on(address).expect("the port is ours");
    socket.listen(128).expect("nobody else listens there");
    let listener = TcpListener::from(socket);
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming() {
            if shared.down.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            shared.accepted.fetch_add(1, Ordering::SeqCst);
            match TcpStream::connect(shared.upstream) {
                Ok(server) if !shared.refusing.load(Ordering::SeqCst) => {
                    join(client, server, &shared);
                }
                _ => reset_on_close(&client),
            }
        }
    })
}

/// Makes the coming close of a socket a reset, as when a peer lost all memory of the connection.
fn reset_on_close(socket: &TcpStream) {
    SockRef::from(socket)
        .set_linger(Some(Duration::ZERO))
        .expect("a socket lingers not");
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    for socket in [&client, &server] {
        // Short, because a thread that reads must notice soon that its link was cut: only then the socket is closed.
        socket.set_read_timeout(Some(POLL)).expect("a time limit");
        socket.set_write_timeout(Some(POLL)).expect("a time limit");
        socket.set_nodelay(true).expect("no delay");
    }
    let link = Arc::new(Link::default());
    lock(&shared.links).push(Arc::downgrade(&link));
    let (client_too, server_too) = (
        client.try_clone().expect("a handle"),
        server.try_clone().expect("a handle"),
    );
    let up = Pump {
        from: client,
        to: server_too,
        link: Arc::clone(&link),
        shared: Arc::clone(shared),
    };
    let down = Pump {
        from: server,
        to: client_too,
        link,
        shared: Arc::clone(shared),
    };
    let mut said = Vec::new();
    thread::spawn(move || up.run(|link, shared, bytes| question(link, shared, &mut said, bytes)));
    thread::spawn(move || down.run(|link, _, bytes| answer(link, bytes)));
}

impl Link {
    /// Whether the server has said too much.
    fn is_held(&self, shared: &Shared) -> bool {
        self.heard.load(Ordering::SeqCst) > shared.most.load(Ordering::SeqCst)
    }
}

impl Pump {
    /// Passes bytes on, as `judge` decides, until one end closes or the link is cut.
    fn run(mut self, mut judge: impl FnMut(&Link, &Shared, &[u8]) -> Verdict) {
        let mut buffer = [0; 16_384];
        while self.may_go_on() {
            let count = match self.from.read(&mut buffer) {
                Ok(0) => {
                    drop(self.to.shutdown(Shutdown::Write));
                    return;
                }
                Ok(count) => count,
                Err(error) if is_pause(&error) => continue,
                Err(_) => {
                    self.cut();
                    continue;
                }
            };
            if !self.may_go_on() {
                break;
            }
            match judge(&self.link, &self.shared, &buffer[..count]) {
                Verdict::Pass => self.pass(&buffer[..count]),
                Verdict::Keep => {}
                Verdict::PassAndCut(share) => {
                    self.pass(&buffer[..share]);
                    self.cut();
                    self.shared.fired.store(true, Ordering::SeqCst);
                }
            }
        }
        reset_on_close(&self.from);
        reset_on_close(&self.to);
    }

    /// Waits while the proxy is frozen or holds this link; false when the link is to be reset.
    fn may_go_on(&self) -> bool {
        let is_cut = || self.link.cut.load(Ordering::SeqCst);
        let stands_still =
            || self.shared.frozen.load(Ordering::SeqCst) || self.link.is_held(&self.shared);
        while stands_still() && !is_cut() {
            thread::sleep(POLL);
        }
        !is_cut()
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.link.cut.load(Ordering::SeqCst) {
            match self.to.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_pause(&error) => {}
                Err(_) => self.cut(),
            }
        }
    }

    fn cut(&self) {
        self.link.cut.store(true, Ordering::SeqCst);
    }
}

/// Whether a read or write only ran into its time limit.
fn is_pause(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Judges bytes from the client by the plan; `said` holds the end of what came before.
fn question(link: &Link, shared: &Shared, said: &mut Vec<u8>, bytes: &[u8]) -> Verdict {
    let before = said.len();
    said.extend_from_slice(bytes);
    let mut plan = lock(&shared.plan);
    let verdict = match plan.as_mut() {
        Some(Plan::After(rest)) if *rest <= bytes.len() => Verdict::PassAndCut(*rest),
        Some(Plan::After(rest)) => {
            *rest -= bytes.len();
            Verdict::Pass
        }
        Some(Plan::Before(pattern)) => match find_new(said, before, pattern) {
            Some(start) => Verdict::PassAndCut(start.saturating_sub(before)),
            None => Verdict::Pass,
        },
        Some(Plan::Swallow { question, answer }) => {
            if find_new(said, before, question).is_some() {
                let until = std::mem::take(answer);
                *plan = None;
                *lock(&link.swallow) = Some(Swallowed {
                    until,
                    bytes: Vec::new(),
                });
            }
            Verdict::Pass
        }
        None => Verdict::Pass,
    };
    if matches!(verdict, Verdict::PassAndCut(_)) {
        *plan = None;
    }
    said.drain(..said.len().saturating_sub(MEMORY));
    verdict
}

/// Keeps bytes from the server when they are to be kept.
fn answer(link: &Link, bytes: &[u8]) -> Verdict {
    link.heard.fetch_add(bytes.len(), Ordering::SeqCst);
    let mut swallow = lock(&link.swallow);
    let Some(kept) = swallow.as_mut() else {
        return Verdict::Pass;
    };
    kept.bytes.extend_from_slice(bytes);
    if kept.until.is_empty() || find_new(&kept.bytes, 0, &kept.until).is_some() {
        return Verdict::PassAndCut(0);
    }
    Verdict::Keep
}

/// Where `pattern` starts in `bytes`, if it ends after the first `old` of them.
fn find_new(bytes: &[u8], old: usize, pattern: &[u8]) -> Option<usize> {
    let from = (old + 1).saturating_sub(pattern.len());
    bytes[from..]
        .windows(pattern.len())
        .position(|window| window == pattern)
        .map(|start| from + start)
}
