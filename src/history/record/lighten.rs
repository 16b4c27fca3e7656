//! Records for which memory has no more room: what was called and how it ended stays, large values go. Pure.

use super::take::{small, weight, without_middle};
use super::{Kept, Record};
use crate::call::heft::heft;
use crate::protocol::python;

/// Bytes of a value that is not worth to be dropped.
const LIGHT: usize = 2 << 10;

/// Characters of what stands for a value that was dropped.
const BEGINNING: usize = 300;

impl Record {
    /// About the bytes that it takes up.
    pub fn heft(&self) -> usize {
        let signature = &self.signature;
        let entries = signature.kwargs.iter().map(|(_, value)| value);
        let arguments: usize = signature.args.iter().chain(entries).map(heft).sum();
        let answer = self.answer.as_ref().map_or(0, |answer| {
            let traceback = answer.traceback.as_ref().map_or(0, String::len);
            let value = match &answer.value {
                Kept::Whole(value) => heft(value),
                Kept::Cut { beginning, .. } => beginning.len(),
            };
            traceback + value
        });
        LIGHT + arguments + answer
    }

    /// The same with the values that it lost and an earlier record of its call still has.
    #[must_use]
    pub(in crate::history) fn with_values_of(mut self, earlier: &Self) -> Self {
        if self.arguments_cut.is_some() && earlier.arguments_cut.is_none() {
            self.arguments_cut = None;
            self.signature.args.clone_from(&earlier.signature.args);
            self.signature.kwargs.clone_from(&earlier.signature.kwargs);
        }
        if let (Some(own), Some(whole)) = (&mut self.answer, &earlier.answer)
            && matches!(own.value, Kept::Cut { .. })
            && matches!(whole.value, Kept::Whole(_))
            && (&own.state, own.done_at, own.size) == (&whole.state, whole.done_at, whole.size)
        {
            own.value = whole.value.clone();
        }
        self
    }

    /// The same without its large values; that they are missing is seen.
    #[must_use]
    pub fn lightened(mut self) -> Self {
        let signature = &mut self.signature;
        let entries = signature
            .kwargs
            .iter()
            .map(|(key, value)| key.len() + weight(value));
        let bytes = signature.args.iter().map(weight).chain(entries).sum();
        if bytes > LIGHT {
            self.arguments_cut = Some(bytes);
            signature.args = Vec::new();
            signature.kwargs = Vec::new();
        }
        if let Some(answer) = &mut self.answer {
            if let Kept::Whole(value) = &answer.value
                && weight(value) > LIGHT
            {
                answer.value = Kept::Cut {
                    bytes: weight(value),
                    beginning: python::repr_within(value, BEGINNING),
                };
            }
            let exception = answer.exception.as_mut();
            if let Some(exception) =
                exception.filter(|it| it.args.iter().any(|arg| weight(arg) > LIGHT))
            {
                exception.args = Vec::new();
            }
            // What is left of it is not cut again.
            if let Some(text) = &answer.traceback
                && text.len() > 4 * LIGHT
            {
                answer.traceback = Some(without_middle(text, (LIGHT, 2 * LIGHT)));
            }
        }
        self.diagnosis = self.diagnosis.filter(|found| weight(found) <= 2 * LIGHT);
        self.custom = self.custom.map(|(word, meta)| (word, small(&meta, LIGHT)));
        self
    }
}
