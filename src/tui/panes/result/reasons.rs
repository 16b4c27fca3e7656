//! Where a call is now, why, and what can be done: the words of Result about a call that is not back. Concludes nothing itself.

use crate::call::diagnosis::{Advice, Asked, Diagnosis, Place, Verdict};
use crate::call::{Call, CallState};
use crate::client::LinkName;
use crate::clock::Now;
use crate::text::human::{countdown, duration};

/// `asked 0.4s ago, 5/6 replied`.
pub fn asked(asked: Option<Asked>) -> String {
    match asked {
        None => "nobody was asked yet".to_owned(),
        Some(Asked { replied, of, ago }) => {
            format!("asked {} ago, {replied}/{of} replied", countdown(ago))
        }
    }
}

/// `RUN on w3@stg-7 pid 4120 for 9.2s, acknowledged`.
pub fn place(place: &Place, queue: &str, now: Now) -> String {
    let worker = place.worker.as_ref();
    let on = worker.map_or_else(String::new, |worker| format!(" on {worker}"));
    let Some(state) = place.state else {
        let was = worker.map_or_else(String::new, |worker| format!("; {worker} had it"));
        return format!("nobody knows{was}");
    };
    let said = match state {
        CallState::Lost => return "LOST?  no trace of it anywhere".to_owned(),
        CallState::UnknownDelivery => {
            return "It may or may not be queued: sending it was cut short.".to_owned();
        }
        CallState::Send | CallState::Sent => {
            return format!("SENT to queue {queue}; no worker has told it");
        }
        state => state.word(),
    };
    let since = place.since.filter(|_| state != CallState::Retry);
    let since = since.map_or_else(String::new, |at| {
        let least = if place.or_longer { " or longer" } else { "" };
        format!(" for {}{least}", duration(now.mono.since(at.mono)))
    });
    let pid = place
        .pid
        .map_or_else(String::new, |pid| format!(" pid {pid}"));
    let acknowledged = match place.acknowledged {
        Some(true) => ", acknowledged",
        Some(false) => ", not acknowledged yet",
        None => "",
    };
    let told = place.told.filter(|_| place.inferred);
    let told = told.map_or_else(String::new, |at| {
        format!(", last told {} ago", duration(now.mono.since(at.mono)))
    });
    format!("{said}{on}{pid}{since}{acknowledged}{told}")
}

/// What the place means for the outcome.
pub fn outlook(diagnosis: &Diagnosis, call: &Call) -> Option<&'static str> {
    let sent = call.timeline.published;
    let expiry = sent.and_then(|sent| call.signature.options.expiry(sent.wall));
    match diagnosis.now.state {
        Some(CallState::Run) if expiry.is_some() => {
            Some("It may still finish. Expiry no longer applies.")
        }
        Some(CallState::Run) => Some("It may still finish."),
        Some(CallState::Retry) => Some("It failed and will run again."),
        _ => None,
    }
}

/// The reasons, each a sentence. That it runs is none of them: [`runs`] says that. Of the link that the `banner` is about they say
/// nothing that stands there.
pub fn why(diagnosis: &Diagnosis, banner: Option<LinkName>) -> Vec<String> {
    let why = diagnosis.why.iter();
    let why = why.filter(|verdict| !matches!(verdict, Verdict::Running { .. }));
    let line = |verdict: &Verdict| match (verdict, banner) {
        (
            Verdict::BrokerDown {
                since_ms,
                result_backend_too,
                ..
            },
            Some(LinkName::Broker),
        ) => {
            let who = if *result_backend_too {
                "broker and the result backend are"
            } else {
                "broker is"
            };
            format!("the {who} down{}", since_ms.lasting())
        }
        (Verdict::BackendUnreachable { .. }, Some(LinkName::Backend)) => {
            "the result cannot be read: its backend is down".to_owned()
        }
        _ => addressed_once(verdict).line(),
    };
    why.map(line).collect()
}

