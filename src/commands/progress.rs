//! What `call` says on stderr: the progress line, and the closing words.

use std::fmt::Write;
use std::time::Duration;

use super::around::{self, Around};
use super::revoke::Effect;
use crate::call::diagnosis::{Verdict, Way, diagnose};
use crate::call::document::CUT_SHORT;
use crate::call::timeline::Clock;
use crate::call::{Call, CallState, share};
use crate::cli;
use crate::clock::Now;
use crate::protocol::{python, traceback};
use crate::text::human;

/// Frames of the spinner.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Frames of the task's own code that are shown unless all are wanted.
const FRAMES: usize = 3;
/// Exceptions of a chain that are shown unless all are wanted.
const CHAINED: usize = 5;
/// Characters of an exception that others came of.
const CAUSE: usize = 300;
/// Characters of what a state of its own says.
const META: usize = 200;
/// Steps of a pickled result that are shown.
const STEPS: usize = 20;

/// The reason that is told to be over.
const BROKER_DOWN: &str = "broker_down";

/// The line shown while waiting: `⠙ RUN on w2@stg-4   3.2s of 10s`.
pub fn line(call: &Call, around: &Around, now: Now) -> String {
    moving(call, around, call.elapsed(now).unwrap_or_default(), now)
}

/// The same, for a call that is waited for since `elapsed`.
pub fn moving(call: &Call, around: &Around, elapsed: Duration, now: Now) -> String {
    let frame = SPINNER[usize::try_from(now.mono.0.as_millis() / 100).unwrap_or(0) % SPINNER.len()];
    let place = call
        .worker
        .as_ref()
        .map_or_else(String::new, |worker| format!(" on {worker}"));
    let custom = custom(call).map_or_else(String::new, |custom| format!("  {custom}"));
    let lost = call
        .backend_lost
        .as_ref()
        .map_or("", |_| "  result backend DOWN");
    let why = call
        .looks_stuck(now)
        .then(|| around::first_reason(&diagnose(call, &around.scene(), now)))
        .flatten()
        .map_or_else(String::new, |why| format!("   {why}"));
    let word = match call.whereabouts() {
        Some(CallState::UnknownDelivery) if call.is_strange() => "unknown".to_owned(),
        state => call.word_of(state.unwrap_or(call.state()), &around.cluster),
    };
    let text = format!(
        "{frame} {word}{place}   {} of {}{custom}{lost}{why}",
        human::countdown(elapsed),
        human::duration(call.timeout)
    );
    crate::text::width::cut(&crate::text::sanitise::show(&text), 79, "…")
}

/// What was done to the task when nobody waited for it any longer.
fn cancelled(around: &Around) -> &'static str {
    around.revoked.map_or("task not cancelled", Effect::line)
}

/// One change of state: `12:04:31 RECV w1@host`.
pub fn change(call: &Call, around: &Around, now: Now) -> String {
    let time = now.wall.to_zoned(jiff::tz::TimeZone::system());
    let worker = call
        .worker
        .as_ref()
        .map_or_else(String::new, |worker| format!(" {worker}"));
    let custom = custom(call).map_or_else(String::new, |custom| format!(" {custom}"));
    let word = call.word_of(call.state(), &around.cluster);
    let text = format!("{} {word}{worker}{custom}", time.strftime("%H:%M:%S"));
    crate::text::sanitise::show(&text).into_owned()
}

/// The application's own state and what it says: a share where it tells one, else its words, the beginning of long ones.
pub fn custom(call: &Call) -> Option<String> {
    let (word, meta) = call.custom.as_ref()?;
    let said = match (share::of(meta), share::beside(meta, META)) {
        (Some(share), Some(beside)) => format!("{}, {beside}", share.text),
        (Some(share), None) => share.text,
        (None, _) => python::repr_within(meta, META),
    };
    Some(format!("{word} {said}"))
}

/// Why a call that looks stuck does, once for every reason: `12:04:32 SENT  nobody reads queue mail: 1 waiting`.
pub fn stuck(
    call: &Call,
    around: &Around,
    shown: &mut Option<&'static str>,
    now: Now,
) -> Option<String> {
    if *shown == Some(BROKER_DOWN) && matches!(around.scene().broker, Way::Up) {
        *shown = None;
        return Some(format!("{}  the broker is back", change(call, around, now)));
    }
    // The closing words say it at the end.
    if !call.looks_stuck(now) || call.inquiry.asked.is_none() || call.state() == CallState::Timeout
    {
        return None;
    }
    let diagnosis = diagnose(call, &around.scene(), now);
    let reason = diagnosis.first_to_tell()?;
    // Before anybody has answered there is nothing to say.
    if matches!(reason, Verdict::NotKnown { .. }) || *shown == Some(reason.kind()) {
        return None;
    }
    *shown = Some(reason.kind());
    Some(format!("{}  {}", change(call, around, now), reason.line()))
}

