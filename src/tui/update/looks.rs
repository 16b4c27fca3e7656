//! What a look at a call that nobody waits for came to, once all have answered that can: History keeps it.

use crate::call::Call;
use crate::call::diagnosis::{Diagnosis, diagnose};
use crate::clock::Now;
use crate::history::Key;
use crate::tui::state::State;
use crate::tui::state::calls::key_of;

/// Time passes: looks at calls of which all have answered. Returns whether one shows another word now.
pub fn tick(state: &mut State, now: Now) -> bool {
    let shared = &state.shared;
    let due = shared.calls.newest_first();
    let due = due.filter(|call| call.wants_look(&shared.scene(call), now));
    let found = |call: &Call| (key_of(call), diagnose(call, &shared.scene(call), now));
    let found: Vec<(Key, Diagnosis)> = due.map(found).collect();
    let mut news = false;
    for (key, found) in found {
        if let Some(call) = state.shared.calls.find_mut(&key) {
            let before = call.concluded();
            call.looked_at(&found, now);
            news |= before != call.concluded();
            state.shared.calls.changed(&key);
        }
    }
    news
}

/// Another program looked at a call that is listened for here: the later look counts. Returns whether it shows another word now.
pub fn of_others(state: &mut State, theirs: &Call) -> bool {
    let Some(own) = state.shared.calls.find_mut(&key_of(theirs)) else {
        return false;
    };
    let before = own.concluded();
    let at = |call: &Call| call.looked.map(|look| look.at.mono);
    if at(theirs) > at(own) {
        own.looked = theirs.looked;
    }
    before != own.concluded()
}
