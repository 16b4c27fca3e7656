//! What workers tell of their configuration: `conf` and `report`.

use std::time::Duration;

use super::super::{Json, QueueName, Serializer};

/// What `conf` tells that we use. Key names differ between new-style, old-style and namespaced settings (protocol.md 2.4): compared case-insensitively by suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// `result_backend`; password masked by the worker.
    pub result_backend: Option<String>,
    /// `task_default_queue`.
    pub default_queue: Option<String>,
    /// `task_routes` when it is a dict (or a list of dicts and pairs): pattern (exact or glob) to queue, in order.
    pub routes: Vec<(String, QueueName)>,
    /// `task_ignore_result`.
    pub ignore_result: Option<bool>,
    /// `task_track_started`.
    pub track_started: Option<bool>,
    /// `result_expires`: how long a stored result is kept from its last change on; `None` where that is not told, has no end, or is
    /// another time for failures.
    pub result_expires: Option<Duration>,
    /// `result_backend_transport_options.global_keyprefix`.
    pub result_keyprefix: Keyprefix,
    /// `result_backend_transport_options.master_name`, for Sentinel.
    pub result_master_name: Option<String>,
    /// `accept_content`: names (`json`) or content types, as configured; `None` if not told, which is just JSON.
    pub accept_content: Option<Vec<String>>,
    /// `task_serializer`: also what the worker answers control requests in.
    pub task_serializer: Option<String>,
    /// `task_default_exchange`.
    pub default_exchange: Option<String>,
    /// `task_default_routing_key`, when it is not censored.
    pub default_routing_key: Option<String>,
    /// `task_queue_max_priority`.
    pub queue_max_priority: Option<u64>,
    /// `broker_transport_options`.
    pub transport: TransportOptions,
}

/// A `global_keyprefix` as workers tell it: they take its name for that of a secret (protocol.md 2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keyprefix {
    /// There is none.
    #[default]
    None,
    /// This one.
    Known(String),
    /// There is one, and it is masked.
    Censored,
}

/// What `broker_transport_options` tells that we use; `None` is not told, or censored because its name says "key".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportOptions {
    /// `global_keyprefix` of Redis keys; workers censor it.
    pub global_keyprefix: Option<String>,
    /// After how long Redis delivers again what nobody acknowledged (default an hour).
    pub visibility_timeout: Option<Duration>,
    /// `priority_steps` of Redis lists (default 0, 3, 6, 9).
    pub priority_steps: Option<Vec<u64>>,
    /// `sep` between a queue's name and its step.
    pub sep: Option<String>,
    /// `fanout_prefix`: a text, or `true` for the default `/{db}.` and `false` for none.
    pub fanout_prefix: Option<Json>,
    /// `fanout_patterns`: whether events have a channel for each routing key.
    pub fanout_patterns: Option<bool>,
    /// `queue_order_strategy` of Redis.
    pub queue_order_strategy: Option<String>,
    /// `master_name` of Sentinel.
    pub master_name: Option<String>,
}

impl Conf {
    /// Whether the worker takes messages in this serializer. Not told is Celery's default: JSON only.
    pub fn accepts(&self, serializer: Serializer) -> bool {
        match &self.accept_content {
            None => serializer == Serializer::Json,
            Some(names) => names
                .iter()
                .any(|name| *name == serializer.to_string() || name == serializer.content_type()),
        }
    }
}

