//! Our list of results on a Redis as broker: it outlives connections and never lives for ever.

use std::time::Duration;

use ::redis::Commands;
use umbel::broker::{Delivery, Route};
use umbel::protocol::envelope;

use super::{BINDINGS, add, as_user, at, life, next_id, our_lists, ours, push_result, rules};
use crate::support::{self, PATIENCE, PrivateRedis, Proxy};
use crate::{dial, lost, next_result, queue, result_message, soon};

#[tokio::test(flavor = "multi_thread")]
async fn results_stay_until_they_are_recorded_and_outlive_the_connection() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let proxy = Proxy::to(&db.url);
    let broker = at(proxy.url());
    let (link, mut incoming) = dial(&broker).await;
    let list = link.result_queue();
    for id in ["one", "two", "three"] {
        push_result(&mut connection, &list, id);
    }
    let mut tags = Vec::new();
    for id in ["one", "two", "three"] {
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        tags.push(tag);
    }
    assert_eq!(db.depth(&list), 4, "three, and the mark");
    // The second is recorded first: it waits for the first.
    link.ack(tags[1]).await;
    link.ping().await.expect("a ping");
    link.ack(tags[0]).await;
    support::eventually(PATIENCE, "two are removed", || db.depth(&list) == 2);
    proxy.cut();
    lost(&mut incoming).await;
    push_result(&mut connection, &list, "meanwhile");
    let (link, mut incoming) = dial(&broker).await;
    assert_eq!(link.result_queue(), list);
    // A tag of the dead connection means nothing here.
    link.ack(tags[2]).await;
    for id in ["three", "meanwhile"] {
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        assert_eq!(our_lists(&mut connection), [list.as_str()]);
        link.ack(tag).await;
    }
    support::eventually(PATIENCE, "all are removed", || db.depth(&list) == 1);
    link.close().await;
    assert!(ours(&mut connection).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_results_comes_whole_and_in_order() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let (link, mut incoming) = dial(&at(&db.url)).await;
    let list = link.result_queue();
    let (mut connection, target) = (db.connection(), list.clone());
    let pusher = std::thread::spawn(move || {
        for number in 0..2000 {
            push_result(&mut connection, &target, &number.to_string());
        }
    });
    for number in 0..2000 {
        let (id, tag) = next_id(&mut incoming).await;
        assert_eq!(id, number.to_string());
        link.ack(tag).await;
    }
    pusher.join().expect("it pushed");
    support::eventually(PATIENCE, "all are removed", || db.depth(&list) == 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_flushed_away_is_made_again() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let (link, mut incoming) = dial(&at(&db.url)).await;
    let list = link.result_queue();
    push_result(&mut connection, &list, "lost");
    let (_, tag) = next_id(&mut incoming).await;
    let mut flush = ::redis::pipe();
    flush.atomic();
    let element = envelope::encode(&result_message("found"), "", &list);
    flush.cmd("FLUSHDB");
    flush.cmd("LPUSH").arg(&list).arg(element);
    flush.exec(&mut connection).expect("redis obeys");
    link.ack(tag).await;
    let (id, tag) = next_id(&mut incoming).await;
    assert_eq!(id, "found");
    link.ack(tag).await;
    support::eventually(PATIENCE, "only the mark is left", || db.depth(&list) == 1);
    assert_eq!(our_lists(&mut connection), [list]);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tracking_what_comes_is_carried_and_read_all_the_same() {
    let Some(_rig) = support::rig() else { return };
    let server = PrivateRedis::start();
    let mut connection = server.connection();
    rules(
        &mut connection,
        "joe",
        &["+@all", "~*", "&*", "-client|tracking"],
    );
    let broker = at(&as_user(&server.url, "joe"));
    let (link, mut incoming) = dial(&broker).await;
    let list = link.result_queue();
    let register: Vec<String> = soon("the register", async {
        loop {
            let names: Vec<String> = connection.zrange("umbel.lists", 0, -1).expect("names");
            if !names.is_empty() {
                return names;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(register, [list.as_str()]);
    for id in ["one", "two"] {
        push_result(&mut connection, &list, id);
        let (found, tag) = next_id(&mut incoming).await;
        assert_eq!(found, id);
        link.ack(tag).await;
    }
    assert_eq!(ours(&mut connection).len(), 2, "the register and the shelf");
    link.close().await;
    let left: Vec<String> = connection.keys("*").expect("keys");
    assert!(left.is_empty(), "{left:?}");
    // One that was killed: its list is removed a day later, by whoever connects then; nobody else's is.
    let _: u64 = connection.lpush("umbel.dead", "x").expect("a list");
    let _: u64 = connection.lpush("precious", "x").expect("a list");
    for (name, at) in [
        ("umbel.dead", 1),
        ("precious", 1),
        ("umbel.alive", i64::MAX),
    ] {
        let _: u64 = connection.zadd("umbel.lists", name, at).expect("a name");
    }
    let (link, _incoming) = dial(&broker).await;
    support::eventually(PATIENCE, "swept", || {
        let exists: u64 = server.connection().exists("umbel.dead").expect("an answer");
        exists == 0
    });
    let names: Vec<String> = connection.zrange("umbel.lists", 0, -1).expect("names");
    assert!(names.contains(&"umbel.alive".to_owned()) && !names.contains(&"umbel.dead".to_owned()));
    let precious: u64 = connection.exists("precious").expect("an answer");
    assert_eq!(precious, 1);
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_still_owed_something_stays_with_a_time_to_live() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let (link, _incoming) = dial(&at(&db.url)).await;
    let (list, (id, message)) = (link.result_queue(), add(&link.result_queue()));
    let route = Route::to_queue(&queue("shop"));
    assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    link.close().await;
    // The worker is late.
    push_result(&mut connection, &list, id.as_str());
    assert_eq!(ours(&mut connection), [list.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_list_lives_for_minutes_and_for_a_day_while_a_result_is_owed() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let (link, _incoming) = dial(&at(&db.url)).await;
    let (list, (id, message)) = (link.result_queue(), add(&link.result_queue()));
    let bound = life(&mut connection, BINDINGS);
    let alive = life(&mut connection, &list);
    assert!((1..=300).contains(&alive), "{alive}");
    assert!(
        bound < alive,
        "replies have no way any more when the list goes"
    );
    let route = Route::to_queue(&queue("shop"));
    assert_eq!(link.publish(&route, message).await, Delivery::Confirmed);
    let owed = life(&mut connection, &list);
    assert!((80_000..=86_400).contains(&owed), "{owed}");
    link.settled(&id);
    link.close().await;
    assert!(ours(&mut connection).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_that_was_killed_left_behind_is_tidied_up() {
    let Some(rig) = support::rig() else { return };
    let db = rig.redis_db();
    let mut connection = db.connection();
    let member = |list: &str| format!("{list}|{list}").replace('|', "\u{6}\u{16}\u{6}\u{16}");
    let mut bound = |list: &str| {
        let _: u64 = connection.sadd(BINDINGS, member(list)).expect("bound");
    };
    for list in ["umbel.gone", "umbel.late", "umbel.alive"] {
        bound(list);
    }
    // A reply came after its time.
    let _: u64 = connection.lpush("umbel.late", "x").expect("a list");
    let _: u64 = connection.lpush("umbel.alive", "x").expect("a list");
    let _: u64 = connection.expire("umbel.alive", 200).expect("a life");
    let (link, _incoming) = dial(&at(&db.url)).await;
    let own = member(&link.reply_queue());
    support::eventually(PATIENCE, "the dead are unbound", || {
        let mut left: Vec<String> = db.connection().smembers(BINDINGS).expect("members");
        left.sort();
        let mut expected = [member("umbel.alive"), own.clone()];
        expected.sort();
        left == expected
    });
    support::eventually(PATIENCE, "a list made anew goes too", || {
        (1..=300).contains(&life(&mut db.connection(), "umbel.late"))
    });
    link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_delays_nothing_else() {
    let Some(_rig) = support::rig() else { return };
    // Of its own: while it takes something large in, a Redis answers nobody.
    let server = PrivateRedis::start();
    let proxy = Proxy::to(&server.url);
    let (link, mut incoming) = dial(&at(proxy.url())).await;
    let mut message = result_message("large");
    message.body = vec![b'x'; 60 << 20];
    let element = envelope::encode(&message, "", "");
    let list = link.result_queue();
    let mut connection = server.connection();
    // It stands still in the middle, and everything else goes on.
    proxy.hold_after(1 << 20);
    let _: u64 = connection.lpush(&list, element).expect("it takes it");
    support::eventually(PATIENCE, "it is on its way", || proxy.holds());
    for _ in 0..20 {
        link.ping().await.expect("a ping");
    }
    proxy.release();
    let (found, tag) = next_result(&mut incoming).await;
    assert!(found.body == message.body);
    link.ack(tag).await;
    support::eventually(PATIENCE, "it is removed", || {
        let left: u64 = connection.llen(&list).expect("a length");
        left == 1
    });
    link.close().await;
}
