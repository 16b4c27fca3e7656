//! Whether there is such a call at all: who told of it, and what is to be doubted where nobody did. Asks nobody.

use super::Followed;
use crate::call::CallState;
use crate::commands::named;

/// Who told of a call, the surest at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Knows {
    /// Nobody.
    Nobody,
    /// The result backend.
    Backend,
    /// A worker, or history.
    Witness,
}

impl Followed {
    pub(super) fn is_known(&self) -> bool {
        self.known > Knows::Nobody
    }

    /// Whether its end proves nothing before a worker knows the id: Celery 5.6 writes REVOKED of any.
    pub(super) fn unwitnessed(&self) -> bool {
        self.known == Knows::Backend && self.call.state() == CallState::Revoked
    }

    /// Whether there is such a call at all, where only its id says so.
    pub(super) fn doubts(&self) -> Vec<String> {
        let id = self.call.id();
        let beginning = self.known == Knows::Nobody && named::is_beginning(id);
        let doubts = [
            beginning.then(|| named::of_no_call(id)),
            self.unwitnessed().then(|| {
                let nobody = match self.call.inquiry.replied().count() {
                    0 => {
                        format!("history does not know {id}, and no worker told whether it has it")
                    }
                    _ => format!("neither history nor a worker that answered knows {id}"),
                };
                format!(
                    "{nobody}: Celery 5.6 and later write REVOKED also for an id that never existed"
                )
            }),
        ];
        doubts.into_iter().flatten().collect()
    }
}
