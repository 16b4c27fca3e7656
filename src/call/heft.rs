//! About how much memory a call and its values take up. Pure.

use super::Call;
use crate::protocol::Json;

/// What is taken up by a call without its values.
const BARE: usize = 2 << 10;

impl Call {
    /// About the bytes that it takes up in memory.
    pub fn heft(&self) -> usize {
        let arguments = list(&self.signature.args) + entries(&self.signature.kwargs);
        let custom = self.custom.as_ref().map_or(0, |(_, meta)| heft(meta));
        let repr = self.repr.as_ref().map_or(0, |repr| repr.text.len());
        let result = self.result.as_deref().map_or(0, |result| {
            let exception = result.exception.as_ref();
            let opaque = result.opaque.as_ref();
            let lines = opaque.map_or(0, |opaque| opaque.lines.iter().map(String::len).sum());
            heft(&result.value)
                + exception.map_or(0, |exception| list(&exception.args))
                + result.traceback.as_ref().map_or(0, String::len)
                + lines
        });
        BARE + arguments + custom + repr + result
    }
}

/// About the bytes that a value takes up in memory, which may be many times those of its text.
pub fn heft(value: &Json) -> usize {
    size_of::<Json>()
        + match value {
            Json::Null | Json::Bool(_) => 0,
            Json::Number(text) | Json::Text(text) => text.len(),
            Json::List(items) => list(items),
            Json::Object(all) => entries(all),
        }
}

fn list(items: &[Json]) -> usize {
    items.iter().map(heft).sum()
}

fn entries(all: &[(String, Json)]) -> usize {
    let entry = |(key, value): &(String, Json)| size_of::<String>() + key.len() + heft(value);
    all.iter().map(entry).sum()
}