/// When what happened, each from the sending on.
pub fn timeline(call: &Call) -> String {
    let timeline = &call.timeline;
    let Some(sent) = timeline.published else {
        return "  timeline: not sent".to_owned();
    };
    let mut text = format!("  sent {}", crate::call::document::rfc3339(sent.wall));
    let received = match timeline.received {
        Some(_) => "received",
        None => "received by",
    };
    let stations = [
        ("confirmed", timeline.confirmed),
        (received, timeline.held),
        ("started", timeline.started),
        (
            "last started",
            timeline.last_started.filter(|_| call.restarted()),
        ),
        ("back", timeline.done),
    ];
    let stations = stations
        .into_iter()
        .filter(|(word, at)| at.is_some() || *word != "last started");
    for (word, at) in stations {
        let after = at.map(|at| human::duration(at.mono.since(sent.mono)));
        let after = after.map_or_else(|| "not seen".to_owned(), |after| format!("+{after}"));
        let _ = write!(text, "  {word} {after}");
    }
    text
}

/// Whether the closing words of a call hold whenever they are said: they do not tell where it is now.
pub fn ended(call: &Call) -> bool {
    let state = call.final_word();
    state.is_final() || matches!(state, CallState::Draft | CallState::UnknownDelivery)
}

/// How a call is closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closing {
    /// The user, or the system, stopped the waiting.
    pub interrupted: bool,
    /// All is told, library frames too.
    pub verbose: bool,
    /// History does not have it: it cannot be called again by its id.
    pub unkept: bool,
}

/// The closing words of a call, for people.
pub fn closing(call: &Call, around: &Around, how: Closing, now: Now) -> String {
    let interrupted = how.interrupted;
    match call.final_word() {
        CallState::Ok | CallState::LateOk => {
            format!("{}{}", headline(call, Named::No), returned(call))
        }
        CallState::Fail | CallState::LateFail | CallState::NoTask => failure(call, how.verbose),
        CallState::Expired | CallState::Revoked | CallState::Killed => {
            format!(
                "{}\n{}",
                headline(call, Named::Yes),
                call.headline().unwrap_or_default()
            )
        }
        CallState::NoResult => format!(
            "NO RESULT  {}  id {}  sent; nothing is waited for",
            call.signature.task,
            call.id()
        ),
        CallState::Draft if interrupted && call.trouble.is_none() => format!(
            "STOPPED  {}  id {}\nnothing was sent",
            call.signature.task,
            call.id()
        ),
        CallState::Unsent | CallState::Draft => unsent(call),
        CallState::Send if interrupted => format!(
            "SENT?  {}  id {}  stopped while it was being sent: unknown whether it was queued",
            call.signature.task,
            call.id()
        ),
        state if interrupted => format!(
            "{}  {}  id {}  stopped waiting; {}",
            state.word(),
            call.signature.task,
            call.id(),
            around.revoked.map_or("the task goes on", Effect::line)
        ),
        CallState::UnknownDelivery => {
            let reason = call.trouble.as_ref();
            let reason = reason.map_or(CUT_SHORT, |error| &error.message);
            format!(
                "SENT?  {}  id {}  unknown whether it was queued: {reason}\n  it is not sent a second time",
                call.signature.task,
                call.id()
            )
        }
        _ => timeout(call, around, how, now),
    }
}

/// What is known of a value that is not printed as one.
fn returned(call: &Call) -> String {
    if let Some(repr) = &call.repr {
        return format!("\n  {}: {}", repr.label(), repr.text);
    }
    if let Some(opaque) = call.opaque() {
        let mut text = format!(
            "\n  the result is pickled ({} bytes); pickle is never executed, this is what it would do:",
            opaque.size
        );
        for line in opaque.lines.iter().take(STEPS) {
            let _ = write!(text, "\n  {line}");
        }
        if opaque.lines.len() > STEPS {
            let _ = write!(
                text,
                "\n  ({} more steps; --json has them)",
                opaque.lines.len() - STEPS
            );
        }
        return text;
    }
    match call.unreadable() {
        Some(trouble) => format!("\n  it returned, but {}", trouble.message),
        None => String::new(),
    }
}

/// Whether a line names its task: what went wrong is read without the command beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

