//! Native delayed delivery (Celery 5.5+, kombu `native_delayed_delivery`): where to publish a task that is to reach a quorum
//! queue later (protocol.md 6.4). Only computes names; the exchanges are the workers'.

/// Delays are 28 bits of whole seconds: the longest is 2^28 - 1, over eight years.
const BITS: u32 = 28;

/// The exchange and the routing key that bring a message after `seconds` to where `routing_key` leads in the exchange
/// `celery_delayed_delivery`: the 28 bits of the delay, most significant first, then the key. `None` beyond 2^28 - 1
/// seconds, and for no delay at all (publish directly then).
pub fn route(seconds: u64, routing_key: &str) -> Option<(String, String)> {
    if seconds == 0 || seconds >> BITS != 0 {
        return None;
    }
    let mut key = String::new();
    for bit in (0..BITS).rev() {
        key.push_str(if seconds >> bit & 1 == 1 { "1." } else { "0." });
    }
    key.push_str(routing_key);
    Some((format!("celery_delayed_{}", BITS - 1), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_delay_of_no_or_too_many_seconds_has_no_route() {
        assert_eq!(route(0, "q"), None);
        assert_eq!(route(1 << 28, "q"), None);
        let (_, longest) = route((1 << 28) - 1, "q").unwrap();
        assert_eq!(longest, "1.".repeat(28) + "q");
    }

    proptest! {
        #[test]
        fn the_bits_are_the_seconds(seconds in 1_u64..1 << 28, key in "[a-z.]{1,8}") {
            let (exchange, route) = route(seconds, &key).unwrap();
            prop_assert_eq!(exchange, "celery_delayed_27");
            let (bits, rest) = route.split_at(56);
            prop_assert_eq!(rest, key);
            prop_assert_eq!(u64::from_str_radix(&bits.replace('.', ""), 2), Ok(seconds));
        }
    }
}
