//! How kombu names its keys and channels in a Redis, and how it routes. Pure.
//!
//! Facts: protocol.md 5.2 and 5.3; kombu 5.7 `transport/redis.py` (`_q_for_pri`, `_get_publish_topic`, `keyprefix_queue`) and
//! `transport/virtual/exchange.py` (`lookup`).

use std::collections::BTreeSet;

use crate::server::{FanoutPrefix, TransportOptions};

/// The highest priority of kombu's virtual transports; what is beyond it counts as this.
const HIGHEST: u8 = 9;

/// The direct exchange that control replies come by.
pub(super) const REPLIES: &str = "reply.umbel.pidbox";

/// Begins the names of the queues that kombu's `Broadcast` makes: they hang on a fanout exchange.
const BROADCAST: &str = "bcast.";

/// The names in one database.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// `global_keyprefix`, literally before everything.
    prefix: String,
    unacked: String,
    sep: String,
    steps: Vec<u8>,
    /// What stands before a fanout exchange's name; more than one where workers of different versions differ.
    fanout: Vec<String>,
    patterns: bool,
    control_exchange: String,
    event_exchange: String,
}

impl Names {
    /// By these options, in database `db`. `sentinel`: before kombu 5.4 a worker that came by Sentinel took the default fanout
    /// prefix literally (protocol.md 11.9), so both are spoken to.
    pub(super) fn new(options: &TransportOptions, db: u32, sentinel: bool) -> Self {
        let raw = match &options.fanout_prefix {
            FanoutPrefix::Database => "/{db}.",
            FanoutPrefix::None => "",
            FanoutPrefix::Text(text) => text,
        };
        let mut fanout = vec![raw.replace("{db}", &db.to_string())];
        if sentinel && fanout[0] != raw {
            fanout.push(raw.to_owned());
        }
        Self {
            prefix: options.keyprefix().to_owned(),
            unacked: options.unacked_key.clone(),
            sep: options.sep.clone(),
            steps: options.priority_steps.clone(),
            fanout,
            patterns: options.fanout_patterns,
            control_exchange: format!("{}.pidbox", options.control_exchange),
            event_exchange: options.event_exchange.clone(),
        }
    }

    /// A key of ours or of kombu's.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The list that a message of this priority goes to.
    pub(super) fn list(&self, queue: &str, priority: Option<u8>) -> String {
        self.step_list(queue, self.step(priority))
    }

    /// All lists of a queue.
    pub(super) fn lists(&self, queue: &str) -> Vec<String> {
        let steps: BTreeSet<u8> = self.steps.iter().copied().chain([0]).collect();
        let lists = steps.into_iter().map(|step| self.step_list(queue, step));
        lists.collect()
    }

    fn step_list(&self, queue: &str, step: u8) -> String {
        match step {
            0 => self.key(queue),
            step => format!("{}{queue}{}{step}", self.prefix, self.sep),
        }
    }

    /// The largest step that is not above the priority.
    fn step(&self, priority: Option<u8>) -> u8 {
        let priority = priority.unwrap_or(0).min(HIGHEST);
        let below = self.steps.iter().filter(|&&step| step <= priority);
        below.max().copied().unwrap_or(0)
    }

    /// The hash of messages that workers have taken and not acknowledged.
    pub(super) fn unacked(&self) -> String {
        self.key(&self.unacked)
    }

    /// The set of an exchange's bindings.
    pub(super) fn bindings(&self, exchange: &str) -> String {
        format!("{}_kombu.binding.{exchange}", self.prefix)
    }

    /// The set by which workers find our lists: of an exchange of our own, which kombu's workers need not know before.
    pub(super) fn own_bindings(&self) -> String {
        self.bindings(REPLIES)
    }

    /// The member of that set that binds one list of ours, as kombu writes it.
    pub(super) fn own_binding(&self, list: &str) -> String {
        format!("{list}{0}{0}{list}", self.sep)
    }