/// `OK 212ms  (queued 11ms, ran 196ms)  w2@stg-4  id c7c0ffee-…`, `FAIL 141ms  shop.orders.refund  …`.
fn headline(call: &Call, named: Named) -> String {
    let about_all = Clock::about(call.timeline.total_on());
    let total = call.timeline.total().map_or_else(String::new, |total| {
        format!(" {about_all}{}", human::duration(total))
    });
    let mut text = format!("{}{total}", call.state().word());
    if named == Named::Yes {
        let _ = write!(text, "  {}", call.signature.task);
    }
    if let Some(parts) = parts(call) {
        let _ = write!(text, "  ({parts})");
    }
    if let Some(worker) = &call.worker {
        let _ = write!(text, "  {worker}");
    }
    let _ = write!(text, "  id {}", call.id());
    text
}

/// Where the time went: `queued 11ms, ran 196ms`; with what was between the first start and the last one, where that is known.
fn parts(call: &Call) -> Option<String> {
    let timeline = &call.timeline;
    let (queued, ran) = (timeline.queued()?, timeline.ran()?);
    let queued = format!(
        "queued {}{}",
        Clock::about(timeline.queued_on()),
        human::duration(queued)
    );
    let ran = format!(
        "{}{}",
        Clock::about(timeline.ran_on()),
        human::duration(ran)
    );
    let before = timeline.before_last().map(human::duration);
    let retries = call.retries.filter(|retries| *retries > 0);
    let retries = retries.map(|number| match number {
        1 => "1 retry".to_owned(),
        number => format!("{number} retries"),
    });
    let between = match (retries, before) {
        (Some(retries), Some(before)) => format!("{retries} in {before}"),
        (Some(retries), None) => retries,
        (None, Some(before)) => format!("started again after {before}"),
        (None, None) => return Some(format!("{queued}, ran {ran}")),
    };
    Some(format!("{queued}, {between}, last run {ran}"))
}

fn failure(call: &Call, verbose: bool) -> String {
    let mut text = headline(call, Named::Yes);
    let _ = write!(text, "\n{}", call.headline().unwrap_or_default());
    if call.state() == CallState::NoTask {
        let _ = write!(
            text,
            "\n  the worker does not know the task {}; `umbel tasks` lists what is registered",
            call.signature.task
        );
    }
    let traceback = call
        .result
        .as_ref()
        .and_then(|result| result.traceback.as_deref())
        .unwrap_or_default();
    text.push_str(&frames(traceback, verbose));
    text
}

/// The last frames of the task's own code, under each exception of the chain, and how many are not shown; or all of them.
fn frames(traceback: &str, verbose: bool) -> String {
    let mut text = String::new();
    let (mut earlier, mut library) = (0, 0);
    let chain = traceback::chain(traceback);
    let most = if verbose { chain.len() } else { CHAINED };
    for raised in chain.iter().take(most) {
        let indent = if raised.link.is_some() { "    " } else { "  " };
        if let Some(link) = raised.link {
            let exception = raised.exception().unwrap_or("an exception");
            let exception = python::shorten(exception, CAUSE);
            let _ = write!(text, "\n  {} {exception}", link.words());
        }
        let all = raised.lines.iter().filter_map(|line| frame(line));
        let (libraries, own): (Vec<String>, Vec<String>) =
            all.partition(|frame| !verbose && is_library(frame));
        let shown = if verbose { own.len() } else { FRAMES };
        let hidden = own.len().saturating_sub(shown);
        earlier += hidden;
        library += libraries.len();
        for frame in &own[hidden..] {
            let _ = write!(text, "\n{indent}{frame}");
        }
    }
    let deeper = chain.len().saturating_sub(most);
    let folded = [
        (earlier, "earlier frame"),
        (library, "library frame"),
        (deeper, "earlier exception"),
    ];
    let folded = folded.iter().filter(|(count, _)| *count > 0);
    let folded: Vec<String> = folded
        .map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if !folded.is_empty() {
        let _ = write!(text, "\n  ({}; -v shows all)", folded.join(", "));
    }
    text
}

/// `File "shop/tasks.py", line 42, in refund` as `shop/tasks.py:42 in refund`.
fn frame(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = rest.split_once(", in ").unwrap_or((rest, "?"));
    Some(format!("{file}:{number} in {function}"))
}

fn is_library(frame: &str) -> bool {
    frame.contains("site-packages/")
        || frame.contains("/lib/python")
        || frame.contains("dist-packages/")
}

fn unsent(call: &Call) -> String {
    let (message, hint) = match &call.trouble {
        Some(error) => (error.message.as_str(), error.hint.as_deref()),
        None => ("it was not sent", None),
    };
    let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    format!("{}  {message}{hint}\nnothing was sent", call.state().word())
}

