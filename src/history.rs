//! Every call on disk, so that none is lost: for the History pane, recall, "usual", and calls that end after we did.
//!
//! [`Record`] is one call as it is kept, secrets masked; [`open`] starts the one thread that owns the database, and gives the
//! [`Handle`] that everybody else has. SQLite is named only in `history/store`. History never waits for a network and never
//! decides what is shown.
//!
//! ```text
//! Call --Record::of--> Record --Handle::save--> actor --Store--> history.db
//! Call <--to_call, pick_up-- Record <--Handle::get, unresolved--+
//! ```

pub mod actor;
pub mod compare;
pub mod diff;
pub mod export;
pub mod filter;
pub mod path;
pub mod persist;
pub mod place;
pub mod record;
pub mod secrets;
pub mod store;
pub mod terms;

pub use crate::call::diagnosis::Usual;
pub use actor::{Closed, Handle, Notice, Reply, open};
pub use compare::{Comparison, Sameness, compare};
pub use diff::{Change, Difference, diff};
pub use filter::{Count, Cursor, Filter, Found, Row, TaskFilter};
pub use path::{Path, Step};
pub use persist::{Persist, Rules};
pub use place::{Keep, Place, place};
pub use record::{Key, Known, Masked, NotRepeatable, Origin, Record, Scribe};
pub use secrets::Secrets;
pub use store::repair::{Repaired, repair};
