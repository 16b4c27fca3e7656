//! Records as text: one JSON document without the result, and the result. What is written is read back the same. Pure.

use super::fields::{Reader, Writer, filled, masked, seconds, texts};
use super::{Answer, Kept, Origin, Point, Record, Times, Waited};
use crate::call::{First, Look, Repr};
use crate::error::{Error, Kind};
use crate::protocol::json::Limits;
use crate::protocol::message::Start;
use crate::protocol::payload::Opaque;
use crate::protocol::result::Exception;
use crate::protocol::{Json, NodeName, Options, QueueName, Signature, State};

/// The form of the document; a later form keeps reading this one.
const FORM: &str = "umbel.record/1";

/// Why a record cannot be read: what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its record has no readable {0}")]
pub struct Unreadable(pub &'static str);

/// A record holds arguments a few levels below its own; they came through a reader of the usual depth.
fn limits() -> Limits {
    let usual = Limits::default();
    Limits {
        depth: usual.depth + 16,
        ..usual
    }
}

/// The document of a record, and its result where one is kept whole.
pub(crate) fn write(record: &Record) -> (String, Option<String>) {
    let result = record
        .answer
        .as_ref()
        .and_then(|answer| match &answer.value {
            Kept::Whole(value) => Some(value.to_wire()),
            Kept::Cut { .. } => None,
        });
    (document(record).to_wire(), result)
}

fn document(record: &Record) -> Json {
    let error = |error: &Error| {
        Writer::default()
            .put("kind", error.kind.to_string())
            .put("message", error.message.as_str())
            .may("hint", error.hint.as_deref())
            .done()
    };
    let custom =
        |(word, meta): &(String, Json)| Json::List(vec![Json::from(word.as_str()), meta.clone()]);
    let secrets = |masked: &[super::Masked]| Json::List(masked.iter().map(Json::from).collect());
    Writer::default()
        .put("form", FORM)
        .put("call", signature(&record.signature))
        .may("masked", filled(&record.masked).map(secrets))
        .may(
            "arguments_cut",
            record.arguments_cut.map(|size| size as u64),
        )
        .put("origin", origin(&record.origin))
        .may("queue", record.queue.as_ref().map(QueueName::as_str))
        .put("timeout", seconds(record.timeout))
        .put("times", times(&record.times))
        .put("state", record.state.to_string())
        .may(
            "whereabouts",
            record.whereabouts.map(|state| state.to_string()),
        )
        .may("sent", record.sent.map(Json::Bool))
        .put("late", Json::Bool(record.late))
        .may("timed_out", waited(record, true))
        .may("detached", waited(record, false))
        .may("worker", record.worker.as_ref().map(NodeName::as_str))
        .may("pid", record.pid)
        .may("first", first(&record.first))
        .may("twice", record.twice.as_ref().map(twice))
        .may("acknowledged", record.acknowledged.map(Json::Bool))
        .may("retries", record.retries)
        .may("custom", record.custom.as_ref().map(custom))
        .may("answer", record.answer.as_ref().map(answer))
        .may("source", record.source.map(|source| source.to_string()))
        .may("repr", record.repr.as_ref().map(|repr| repr.text.as_str()))
        .may("headline", record.headline.as_deref())
        .may("trouble", record.trouble.as_ref().map(error))
        .may("backend_lost", record.backend_lost.as_deref())
        .may("warnings", filled(&record.warnings).map(texts))
        .may("looked", record.looked.as_ref().map(look))
        .may("diagnosis", record.diagnosis.clone())
        .done()
}

fn first(first: &First) -> Option<Json> {
    let known = *first != First::default();
    let name = |node: &Option<NodeName>| node.as_ref().map(|it| it.as_str().to_owned());
    known.then(|| {
        Writer::default()
            .may("holder", name(&first.holder))
            .may("worker", name(&first.worker))
            .may("pid", first.pid)
            .done()
    })
}

fn twice((worker, at): &(NodeName, Point)) -> Json {
    let worker = Writer::default().put("worker", worker.as_str());
    worker.put("at", *at).done()
}

fn look(look: &Look<Point>) -> Json {
    Writer::default()
        .put("at", look.at)
        .may("state", look.state.map(|state| state.to_string()))
        .put("inferred", Json::Bool(look.inferred))
        .done()
}

fn read_look(fields: Reader<'_>) -> Option<Look<Point>> {
    Some(Look {
        at: fields.point("at")?,
        state: fields.parsed("state"),
        inferred: fields.truth("inferred")?,
    })
}

fn waited(record: &Record, timed_out: bool) -> Option<Json> {
    match record.waited {
        Waited::TimedOut(at) if timed_out => Some(at.into()),
        Waited::Detached(at) if !timed_out => Some(at.into()),
        _ => None,
    }
}

fn signature(call: &Signature) -> Json {
    Writer::default()
        .put("task", call.task.as_str())
        .put("id", call.id.as_str())
        .put("args", Json::List(call.args.clone()))
        .put("kwargs", Json::Object(call.kwargs.clone()))
        .put("options", options(&call.options))
        .done()
}

/// Options as they are written down: what was not asked for is left out.
pub(crate) fn options(options: &Options) -> Json {
    let (countdown, eta) = match options.start {
        Some(Start::After(after)) => (Some(seconds(after)), None),
        Some(Start::At(at)) => (None, Some(at.to_string())),
        None => (None, None),
    };
    let headers = filled(&options.headers).map(|headers| Json::Object(headers.to_vec()));
    Writer::default()
        .may("queue", options.queue.as_ref().map(QueueName::as_str))
        .may("exchange", options.exchange.as_deref())
        .may("routing_key", options.routing_key.as_deref())
        .may("countdown", countdown)
        .may("eta", eta)
        .may("expires", options.expires.map(seconds))
        .may("expires_at", options.expires_at.map(|at| at.to_string()))
        .may("priority", options.priority.map(u64::from))
        .may("time_limit", options.time_limit.map(seconds))
        .may("soft_time_limit", options.soft_time_limit.map(seconds))
        .may("headers", headers)
        .may(
            "serializer",
            options.serializer.map(|name| name.to_string()),
        )
        .may(
            "compression",
            options.compression.map(|name| name.to_string()),
        )
        .may("shadow", options.shadow.as_deref())
        .may("ignore_result", options.ignore_result.map(Json::Bool))
        .done()
}

fn origin(origin: &Origin) -> Json {
    Writer::default()
        .put("face", origin.face.to_string())
        .put("broker", origin.broker.as_str())
        .may("backend", origin.backend.as_deref())
        .may("profile", origin.profile.as_deref())
        .done()
}

fn times(times: &Times) -> Json {
    Writer::default()
        .put("created", times.created.to_string())
        .may("published", times.published)
        .may("confirmed", times.confirmed)
        .may("received", times.held)
        .may("told_received", times.received)
        .may("started", times.started)
        .may("last_started", times.last_started)
        .may("runtime", times.runtime.map(seconds))
        .put("told_start", Json::Bool(times.told_start))
        .put("told_last_start", Json::Bool(times.told_last_start))
        .may("done", times.done)
        .put("told_done", Json::Bool(times.told_done))
        .may("told", times.told)
        .put("recorded", times.recorded)
        .done()
}

fn answer(answer: &Answer) -> Json {
    let cut = match &answer.value {
        Kept::Whole(_) => None,
        Kept::Cut { bytes, beginning } => {
            let cut = Writer::default().put("bytes", *bytes as u64);
            Some(cut.put("beginning", beginning.as_str()).done())
        }
    };
    let exception = |exception: &Exception| {
        Writer::default()
            .put("kind", exception.kind.as_str())
            .may("module", exception.module.as_deref())
            .put("args", Json::List(exception.args.clone()))
            .done()
    };
    Writer::default()
        .put("state", answer.state.as_str())
        .may("cut", cut)
        .may("exception", answer.exception.as_ref().map(exception))
        .may("traceback", answer.traceback.as_deref())
        .may("done_at", answer.done_at.map(|at| at.to_string()))
        .may("worker", answer.worker.as_ref().map(NodeName::as_str))
        .may("pid", answer.pid)
        .may("retries", answer.retries)
        .put("size", answer.size as u64)
        .put("form", answer.form.to_string())
        .may("opaque", answer.opaque.as_ref().map(opaque))
        .done()
}

/// Its outline is the value of the answer, and what it raised the exception.
fn opaque(opaque: &Opaque) -> Json {
    Writer::default()
        .put("kind", opaque.kind.to_string())
        .put("size", opaque.size as u64)
        .put("lines", texts(&opaque.lines))
        .put("truncated", Json::Bool(opaque.truncated))
        .done()
}

fn read_opaque(fields: Reader<'_>) -> Option<Opaque> {
    Some(Opaque {
        kind: fields.parsed("kind")?,
        size: fields.size("size")?,
        lines: fields.texts("lines"),
        truncated: fields.truth("truncated")?,
        outline: Json::Null,
        raised: None,
    })
}

/// The record of a document and its result.
///
/// # Errors
/// It is no JSON, or something is missing without which it would not be the same call.
pub(crate) fn read(document: &str, result: Option<&str>) -> Result<Record, Unreadable> {
    let json = |text: &str| Json::parse(text.as_bytes(), limits()).map_err(|_| Unreadable("JSON"));
    let document = json(document)?;
    let result = result.map(json).transpose()?;
    let fields = Reader(&document);
    Ok(Record {
        signature: read_signature(fields.need("call")?)?,
        masked: fields.list("masked").iter().filter_map(masked).collect(),
        arguments_cut: fields.size("arguments_cut"),
        origin: read_origin(fields.need("origin")?)?,
        queue: fields.text("queue").map(Into::into),
        timeout: fields.duration("timeout").ok_or(Unreadable("timeout"))?,
        times: read_times(fields.need("times")?)?,
        state: fields.parsed("state").ok_or(Unreadable("state"))?,
        whereabouts: fields.parsed("whereabouts"),
        sent: fields.truth("sent"),
        late: fields.truth("late").ok_or(Unreadable("late"))?,
        waited: match (fields.point("timed_out"), fields.point("detached")) {
            (Some(at), _) => Waited::TimedOut(at),
            (None, Some(at)) => Waited::Detached(at),
            (None, None) => Waited::Yes,
        },
        worker: fields.text("worker").map(Into::into),
        pid: fields.number("pid"),
        first: fields.part("first").map(read_first).unwrap_or_default(),
        twice: fields.part("twice").and_then(read_twice),
        acknowledged: fields.truth("acknowledged"),
        retries: fields.number("retries"),
        custom: read_custom(fields),
        answer: fields
            .part("answer")
            .map(|fields| read_answer(fields, result))
            .transpose()?,
        source: fields.parsed("source"),
        repr: fields.text("repr").map(Repr::new),
        headline: fields.text("headline"),
        trouble: fields.part("trouble").and_then(read_error),
        backend_lost: fields.text("backend_lost"),
        warnings: fields.texts("warnings"),
        looked: fields.part("looked").and_then(read_look),
        diagnosis: fields.value("diagnosis").cloned(),
    })
}

fn read_first(fields: Reader<'_>) -> First {
    First {
        holder: fields.text("holder").map(Into::into),
        worker: fields.text("worker").map(Into::into),
        pid: fields.number("pid"),
    }
}

fn read_twice(fields: Reader<'_>) -> Option<(NodeName, Point)> {
    Some((fields.text("worker")?.into(), fields.point("at")?))
}

fn read_signature(fields: Reader<'_>) -> Result<Signature, Unreadable> {
    let need = |key: &'static str| fields.text(key).ok_or(Unreadable(key));
    Ok(Signature {
        task: need("task")?.into(),
        id: need("id")?.into(),
        args: fields.list("args"),
        kwargs: fields.entries("kwargs"),
        options: read_options(fields.need("options")?),
    })
}

fn read_options(fields: Reader<'_>) -> Options {
    let countdown = fields.duration("countdown").map(Start::After);
    Options {
        queue: fields.text("queue").map(Into::into),
        exchange: fields.text("exchange"),
        routing_key: fields.text("routing_key"),
        start: countdown.or_else(|| fields.parsed("eta").map(Start::At)),
        expires: fields.duration("expires"),
        expires_at: fields.parsed("expires_at"),
        priority: fields
            .number("priority")
            .and_then(|level| level.try_into().ok()),
        time_limit: fields.duration("time_limit"),
        soft_time_limit: fields.duration("soft_time_limit"),
        headers: fields.entries("headers"),
        serializer: fields.parsed("serializer"),
        compression: fields.parsed("compression"),
        shadow: fields.text("shadow"),
        ignore_result: fields.truth("ignore_result"),
    }
}

fn read_origin(fields: Reader<'_>) -> Result<Origin, Unreadable> {
    Ok(Origin {
        face: fields.parsed("face").ok_or(Unreadable("face"))?,
        broker: fields.text("broker").ok_or(Unreadable("broker"))?,
        backend: fields.text("backend"),
        profile: fields.text("profile"),
    })
}

fn read_times(fields: Reader<'_>) -> Result<Times, Unreadable> {
    let told_start = fields.truth("told_start");
    // Earlier umbels kept one start only.
    let only = fields.point("started").filter(|_| told_start.is_none());
    Ok(Times {
        created: fields.parsed("created").ok_or(Unreadable("time"))?,
        published: fields.point("published"),
        confirmed: fields.point("confirmed"),
        held: fields.point("received"),
        received: fields.point("told_received"),
        started: fields.point("started"),
        last_started: fields.point("last_started").or(only),
        runtime: fields.duration("runtime"),
        told_start: told_start.unwrap_or(false),
        told_last_start: fields.truth("told_last_start").unwrap_or(false),
        done: fields.point("done"),
        told_done: fields.truth("told_done").unwrap_or(false),
        told: fields.point("told"),
        recorded: fields.point("recorded").ok_or(Unreadable("time"))?,
    })
}

fn read_custom(fields: Reader<'_>) -> Option<(String, Json)> {
    match fields.value("custom")?.as_list()? {
        [Json::Text(word), meta] => Some((word.clone(), meta.clone())),
        _ => None,
    }
}

fn read_error(fields: Reader<'_>) -> Option<Error> {
    Some(Error {
        // A kind of a later umbel is still an error with its words.
        kind: fields.parsed("kind").unwrap_or(Kind::Internal),
        message: fields.text("message")?,
        hint: fields.text("hint"),
    })
}

fn read_answer(fields: Reader<'_>, result: Option<Json>) -> Result<Answer, Unreadable> {
    let cut = fields.part("cut").and_then(|cut| {
        Some(Kept::Cut {
            bytes: cut.size("bytes")?,
            beginning: cut.text("beginning")?,
        })
    });
    let exception = fields.part("exception").and_then(|fields| {
        Some(Exception {
            kind: fields.text("kind")?,
            module: fields.text("module"),
            args: fields.list("args"),
        })
    });
    let state = fields.text("state").ok_or(Unreadable("answer"))?;
    Ok(Answer {
        state: State::from_word(&state),
        value: cut
            .or(result.map(Kept::Whole))
            .ok_or(Unreadable("result"))?,
        exception,
        traceback: fields.text("traceback"),
        done_at: fields.parsed("done_at"),
        worker: fields.text("worker").map(Into::into),
        pid: fields.number("pid"),
        retries: fields.number("retries"),
        size: fields.size("size").unwrap_or_default(),
        form: fields.parsed("form").unwrap_or_default(),
        opaque: fields.part("opaque").and_then(read_opaque),
    })
}