    /// The pattern of the keys of all sets of bindings.
    pub(super) fn all_bindings(&self) -> String {
        format!("{}*", literal(&self.bindings("")))
    }

    /// The exchange whose set of bindings this key is, if tasks go by it: not that of control requests, their replies or events.
    pub(super) fn task_exchange<'a>(&self, key: &'a str) -> Option<&'a str> {
        let exchange = key.strip_prefix(self.bindings("").as_str())?;
        let other = exchange.ends_with(".pidbox") || exchange == self.event_exchange;
        (!other).then_some(exchange)
    }

    /// The exchange of control requests.
    pub(super) fn control_exchange(&self) -> &str {
        &self.control_exchange
    }

    /// The channels of a fanout exchange.
    pub(super) fn channels(&self, exchange: &str, routing_key: &str) -> Vec<String> {
        let tail = match (self.patterns, routing_key) {
            (true, key) if !key.is_empty() => format!("/{key}"),
            _ => String::new(),
        };
        let fanout = self.fanout.iter();
        fanout
            .map(|fanout| format!("{}{fanout}{exchange}{tail}", self.prefix))
            .collect()
    }

    /// The patterns to subscribe for all events.
    pub(super) fn event_patterns(&self) -> Vec<String> {
        let tail = if self.patterns { "/*" } else { "" };
        let channels = self.channels(&self.event_exchange, "").into_iter();
        channels
            .map(|channel| format!("{}{tail}", literal(&channel)))
            .collect()
    }

    /// The channels on which umbels that listen to events tell each other what they leave behind.
    pub(super) fn heirs(&self) -> Vec<String> {
        self.channels(&format!("{}.umbel", self.event_exchange), "")
    }

    /// Reads a member of an exchange's set of bindings.
    pub(super) fn binding(&self, member: &str) -> Option<Binding> {
        let mut parts = member.splitn(3, &self.sep);
        let (key, pattern, queue) = (parts.next()?, parts.next()?, parts.next()?);
        (!queue.is_empty()).then(|| Binding {
            key: key.to_owned(),
            topic: !pattern.is_empty(),
            queue: queue.to_owned(),
        })
    }
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

impl Binding {
    /// The queue, unless it is one of kombu's broadcast queues, which no list stands for.
    pub(super) fn into_queue(self) -> Option<String> {
        (!self.queue.starts_with(BROADCAST)).then_some(self.queue)
    }
}

/// One queue that hangs on an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    key: String,
    /// Whether the key is a pattern of a topic exchange.
    topic: bool,
    queue: String,
}

/// Where a message to an exchange goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To these queues; none when nothing is bound.
    Queues(BTreeSet<String>),
    /// To whoever listens on the exchange's channels now. The set does not tell the type of an exchange: the names of kombu's
    /// own broadcast queues do.
    Fanout,
}

/// Where a message with this routing key goes, by the bindings of its exchange.
pub(super) fn way(bindings: &[Binding], routing_key: &str) -> Way {
    let is_fanout = |binding: &Binding| !binding.topic && binding.queue.starts_with(BROADCAST);
    if bindings.iter().any(is_fanout) {
        return Way::Fanout;
    }
    let queues = bindings.iter().filter(|binding| {
        if binding.topic {
            topic_matches(&binding.key, routing_key)
        } else {
            binding.key == routing_key
        }
    });
    Way::Queues(queues.map(|binding| binding.queue.clone()).collect())
}

/// A piece of a topic pattern.
#[derive(Clone, Copy)]
enum Piece {
    /// This character.
    Is(char),
    /// One character that is no dot.
    Letter,
    /// Any number of characters that are no dots.
    Letters,
    /// Anything.
    Anything,
}

impl Piece {
    fn may_be_nothing(self) -> bool {
        matches!(self, Self::Letters | Self::Anything)
    }

    fn takes(self, c: char) -> bool {
        match self {
            Self::Is(own) => own == c,
            Self::Letter | Self::Letters => c != '.',
            Self::Anything => true,
        }
    }
}

