//! `wait`, `result` and `revoke`, as clap reads them: what is done with calls that were sent before. Decides nothing.

use clap::Args;

use super::Shape;
use crate::protocol::TaskId;
use crate::protocol::control::Signal;

/// `umbel wait`.
#[derive(Debug, Args)]
#[command(after_help = "\
Celery says PENDING of an id that it knows nothing of; umbel says so: `nothing is known of this id`. It may wait for a worker, it may
never have been sent, its result may have expired, or it may be kept elsewhere. A call that history has is told with its queue and all
that the workers say; its end is written there. At the timeout stderr (--json: `diagnosis`) says where it is and why.

Results on rpc:// go to their caller alone and cannot be waited for; what history kept is shown. Exit code: the highest of all.
With --json several ids give one document umbel.calls/1, with --jsonl each call one umbel.call/1 as soon as it ends.

A call that was made at another broker than umbel is at is not asked about (exit 11) unless --broker names one: that one is asked, and
what it says of queues and workers is not taken for an answer.")]
pub struct Wait {
    /// Ids of calls
    #[arg(value_name = "ID", required = true, value_parser = super::options::task_id)]
    pub ids: Vec<TaskId>,
    /// How results are printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// `umbel result`.
#[derive(Debug, Args)]
#[command(after_help = "\
The document is umbel.call/1; its `state` is null where nothing is known of the id, and `diagnosis` says where it is and why, with
what history has of it. Exit 3 unless the task has ended; 11 if it was made at another broker and --broker names none.")]
pub struct ResultOf {
    /// Id of a call, also as the screen shows it: bf b4049d
    #[arg(value_name = "ID", required = true, num_args = 1..=2, value_parser = super::options::task_id)]
    pub ids: Vec<TaskId>,
    /// How the result is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// `umbel revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
A revoke tells every worker not to start the task. A task that runs goes on, which is said, unless --terminate kills its process: a
last resort, for that process may by then run another task. Workers keep revoked ids in memory only: one that starts later does not know them. It cannot be taken back.

The beginning of a UUID is enough where history knows the call, else it is refused (exit 2), as is what begins another known id. Of an id that neither history nor a worker
knows that is said: workers take any text for an id.

Nothing is revoked without a confirmation: Y on a terminal, else --yes. A call that was made at another broker than umbel is at is not
revoked (exit 11) unless --broker names one.")]
pub struct Revoke {
    /// Ids of calls
    #[arg(value_name = "ID", required = true, value_parser = super::options::task_id)]
    pub ids: Vec<TaskId>,
    /// Kill the process that runs it; pools of threads and solo workers cannot
    #[arg(long)]
    pub terminate: bool,
    /// Signal for --terminate: SIGTERM, SIGKILL, SIGINT, SIGQUIT, SIGUSR1 [default: SIGTERM]
    #[arg(long, value_name = "NAME", requires = "terminate", value_parser = signal)]
    pub signal: Option<Signal>,
    /// The ids are whole, also one that looks like the beginning of another
    #[arg(long)]
    pub exact: bool,
    /// It is meant so: ask nobody
    #[arg(long)]
    pub yes: bool,
}

fn signal(text: &str) -> Result<Signal, String> {
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("SIG") {
        name
    } else {
        format!("SIG{name}")
    };
    let choices = || super::options::choices::<Signal>().join(", ");
    name.parse()
        .map_err(|_| format!("{text:?} is no signal for this; one of {}", choices()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_with_and_without_its_first_letters() {
        assert_eq!(signal("kill"), Ok(Signal::Sigkill));
        assert_eq!(signal("SIGTERM"), Ok(Signal::Sigterm));
        assert!(signal("SIGSTOP").unwrap_err().contains("SIGUSR1"));
    }
}
