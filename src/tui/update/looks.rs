//! What a look at a call that nobody waits for came to, once all have answered that can: History keeps it.

use crate::call::Call;
use crate::call::diagnosis::{Diagnosis, diagnose};
use crate::clock::Now;
use crate::protocol::TaskId;
use crate::tui::state::State;
use crate::tui::state::calls::key_of;

/// Time passes: looks at calls of which all have answered. Returns whether one shows another word now.
pub fn tick(state: &mut State, now: Now) -> bool {
    let shared = &state.shared;
    let due = shared.calls.newest_first();
    let due = due.filter(|call| call.wants_look(&shared.scene(call), now));
    let found = |call: &Call| (call.id().clone(), diagnose(call, &shared.scene(call), now));
    let found: Vec<(TaskId, Diagnosis)> = due.map(found).collect();
    let mut news = false;
    for (id, found) in found {
        if let Some(call) = state.shared.calls.get_mut(&id) {
            let before = call.concluded();
            call.looked_at(&found, now);
            news |= before != call.concluded();
            state.shared.calls.changed(&id);
        }
    }
    news
}

/// Another program looked at a call that is listened for here: the later look counts. Returns whether it shows another word now.
pub fn of_others(state: &mut State, theirs: &Call) -> bool {
    let own = state.shared.calls.get_mut(theirs.id());
    let Some(own) = own.filter(|own| key_of(own) == key_of(theirs)) else {
        return false;
    };
    let before = own.concluded();
    let at = |call: &Call| call.looked.map(|look| look.at.mono);
    if at(theirs) > at(own) {
        own.looked = theirs.looked;
    }
    before != own.concluded()
}
