//! Results of 20 and 50 MB, on both backends.

use rstest::rstest;

use crate::support::rig;
use crate::world::Kind::{self, RedisPrefork, RpcPrefork};

#[rstest]
#[case(20_000_000)]
#[case(50_000_000)]
fn a_large_result_arrives_whole(
    #[case] size: usize,
    #[values(RedisPrefork, RpcPrefork)] kind: Kind,
) {
    let Some(rig) = rig() else { return };
    // Redis cuts a subscriber whose message is larger than its limit (32 MB): then the result is fetched.
    let outcome = kind
        .shared(rig)
        .cli(&[
            "call",
            "shop.tasks.big",
            &size.to_string(),
            "--timeout",
            "60",
        ])
        .expect_code(0);
    assert_eq!(
        outcome.stdout.len(),
        size + 3,
        "quotes and a line feed: {}",
        outcome.stderr
    );
    assert!(outcome.stdout.bytes().filter(|byte| *byte == b'x').count() == size);
    assert!(outcome.stderr.starts_with("OK "), "{}", outcome.stderr);
}
