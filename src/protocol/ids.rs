//! Names and ids as types of their own, so that a queue is never passed for a task.

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text, exactly as the wire has it (not sanitised).
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

use super::Json;

/// Linux's `PID_MAX_LIMIT`: the kernel gives no process a greater number.
const LARGEST_PID: u64 = 4_194_304;

/// A process id that somebody tells. The pools `gevent`, `eventlet` and `threads` put the id of a greenlet or thread in its place, an
/// address in memory such as 140280088452992: that is no process, so the process is unknown then.
pub fn pid(value: &Json) -> Option<u64> {
    value.as_u64().filter(|pid| *pid <= LARGEST_PID)
}

name!(
    /// The id of one call: a lower-case UUID (version 4) when we made it; any string is legal in Celery.
    TaskId
);
name!(
    /// The registered name of a task, such as `shop.tasks.add`.
    TaskName
);
name!(
    /// The name of a queue.
    QueueName
);
name!(
    /// The node name of a worker, `name@host`.
    NodeName
);

impl TaskId {
    /// A new random id.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// The two short groups that people read: the first two and the next six letters or digits of the id, `c7 a31f09`.
    pub fn short(&self) -> String {
        let plain: String = self.0.chars().filter(char::is_ascii_alphanumeric).collect();
        match (plain.get(..2), plain.get(2..8)) {
            (Some(head), Some(tail)) => format!("{head} {tail}"),
            _ => self.0.chars().take(8).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_greenlet_or_a_thread_is_no_process_id() {
        let told = |number: u64| pid(&Json::from(number));
        assert_eq!(told(4_120), Some(4_120));
        assert_eq!(told(4_194_304), Some(4_194_304));
        assert_eq!(told(4_194_305), None);
        assert_eq!(told(140_280_088_452_992), None);
    }
}
