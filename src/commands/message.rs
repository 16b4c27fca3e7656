//! `--dry-run`: the message that would be sent, as the document `umbel.message/1`. Connects nowhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::output::Output;
use crate::error::{Error, Kind};
use crate::protocol::json::Limits;
use crate::protocol::message::{Properties, Sender};
use crate::protocol::{Compression, Json, Serializer, Signature, payload};

/// The document `umbel.message/1`.
#[derive(Serialize)]
struct MessageDocument {
    schema: &'static str,
    exchange: String,
    routing_key: Option<String>,
    properties: Properties,
    headers: Json,
    /// What the body says.
    body: Json,
    /// The body's bytes, where they are not that JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// Prints the message that would be sent, without any network.
pub fn dry_run(
    output: Output,
    signature: &Signature,
    sender: &Sender,
    warnings: &[String],
) -> Result<u8, Error> {
    let message = signature
        .encode(sender)
        .map_err(|error| Error::new(Kind::InvalidArguments, error.to_string()))?;
    let options = &signature.options;
    let plain = options.compression.is_none()
        && matches!(options.serializer, None | Some(Serializer::Json));
    let body = payload::decode(
        &message.body,
        message.properties.content_type.as_deref(),
        options.compression.map(Compression::content_type),
        Limits::default(),
    );
    let body = body.map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    output.warnings(warnings);
    let queue = options.queue.as_ref().map(ToString::to_string);
    output.document(&MessageDocument {
        schema: "umbel.message/1",
        exchange: options.exchange.clone().unwrap_or_default(),
        routing_key: options.routing_key.clone().or(queue),
        properties: message.properties,
        headers: Json::Object(message.headers),
        body: body.into_value(),
        body_base64: (!plain).then(|| BASE64.encode(&message.body)),
    });
    Ok(0)
}
