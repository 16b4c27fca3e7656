//! How far the message of a call got: being published, confirmed, returned, unsent, unknown. Sends nothing.

use super::{Call, Delivery};
use crate::broker::Route;
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::QueueName;

impl Call {
    pub(super) fn publishing(&mut self, now: Now) {
        if self.delivery == Delivery::Draft {
            self.delivery = Delivery::Publishing;
            self.timeline.published = Some(now);
        }
    }

    pub(super) fn confirmed(&mut self, now: Now) {
        self.delivery = Delivery::Confirmed;
        self.timeline.confirmed.get_or_insert(now);
    }

    pub(super) fn returned(&mut self, reason: &str) {
        self.delivery = Delivery::Unsent;
        let named = self.route.as_ref().filter(|it| !it.exchange.is_empty());
        let (what, hint) = if let Some(Route {
            exchange,
            routing_key,
        }) = named
        {
            (
                format!("no queue takes {routing_key:?} from the exchange {exchange:?}"),
                "nothing was queued; bind a queue to it, or name another exchange or routing key",
            )
        } else {
            let queue = self.queue.as_ref().map_or("?", QueueName::as_str);
            (
                format!("there is no queue {queue:?}"),
                "nothing was queued; start a worker that consumes it, or name another queue",
            )
        };
        let message = format!("the broker returned the message: {what} ({reason})");
        self.trouble = Some(Error::new(Kind::Unsent, message).hint(hint));
    }

    /// What the broker refused, or was down for, is unsent; what we refused ourselves stays a draft.
    pub(super) fn unsent(&mut self, error: Error) {
        self.delivery = if error.kind == Kind::Unsent {
            Delivery::Unsent
        } else {
            Delivery::Draft
        };
        self.trouble = Some(error);
    }

    pub(super) fn unknown(&mut self, error: Error, now: Now) {
        self.delivery = Delivery::Unknown;
        self.timeline.confirmed.get_or_insert(now);
        self.trouble = Some(error);
    }
}
