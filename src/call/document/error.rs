//! `error` of the documents: what went wrong with a call, and whether it may be called again. Pure.

use serde::Serialize;

use crate::call::{Call, CallState};
use crate::error::{Error, Kind};
use crate::protocol::TaskResult;
use crate::protocol::result::Exception;

/// Why it is not known whether a call is queued, where nobody was left to tell.
pub const CUT_SHORT: &str = "sending it was cut short";

/// `error` of the documents.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorDocument {
    /// Name of the kind.
    pub kind: String,
    #[serde(rename = "type")]
    class: Option<String>,
    /// For people.
    pub message: String,
    traceback: Option<String>,
    argument_error: Option<bool>,
    retry_safe: Option<bool>,
    /// The next step.
    pub hint: Option<String>,
}

/// What went wrong with a call in `state`, if anything did.
pub(super) fn of(call: &Call, state: CallState, interrupted: bool) -> Option<ErrorDocument> {
    let known = |kind: Kind| ErrorDocument {
        kind: kind.to_string(),
        class: None,
        message: String::new(),
        traceback: None,
        argument_error: None,
        retry_safe: None,
        hint: None,
    };
    Some(match state {
        CallState::Ok | CallState::LateOk | CallState::NoResult => return None,
        CallState::Fail | CallState::LateFail => failed(call, known(Kind::TaskFailed)),
        CallState::NoTask => failed(call, known(Kind::NotRegistered)),
        CallState::Expired => failed(call, known(Kind::Expired)),
        CallState::Revoked | CallState::Killed => failed(call, known(Kind::Revoked)),
        CallState::Draft if interrupted && call.trouble.is_none() => ErrorDocument {
            message: "stopped before it was sent".to_owned(),
            retry_safe: Some(true),
            ..known(Kind::Interrupted)
        },
        CallState::Draft | CallState::Unsent => {
            let trouble = call
                .trouble
                .clone()
                .unwrap_or_else(|| Error::new(Kind::Internal, "it was not sent"));
            ErrorDocument {
                retry_safe: Some(true),
                ..ErrorDocument::from(&trouble)
            }
        }
        _ if interrupted => ErrorDocument {
            message: if call.sent().is_some() {
                "stopped waiting; the task goes on".to_owned()
            } else {
                "stopped while it was being sent: unknown whether it was queued".to_owned()
            },
            retry_safe: Some(false),
            ..known(Kind::Interrupted)
        },
        CallState::UnknownDelivery => ErrorDocument {
            message: call
                .trouble
                .as_ref()
                .map_or_else(|| CUT_SHORT.to_owned(), |error| error.message.clone()),
            retry_safe: Some(false),
            hint: Some("it may be queued; it is never sent a second time by itself".to_owned()),
            ..known(Kind::UnknownDelivery)
        },
        _ => timed_out(call, known(Kind::Timeout)),
    })
}

fn timed_out(call: &Call, error: ErrorDocument) -> ErrorDocument {
    let waited = crate::text::human::duration(call.timeout);
    match (&call.backend_lost, &call.trouble) {
        (Some(reason), _) => ErrorDocument {
            kind: Kind::BackendUnreachable.to_string(),
            message: format!(
                "sent, then the result backend was lost and did not come back within {waited}: {reason}"
            ),
            retry_safe: Some(false),
            ..error
        },
        (None, Some(trouble)) => ErrorDocument {
            message: trouble.message.clone(),
            hint: trouble.hint.clone(),
            retry_safe: Some(false),
            ..error
        },
        (None, None) => ErrorDocument {
            message: format!(
                "no result within {waited}; the outcome is unknown, the task is not cancelled"
            ),
            retry_safe: Some(false),
            ..error
        },
    }
}

fn failed(call: &Call, error: ErrorDocument) -> ErrorDocument {
    let result = call.result.as_deref();
    let exception = call.exception();
    ErrorDocument {
        class: exception.map(full_name),
        message: message(call),
        traceback: result.and_then(|result| result.traceback.clone()),
        argument_error: Some(result.is_some_and(is_argument_error)),
        retry_safe: None,
        ..error
    }
}

/// The exception's text without its type.
fn message(call: &Call) -> String {
    let Some(headline) = call.headline() else {
        let trouble = call.unreadable();
        return trouble.map_or_else(String::new, |trouble| trouble.message.clone());
    };
    let kind = call
        .exception()
        .map_or("", |exception| exception.kind.as_str());
    match headline
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix(": "))
    {
        Some(text) => text.to_owned(),
        None if headline == kind => String::new(),
        None => headline,
    }
}

fn full_name(exception: &Exception) -> String {
    match exception.module.as_deref() {
        None | Some("builtins" | "") => exception.kind.clone(),
        Some(module) => format!("{module}.{}", exception.kind),
    }
}

/// A `TypeError` raised by calling the task, not inside it: its last frame is Celery's `__protected_call__` (verified on Celery 5.6 and 5.7).
fn is_argument_error(result: &TaskResult) -> bool {
    let type_error = result
        .exception
        .as_ref()
        .is_some_and(|exception| exception.kind == "TypeError");
    let last_frame = result.traceback.as_deref().and_then(|text| {
        text.lines()
            .rfind(|line| line.trim_start().starts_with("File \""))
    });
    type_error && last_frame.is_some_and(|frame| frame.contains("__protected_call__"))
}

impl From<&Error> for ErrorDocument {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind.to_string(),
            class: None,
            message: error.message.clone(),
            traceback: None,
            argument_error: None,
            retry_safe: None,
            hint: error.hint.clone(),
        }
    }
}