/// Reads a `conf` answer.
pub fn conf(reply: &Json) -> Conf {
    Conf {
        result_backend: text(setting(reply, &["result_backend"])),
        default_queue: text(setting(
            reply,
            &["task_default_queue", "celery_default_queue"],
        )),
        routes: setting(reply, &["task_routes", "celery_routes"]).map_or_else(Vec::new, routes),
        ignore_result: flag(setting(
            reply,
            &["task_ignore_result", "celery_ignore_result"],
        )),
        track_started: flag(setting(
            reply,
            &["task_track_started", "celery_track_started"],
        )),
        result_expires: result_expires(reply),
        result_keyprefix: setting(reply, &["result_backend_transport_options"])
            .map_or(Keyprefix::None, keyprefix),
        result_master_name: text(
            setting(reply, &["result_backend_transport_options"])
                .and_then(|options| options.get("master_name")),
        ),
        accept_content: accept_content(reply),
        task_serializer: text(setting(reply, &["task_serializer"])),
        default_exchange: text(setting(
            reply,
            &["task_default_exchange", "celery_default_exchange"],
        )),
        default_routing_key: text(setting(
            reply,
            &["task_default_routing_key", "celery_default_routing_key"],
        ))
        .filter(|key| !is_censored(key)),
        queue_max_priority: setting(
            reply,
            &["task_queue_max_priority", "celery_queue_max_priority"],
        )
        .and_then(Json::as_u64),
        transport: setting(reply, &["broker_transport_options"])
            .map_or_else(TransportOptions::default, transport),
    }
}

/// Celery's own where it is not configured: a day.
const RESULT_EXPIRES: Duration = Duration::from_hours(24);

/// What is configured otherwise is told alone, so what is not there is Celery's own; a null is no time, and a difference of times a text.
fn result_expires(reply: &Json) -> Option<Duration> {
    let entries = reply.as_object()?;
    let about = |name: &str| {
        let mut keys = entries.iter().map(|(key, _)| key.to_ascii_lowercase());
        keys.any(|key| key == name || ends_with(&key, name))
    };
    if about("error") || about("result_failure_expires") {
        return None;
    }
    if !about("result_expires") {
        return Some(RESULT_EXPIRES);
    }
    let span = match setting(reply, &["result_expires"])? {
        Json::Text(text) => span(text),
        number => Duration::try_from_secs_f64(number.as_f64()?.trunc()).ok(),
    };
    span.filter(|span| !span.is_zero())
}

/// `1:30:00`, `2 days, 0:00:00`, as Python writes a difference of times.
fn span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (days.parse().ok()?, rest.split_once(", ")?.1),
        None => (0, text),
    };
    let clock = clock.split('.').next()?;
    let parts: Vec<u64> = clock
        .split(':')
        .map_while(|part| part.parse().ok())
        .collect();
    let &[hours, minutes, seconds] = parts.as_slice() else {
        return None;
    };
    let day: u64 = days;
    let hours = day.checked_mul(24)?.checked_add(hours)?;
    let seconds = hours
        .checked_mul(3_600)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(seconds)?;
    Some(Duration::from_secs(seconds))
}

/// A list of names; a set arrives as its repr, `{'json', 'yaml'}`. `result_accept_content` is another setting.
fn accept_content(conf: &Json) -> Option<Vec<String>> {
    let entries = conf.as_object()?.iter().cloned();
    let about_results = |key: &str| key.to_ascii_lowercase().ends_with("result_accept_content");
    let others = entries.filter(|(key, _)| !about_results(key)).collect();
    match setting(&Json::Object(others), &["accept_content"])? {
        Json::List(names) => {
            let names = names.iter().filter_map(Json::as_str);
            Some(names.map(str::to_owned).collect())
        }
        Json::Text(repr) => {
            let quoted = repr.split(['\'', '"']).skip(1).step_by(2);
            Some(quoted.map(str::to_owned).collect())
        }
        _ => None,
    }
}

fn transport(options: &Json) -> TransportOptions {
    let word = |key| text(options.get(key)).filter(|text| !is_censored(text));
    let seconds = options.get("visibility_timeout").and_then(Json::as_f64);
    let steps = options.get("priority_steps").and_then(Json::as_list);
    TransportOptions {
        global_keyprefix: word("global_keyprefix"),
        visibility_timeout: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        priority_steps: steps.map(|steps| steps.iter().filter_map(Json::as_u64).collect()),
        sep: word("sep"),
        fanout_prefix: options.get("fanout_prefix").cloned(),
        fanout_patterns: options.get("fanout_patterns").and_then(Json::as_bool),
        queue_order_strategy: word("queue_order_strategy"),
        master_name: word("master_name"),
    }
}

