//! What a task takes. Until signatures are read, every document says so.

use serde::Serialize;

/// The document `umbel.signature/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    schema: &'static str,
    /// Where it comes from: `none` = nobody told.
    source: &'static str,
    /// Parameters; `null` = not known.
    params: Option<Vec<String>>,
}

impl Document {
    /// Nothing is known.
    pub fn none() -> Self {
        Self {
            schema: "umbel.signature/1",
            source: "none",
            params: None,
        }
    }
}