/// kombu's rule: `*` is one word; `#` is any text, and the dots beside it stay (unlike AMQP, `a.#` does not match `a`).
/// All states are followed at once, so that no pattern makes it slow.
fn topic_matches(pattern: &str, key: &str) -> bool {
    let pieces = pieces(pattern);
    let mut states = vec![false; pieces.len() + 1];
    states[0] = true;
    skip_nothings(&pieces, &mut states);
    for c in key.chars() {
        let mut next = vec![false; pieces.len() + 1];
        for (at, piece) in pieces.iter().enumerate() {
            if states[at] && piece.takes(c) {
                let stays = piece.may_be_nothing();
                next[if stays { at } else { at + 1 }] = true;
            }
        }
        skip_nothings(&pieces, &mut next);
        states = next;
    }
    states[pieces.len()]
}

fn skip_nothings(pieces: &[Piece], states: &mut [bool]) {
    for (at, piece) in pieces.iter().enumerate() {
        states[at + 1] |= states[at] && piece.may_be_nothing();
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, word) in pattern.split('.').enumerate() {
        if index > 0 {
            pieces.push(Piece::Is('.'));
        }
        match word {
            "*" => pieces.extend([Piece::Letter, Piece::Letters]),
            "#" => pieces.push(Piece::Anything),
            word => pieces.extend(word.chars().map(Piece::Is)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn names() -> Names {
        Names::new(&TransportOptions::default(), 3, false)
    }

    #[rstest]
    #[case(None, "q")]
    #[case(Some(0), "q")]
    #[case(Some(2), "q")]
    #[case(Some(3), "q\u{6}\u{16}3")]
    #[case(Some(5), "q\u{6}\u{16}3")]
    #[case(Some(6), "q\u{6}\u{16}6")]
    #[case(Some(9), "q\u{6}\u{16}9")]
    #[case(Some(255), "q\u{6}\u{16}9")]
    fn a_priority_goes_to_the_list_of_its_step(#[case] priority: Option<u8>, #[case] list: &str) {
        assert_eq!(names().list("q", priority), list);
    }

    #[test]
    fn sets_of_bindings_are_found_below_the_prefix_and_told_by_their_exchange() {
        let options = TransportOptions {
            global_keyprefix: Some("shop[1].".to_owned()),
            ..TransportOptions::default()
        };
        let names = Names::new(&options, 0, false);
        assert_eq!(names.all_bindings(), "shop\\[1\\]._kombu.binding.*");
        let exchange = |key: &str| names.task_exchange(key).map(str::to_owned);
        assert_eq!(
            exchange("shop[1]._kombu.binding.mail").as_deref(),
            Some("mail")
        );
        for other in ["celeryev", "celery.pidbox", "reply.celery.pidbox"] {
            assert_eq!(exchange(&format!("shop[1]._kombu.binding.{other}")), None);
        }
        assert_eq!(exchange("_kombu.binding.mail"), None);
    }

    #[test]
    fn every_option_stands_in_the_names() {
        let options = TransportOptions {
            global_keyprefix: Some("shop:".to_owned()),
            unacked_key: "taken".to_owned(),
            sep: ":".to_owned(),
            priority_steps: vec![0, 5],
            fanout_prefix: FanoutPrefix::Text("/own{db}.".to_owned()),
            fanout_patterns: false,
            control_exchange: "ctl".to_owned(),
            event_exchange: "ev".to_owned(),
            ..TransportOptions::default()
        };
        let names = Names::new(&options, 3, false);
        assert_eq!(names.lists("q"), ["shop:q", "shop:q:5"]);
        assert_eq!(names.unacked(), "shop:taken");
        assert_eq!(names.bindings("e"), "shop:_kombu.binding.e");
        let control = names.channels(names.control_exchange(), "");
        assert_eq!(control, ["shop:/own3.ctl.pidbox"]);
        assert_eq!(names.event_patterns(), ["shop:/own3.ev"]);
    }

    #[test]
    fn a_list_of_ours_is_bound_as_kombu_binds_a_queue() {
        let member = names().own_binding("umbel.1");
        let bound = names().binding(&member).unwrap();
        let queues = BTreeSet::from(["umbel.1".to_owned()]);
        assert_eq!(way(&[bound], "umbel.1"), Way::Queues(queues));
        assert_eq!(names().task_exchange(&names().own_bindings()), None);
    }

    #[test]
    fn channels_are_named_by_the_database() {
        let control = |names: &Names| names.channels(names.control_exchange(), "");
        assert_eq!(control(&names()), ["/3.celery.pidbox"]);
        assert_eq!(names().event_patterns(), ["/3.celeryev/*"]);
        assert_eq!(names().channels("e", "a.b"), ["/3.e/a.b"]);
        let bare = TransportOptions {
            fanout_prefix: FanoutPrefix::None,
            global_keyprefix: Some("a*".to_owned()),
            ..TransportOptions::default()
        };
        let bare = Names::new(&bare, 3, true);
        assert_eq!(control(&bare), ["a*celery.pidbox"]);
        assert_eq!(bare.event_patterns(), ["a\\*celeryev/*"]);
    }

    #[test]
    fn by_sentinel_old_workers_are_spoken_to_as_well() {
        let names = Names::new(&TransportOptions::default(), 3, true);
        assert_eq!(
            names.channels(names.control_exchange(), ""),
            ["/3.celery.pidbox", "/{db}.celery.pidbox"]
        );
        assert_eq!(
            names.event_patterns(),
            ["/3.celeryev/*", "/{db}.celeryev/*"]
        );
    }

    #[rstest]
    #[case("a", "a", true)]
    #[case("a", "ab", false)]
    #[case("a.*", "a.b", true)]
    #[case("a.*", "a.", false)]
    #[case("a.*", "a.b.c", false)]
    #[case("a.#", "a.b.c", true)]
    #[case("a.#", "a.", true)]
    #[case("a.#", "a", false)]
    #[case("#", "", true)]
    #[case("#.log", "x.y.log", true)]
    #[case("*.log", "x.y.log", false)]
    #[case("a*", "ab", false)]
    #[case("a+", "aa", false)]
    #[case("", "", true)]
    fn a_topic_matches_as_in_kombu(#[case] pattern: &str, #[case] key: &str, #[case] is: bool) {
        assert_eq!(topic_matches(pattern, key), is);
    }

    fn binding(member: &str) -> Binding {
        let member = member.replace('|', "\u{6}\u{16}");
        names().binding(&member).unwrap()
    }

    #[test]
    fn a_message_goes_to_every_queue_that_is_bound_for_it() {
        let bindings = ["k||one", "k||two", "k||two", "other||three"].map(binding);
        let queues = |names: &[&str]| Way::Queues(names.iter().map(|&name| name.into()).collect());
        assert_eq!(way(&bindings, "k"), queues(&["one", "two"]));
        assert_eq!(way(&bindings, "nobody"), queues(&[]));
        let topics = ["a.*|^a\\.[^\\.]+$|one", "#|^.*?$|all"].map(binding);
        assert_eq!(way(&topics, "a.b"), queues(&["all", "one"]));
        assert_eq!(way(&topics, "b"), queues(&["all"]));
        let broadcast = ["||bcast.9f"].map(binding);
        assert_eq!(way(&broadcast, ""), Way::Fanout);
    }

    #[rstest]
    #[case("")]
    #[case("k")]
    #[case("k|p")]
    #[case("k|p|")]
    fn what_is_no_binding_is_none(#[case] member: &str) {
        let member = member.replace('|', "\u{6}\u{16}");
        assert_eq!(names().binding(&member), None);
    }

    proptest! {
        #[test]
        fn no_pattern_is_too_much(pattern in "[a-b.*#]{0,60}", key in "[a-b.]{0,60}") {
            topic_matches(&pattern, &key);
            prop_assert!(topic_matches("#", &key));
            prop_assert!(topic_matches(&key, &key));
        }
    }
}