/// Workers put asterisks for whatever a name makes them think secret.
fn is_censored(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte == b'*')
}

/// The value of a setting under any of its names, alone or behind a namespace (`SHOP_RESULT_BACKEND`); null is not set.
fn setting<'a>(conf: &'a Json, names: &[&str]) -> Option<&'a Json> {
    let entries = conf.as_object()?;
    let set = || entries.iter().filter(|(_, value)| *value != Json::Null);
    let called = |key: &str, name: &str| key.eq_ignore_ascii_case(name);
    let exact = set().find(|(key, _)| names.iter().any(|name| called(key, name)));
    let found =
        exact.or_else(|| set().find(|(key, _)| names.iter().any(|name| ends_with(key, name))));
    found.map(|(_, value)| value)
}

fn ends_with(key: &str, name: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.strip_suffix(name)
        .is_some_and(|namespace| namespace.ends_with('_'))
}

fn text(value: Option<&Json>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn flag(value: Option<&Json>) -> Option<bool> {
    value?.as_bool()
}

/// The prefix, or that the worker masks it.
fn keyprefix(options: &Json) -> Keyprefix {
    match text(options.get("global_keyprefix")) {
        None => Keyprefix::None,
        Some(prefix) if is_censored(&prefix) => Keyprefix::Censored,
        Some(prefix) => Keyprefix::Known(prefix),
    }
}

/// `task_routes` is a dict of pattern to route, or a list of such dicts and of lists of pairs. Router functions cannot be asked.
fn routes(value: &Json) -> Vec<(String, QueueName)> {
    match value {
        Json::List(maps) => maps.iter().flat_map(route_map).collect(),
        map => route_map(map),
    }
}

fn route_map(map: &Json) -> Vec<(String, QueueName)> {
    match map {
        Json::Object(entries) => entries
            .iter()
            .filter_map(|(pattern, to)| route(pattern, to))
            .collect(),
        Json::List(pairs) => match route_pair(map) {
            Some(pair) => vec![pair],
            None => pairs.iter().filter_map(route_pair).collect(),
        },
        _ => Vec::new(),
    }
}

fn route_pair(pair: &Json) -> Option<(String, QueueName)> {
    let [pattern, to] = pair.as_list()? else {
        return None;
    };
    route(pattern.as_str()?, to)
}

/// Where a route leads: `{"queue": name}` or just the name. A queue object arrives as its repr, `<unbound Queue …>`: no name.
fn route(pattern: &str, to: &Json) -> Option<(String, QueueName)> {
    let queue = to.as_str().or_else(|| to.get("queue")?.as_str())?;
    let named = !queue.is_empty() && !queue.starts_with('<');
    named.then(|| (pattern.to_owned(), QueueName::from(queue)))
}

/// What `report` tells that we use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Celery's version, from `celery:5.7.0 (…)`.
    pub celery: Option<String>,
    /// kombu's version.
    pub kombu: Option<String>,
    /// The text after `results:` of the settings line: a URL (password masked), `disabled`, …
    pub results: Option<String>,
}

/// Reads the text of a `report` answer (`{"ok": text}`).
pub fn report(reply: &Json) -> Report {
    let text = reply
        .get("ok")
        .unwrap_or(reply)
        .as_str()
        .unwrap_or_default();
    let version = |name: &str| {
        let words = text.split_whitespace();
        let mut versions = words.filter_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
        versions.next().map(str::to_owned)
    };
    Report {
        celery: version("celery"),
        kombu: version("kombu"),
        results: text.lines().find_map(results),
    }
}

