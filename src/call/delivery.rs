//! How far the message of a call got: being published, confirmed, returned, unsent, unknown. Sends nothing.

use super::{Call, Delivery};
use crate::broker::Route;
use crate::clock::Now;
use crate::error::{Error, Kind};
use crate::protocol::QueueName;

impl Call {
    /// When it leaves is not known yet: the workers may be asked for events before, or the result be subscribed to.
    pub(super) fn ordered(&mut self, now: Now) {
        self.delivers(Delivery::Publishing, None, now);
    }

    pub(super) fn publishing(&mut self, now: Now) {
        first(&mut self.timeline.published, now);
        self.delivers(Delivery::Publishing, None, now);
    }

    pub(super) fn confirmed(&mut self, now: Now) {
        first(&mut self.timeline.confirmed, now);
        self.delivers(Delivery::Confirmed, None, now);
    }

    pub(super) fn returned(&mut self, reason: &str, now: Now) {
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
        let trouble = Error::new(Kind::Unsent, message).hint(hint);
        self.delivers(Delivery::Returned, Some(trouble), now);
    }

    /// What the broker refused, or was down for, is unsent; what we refused ourselves stays a draft.
    pub(super) fn unsent(&mut self, error: Error, now: Now) {
        let delivery = if error.kind == Kind::Unsent {
            Delivery::Unsent
        } else {
            Delivery::Refused
        };
        self.delivers(delivery, Some(error), now);
    }

    pub(super) fn unknown(&mut self, error: Error, now: Now) {
        first(&mut self.timeline.confirmed, now);
        self.delivers(Delivery::Unknown, Some(error), now);
    }

    /// The surest word counts, see [`Delivery`]; of two equal ones the first.
    fn delivers(&mut self, delivery: Delivery, trouble: Option<Error>, now: Now) {
        let words = |it: Option<&Error>| {
            it.map(|it| (it.message.clone(), it.hint.clone(), it.kind.to_string()))
        };
        let (at, known) = &self.delivered;
        let sooner = (now.mono, words(trouble.as_ref())) < (at.mono, words(known.as_ref()));
        if delivery > self.delivery || (delivery == self.delivery && sooner) {
            self.delivery = delivery;
            self.delivered = (now, trouble);
        }
    }
}

fn first(place: &mut Option<Now>, now: Now) {
    if place.is_none_or(|at| (now.mono, now.wall) < (at.mono, at.wall)) {
        *place = Some(now);
    }
}