/// That it runs: a reason where there is none beside it, or where it takes longer than usual.
pub fn runs(diagnosis: &Diagnosis) -> Option<String> {
    let running = diagnosis.why.iter().find_map(|verdict| match verdict {
        Verdict::Running {
            since_ms,
            told_ms,
            usual,
            ..
        } => Some((*since_ms, *told_ms, *usual)),
        _ => None,
    });
    let (since, told, usual) = running?;
    let slower = usual.zip(since);
    if let Some(slower) = slower.and_then(|(usual, since)| usual.slower(since.0)) {
        return Some(format!("it runs, {slower}"));
    }
    let no_reason = |verdict: &Verdict| {
        matches!(
            verdict,
            Verdict::Running { .. } | Verdict::WorkerBusy { .. } | Verdict::QueueFine { .. }
        )
    };
    if !diagnosis.why.iter().all(no_reason) {
        return None;
    }
    let runs = told.map_or("it simply runs", |_| "it ran when last told of");
    Some(match usual {
        Some(usual) => format!("{runs}: {}", usual.line()),
        None => format!("{runs}; how long it usually takes is not known"),
    })
}

/// What a revoke does to it, for the key that asks for one; `None`: it does nothing.
pub fn revoke(diagnosis: Option<&Diagnosis>, call: &Call) -> Option<&'static str> {
    const RUNS: &str = "revoke (it runs already: needs terminate)";
    const WAITS: &str = "revoke it, if it has not started";
    let Some(diagnosis) = diagnosis else {
        let runs = call.whereabouts() == Some(CallState::Run);
        return Some(if runs { RUNS } else { WAITS });
    };
    let lost = |verdict: &Verdict| matches!(verdict, Verdict::WorkerLost { .. });
    let advice = diagnosis.next.iter().find_map(|advice| match advice {
        Advice::Terminate => Some(RUNS),
        Advice::Revoke if diagnosis.why.iter().any(lost) => {
            Some("revoke: who gets it again drops it")
        }
        Advice::Revoke => Some(WAITS),
        _ => None,
    });
    let runs = diagnosis.now.state == Some(CallState::Run) && !diagnosis.out_of_reach();
    advice.or(runs.then_some("revoke (it runs already, and goes on)"))
}

/// What a revoke does to a call that is only looked at: nobody here knows more than what was told then.
pub fn revoke_unheard(call: &Call) -> &'static str {
    match call.whereabouts() {
        Some(CallState::Run) => "revoke (it ran then: alone it does not stop it)",
        _ => "revoke it, if it has not started",
    }
}

/// Whether calling again is to be thought of.
pub fn again(diagnosis: Option<&Diagnosis>, call: &Call) -> bool {
    let again = |advice: &Advice| matches!(advice, Advice::CallAgain { .. });
    let advised = diagnosis.map(|diagnosis| diagnosis.next.iter().any(again));
    advised.unwrap_or(!call.is_strange())
}

/// A reason of a backend begins with its address as a rule, which the sentence names already.
fn addressed_once(verdict: &Verdict) -> Verdict {
    let mut verdict = verdict.clone();
    if let Verdict::BackendUnreachable {
        address, reason, ..
    } = &mut verdict
        && let Some(short) = reason.strip_prefix(&format!("{address}: "))
    {
        *reason = short.to_owned();
    }
    verdict
}

/// Whether a reason says already that the result cannot be read just now.
pub fn tells_outage(diagnosis: &Diagnosis) -> bool {
    diagnosis.why.iter().any(|verdict| {
        matches!(
            verdict,
            Verdict::BrokerDown { .. } | Verdict::BackendUnreachable { .. }
        )
    })
}

/// Advice that has no key of its own.
pub fn advice(diagnosis: &Diagnosis) -> Vec<String> {
    let own_key = |advice: &&Advice| {
        !matches!(
            advice,
            Advice::Wait | Advice::Revoke | Advice::Terminate | Advice::CallAgain { .. }
        )
    };
    let advice = diagnosis.next.iter().filter(own_key);
    advice.map(Advice::line).collect()
}