/// From `settings -> transport:amqp results:redis://…`.
fn results(line: &str) -> Option<String> {
    let settings = line.trim_start().strip_prefix("settings ->")?;
    let (_, results) = settings.split_once(" results:")?;
    let results = results.trim();
    (!results.is_empty()).then(|| results.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(text: &str) -> Json {
        Json::parse_strict(text).unwrap()
    }

    #[rstest]
    #[case(r#"{"result_backend": "rpc://"}"#)]
    #[case(r#"{"CELERY_RESULT_BACKEND": "rpc://"}"#)]
    #[case(r#"{"SHOP_RESULT_BACKEND": "rpc://", "my_result_backend_x": "no"}"#)]
    #[case(r#"{"x_result_backend": "no", "result_backend": "rpc://"}"#)]
    #[case(r#"{"result_backend": null, "CELERY_RESULT_BACKEND": "rpc://"}"#)]
    fn a_setting_is_found_in_every_naming_style(#[case] text: &str) {
        assert_eq!(conf(&read(text)).result_backend.as_deref(), Some("rpc://"));
    }

    #[rstest]
    #[case("{}", Some(86_400))]
    #[case(r#"{"result_chord_expires": 5}"#, Some(86_400))]
    #[case(r#"{"result_expires": 3600}"#, Some(3_600))]
    #[case(r#"{"CELERY_TASK_RESULT_EXPIRES": 3600.7}"#, Some(3_600))]
    #[case(r#"{"result_expires": "1:00:00"}"#, Some(3_600))]
    #[case(r#"{"result_expires": "1 day, 0:00:01"}"#, Some(86_401))]
    #[case(r#"{"result_expires": "2 days, 0:00:00.500000"}"#, Some(172_800))]
    #[case(r#"{"result_expires": null}"#, None)]
    #[case(r#"{"result_expires": 0}"#, None)]
    #[case(r#"{"result_expires": 0.5}"#, None)]
    #[case(r#"{"result_expires": -1}"#, None)]
    #[case(r#"{"result_expires": "-1 day, 0:00:00"}"#, None)]
    #[case(r#"{"result_expires": "soon"}"#, None)]
    #[case(r#"{"result_failure_expires": 5}"#, None)]
    #[case(r#"{"error": "no"}"#, None)]
    #[case("[]", None)]
    fn how_long_results_are_kept_is_known_only_where_it_is_told(
        #[case] text: &str,
        #[case] seconds: Option<u64>,
    ) {
        let expires = conf(&read(text)).result_expires;
        assert_eq!(expires, seconds.map(Duration::from_secs));
    }

    #[test]
    fn old_names_of_the_other_settings_are_known() {
        let old = conf(&read(
            r#"{"CELERY_DEFAULT_QUEUE": "q", "CELERY_IGNORE_RESULT": true, "CELERY_TRACK_STARTED": false,
                "CELERY_ROUTES": {"a": "b"},
                "CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS": {"global_keyprefix": "kp_"}}"#,
        ));
        assert_eq!(old.default_queue.as_deref(), Some("q"));
        assert_eq!(
            (old.ignore_result, old.track_started),
            (Some(true), Some(false))
        );
        assert_eq!(old.routes.len(), 1);
        assert_eq!(old.result_keyprefix, Keyprefix::Known("kp_".to_owned()));
    }

    #[test]
    fn a_masked_prefix_is_one_that_is_not_known() {
        let options = |text: &str| {
            let conf = conf(&read(&format!(
                r#"{{"result_backend_transport_options": {text}}}"#
            )));
            (conf.result_keyprefix, conf.result_master_name)
        };
        assert_eq!(
            options(r#"{"global_keyprefix": "********", "master_name": "m"}"#),
            (Keyprefix::Censored, Some("m".to_owned()))
        );
        assert_eq!(options("{}"), (Keyprefix::None, None));
    }

    #[rstest]
    #[case("{}", &[Serializer::Json])]
    #[case(r#"{"result_accept_content": ["yaml"]}"#, &[Serializer::Json])]
    #[case(r#"{"accept_content": ["msgpack", "application/x-yaml"]}"#, &[Serializer::Yaml, Serializer::Msgpack])]
    #[case(r#"{"SHOP_ACCEPT_CONTENT": "{'json', 'yaml'}"}"#, &[Serializer::Json, Serializer::Yaml])]
    #[case(r#"{"CELERY_ACCEPT_CONTENT": ["pickle"]}"#, &[])]
    fn what_a_worker_accepts_is_told_or_json(
        #[case] answer: &str,
        #[case] expected: &[Serializer],
    ) {
        use strum::IntoEnumIterator;
        let conf = conf(&read(answer));
        let accepted: Vec<_> = Serializer::iter()
            .filter(|&one| conf.accepts(one))
            .collect();
        assert_eq!(accepted, expected);
    }

    #[test]
    fn transport_options_are_told_unless_they_are_censored() {
        let told = conf(&read(
            r#"{"BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 100, "global_keyprefix": "********", "priority_steps": [0, 5],
                "sep": ":", "fanout_prefix": true, "fanout_patterns": false, "master_name": "m"},
                "task_default_routing_key": "********", "task_default_exchange": "shop", "task_queue_max_priority": 10}"#,
        ));
        let expected = TransportOptions {
            visibility_timeout: Some(Duration::from_secs(100)),
            priority_steps: Some(vec![0, 5]),
            sep: Some(":".to_owned()),
            fanout_prefix: Some(Json::Bool(true)),
            fanout_patterns: Some(false),
            master_name: Some("m".to_owned()),
            ..TransportOptions::default()
        };
        assert_eq!(told.transport, expected);
        assert_eq!(told.default_routing_key, None);
        assert_eq!(told.default_exchange.as_deref(), Some("shop"));
        assert_eq!(told.queue_max_priority, Some(10));
    }

    #[rstest]
    #[case(r#"{"a.*": {"queue": "x"}, "b": "y"}"#, &[("a.*", "x"), ("b", "y")])]
    #[case(r#"[{"a": {"queue": "x"}}, [["b.*", {"queue": "y"}], ["c", "z"]]]"#, &[("a", "x"), ("b.*", "y"), ("c", "z")])]
    #[case(r#"[["a", {"queue": "x"}]]"#, &[("a", "x")])]
    #[case(r#"["shop.Router", {"a": {"exchange": "e"}}, [1, 2], null]"#, &[])]
    #[case(r#"{"a": {"queue": "<unbound Queue x -> <unbound Exchange x(direct)> -> x>"}}"#, &[])]
    #[case(r#""shop.Router""#, &[])]
    fn routes_are_read_in_order(#[case] routes: &str, #[case] expected: &[(&str, &str)]) {
        let conf = conf(&read(&format!(r#"{{"task_routes": {routes}}}"#)));
        let pair =
            |(pattern, queue): &(&str, &str)| ((*pattern).to_owned(), QueueName::from(*queue));
        assert_eq!(conf.routes, expected.iter().map(pair).collect::<Vec<_>>());
    }

    #[test]
    fn a_report_is_read_with_or_without_its_wrapping() {
        let text = "software -> celery:5.5.3 (immunity) kombu:5.5.4 py:3.11\nsettings -> transport:redis results:disabled\n";
        let expected = Report {
            celery: Some("5.5.3".to_owned()),
            kombu: Some("5.5.4".to_owned()),
            results: Some("disabled".to_owned()),
        };
        assert_eq!(report(&Json::from(text)), expected);
        let wrapped = Json::Object(vec![("ok".to_owned(), text.into())]);
        assert_eq!(report(&wrapped), expected);
        assert_eq!(report(&Json::Null), Report::default());
    }
}