fn timeout(call: &Call, around: &Around, how: Closing, now: Now) -> String {
    let diagnosis = around.diagnose(call, now);
    let waited = human::duration(call.timeout);
    let word = if diagnosis.lost() { "LOST?" } else { "TIMEOUT" };
    let mut text = format!(
        "{word} {waited}  {}  id {}   outcome unknown, {}",
        call.signature.task,
        call.id(),
        cancelled(around)
    );
    if let Some(reason) = &call.backend_lost {
        let _ = write!(
            text,
            "\n  the result backend was lost and did not come back: {reason}"
        );
    }
    if let Some(trouble) = &call.trouble {
        let _ = write!(text, "\n  {}", trouble.message);
        if let Some(hint) = &trouble.hint {
            let _ = write!(text, "\n  hint: {hint}");
        }
    }
    if let Some(custom) = custom(call) {
        let _ = write!(text, "\n  says: {custom}");
    }
    let mut commands = cli::commands();
    commands.retain(|command| command != "again" || !how.unkept);
    text.push_str(&around::words(call, &diagnosis, &commands, now));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Fact;
    use crate::client::{Event, LinkName, LinkState};
    use crate::error::{Error, Kind};
    use crate::protocol::{Options, Signature};

    const TRACEBACK: &str = r#"Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/tasks.py", line 42, in refund
    reserve(order)
  File "/srv/shop/a.py", line 1, in a
  File "/srv/shop/b.py", line 2, in b
  File "/srv/shop/service.py", line 88, in reserve
shop.errors.OutOfStock: none"#;

    #[test]
    fn a_broker_that_was_told_to_be_down_is_told_to_be_back_once() {
        let at = |secs| Now::fixed(Duration::from_secs(secs));
        let signature = Signature {
            task: "shop.add".into(),
            id: "a".into(),
            args: Vec::new(),
            kwargs: Vec::new(),
            options: Options::default(),
        };
        let mut call = Call::new(signature, Duration::from_mins(1), at(0));
        call.apply(Fact::Publishing, at(0));
        call.apply(Fact::Confirmed, at(0));
        call.apply(Fact::Asked, at(5));
        let mut around = Around::default();
        let mut shown = None;
        around.hear(Event::Link(
            LinkName::Broker,
            LinkState::Waiting {
                attempt: 1,
                retry_at: at(12),
                reason: Error::new(Kind::Unsent, "connection refused"),
                since: at(10),
            },
        ));
        let told = stuck(&call, &around, &mut shown, at(10)).unwrap();
        assert!(told.contains("the broker is down, next try"), "{told}");
        let up = LinkState::Up { latency: None };
        around.hear(Event::Link(LinkName::Broker, up));
        let told = stuck(&call, &around, &mut shown, at(20)).unwrap();
        assert!(told.ends_with("the broker is back"), "{told}");
        let told = stuck(&call, &around, &mut shown, at(21));
        assert!(told.is_none_or(|told| !told.contains("back")));
    }

    #[test]
    fn the_last_frames_of_the_task_are_shown_and_the_others_counted() {
        assert_eq!(
            frames(TRACEBACK, false),
            "\n  /srv/shop/a.py:1 in a\n  /srv/shop/b.py:2 in b\n  /srv/shop/service.py:88 in reserve\n  (1 earlier frame, 1 library frame; -v shows all)"
        );
    }

    #[test]
    fn what_an_exception_came_of_stands_under_it_with_its_frames() {
        let cause = "Traceback (most recent call last):
  File \"/srv/shop/prices.py\", line 7, in price
    return prices[sku]
KeyError: 'A-1009'";
        let link = "The above exception was the direct cause of the following exception:";
        let told = frames(&format!("{cause}\n\n{link}\n\n{TRACEBACK}"), false);
        assert!(
            told.ends_with(
                "reserve\n  caused by KeyError: 'A-1009'\n    /srv/shop/prices.py:7 in price\n  (1 earlier frame, 1 library frame; -v shows all)"
            ),
            "{told}"
        );
        let link = "During handling of the above exception, another exception occurred:";
        let many = [cause; 9].join(&format!("\n\n{link}\n\n"));
        let told = frames(&many, false);
        assert_eq!(told.matches("while handling KeyError").count(), 4, "{told}");
        assert!(
            told.contains("(4 earlier exceptions; -v shows all)"),
            "{told}"
        );
        assert_eq!(frames(&many, true).matches("while handling").count(), 8);
    }

    #[test]
    fn all_frames_are_shown_in_their_order_if_that_is_wanted() {
        let all = frames(TRACEBACK, true);
        assert_eq!(all.lines().count(), 6, "{all}");
        assert!(
            all.contains("trace.py:453 in trace_task\n  /srv/shop/tasks.py:42"),
            "{all}"
        );
        assert!(!all.contains("-v"), "{all}");
    }
}
