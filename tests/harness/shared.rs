//! The servers that all tests share.

use crate::options;
use crate::support::{AMQP_ACK, Proxy, Worker, celery, python, rig};
use redis::Commands;
use serde_json::json;

#[test]
fn every_test_has_a_rabbitmq_and_a_redis_to_itself() {
    let Some(rig) = rig() else { return };
    let (one, two) = (rig.vhost(), rig.vhost());
    one.declare_queue("q");
    assert_eq!(one.queues(), ["q"]);
    assert!(two.queues().is_empty());
    let (one, two) = (rig.redis_db(), rig.redis_db());
    let _: usize = one.connection().lpush("q", "message").unwrap();
    assert_eq!((one.depth("q"), two.depth("q")), (1, 0));
}

#[test]
fn messages_are_seen_at_once_and_stay_in_their_queue() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    vhost.declare_queue("celery");
    let code = "from shop.tasks import add; print(add.delay(2, 3).id)";
    let id = python(&vhost.url, &db.url, code);
    for _ in 0..2 {
        let messages = vhost.messages("celery");
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["properties"]["correlation_id"], id.trim());
    }
}

#[test]
fn a_worker_on_rabbitmq_answers_a_ping_and_runs_tasks() {
    let Some(rig) = rig() else { return };
    let (vhost, db) = (rig.vhost(), rig.redis_db());
    let worker = Worker::start("shop.tasks", &options(&vhost.url, &db.url));
    let ping = celery(&vhost.url, &db.url, &["inspect", "ping", "--json"]).expect_code(0);
    assert_eq!(ping.json()["w1@test"]["ok"], "pong");
    let code = "from shop.tasks import *; print(add.delay(2, 3).get(timeout=30))";
    assert_eq!(python(&vhost.url, &db.url, code), "5\n");
    let code = "from shop.tasks import *; print(retry_twice.delay().get(timeout=30))";
    assert_eq!(python(&vhost.url, &db.url, code), "{'attempts': 3}\n");
    worker.stop();
}

#[test]
fn a_worker_on_redis_runs_tasks_of_other_queues_and_can_be_frozen_and_killed() {
    let Some(rig) = rig() else { return };
    let db = rig.redis_db();
    let mut options = options(&db.url, &db.url);
    options.queues = vec!["celery".to_owned(), "mail".to_owned()];
    options.pool = "threads".to_owned();
    let worker = Worker::start("shop.tasks", &options);
    let code = "from shop.tasks import *; print(mail.delay('me').get(timeout=30)['queue'])";
    assert_eq!(python(&db.url, &db.url, code), "mail\n");
    let ping = ["inspect", "--timeout", "2", "ping"];
    worker.freeze();
    celery(&db.url, &db.url, &ping).expect_code(69);
    worker.thaw();
    // One that is named is waited for until it answers.
    let ping = ["inspect", "-d", "w1@test", "--timeout", "30", "ping"];
    celery(&db.url, &db.url, &ping).expect_code(0);
    worker.kill9();
    assert!(!worker.is_alive());
}

#[test]
fn a_worker_reads_its_settings_and_serves_the_rpc_backend() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    let mut options = options(&vhost.url, "rpc://");
    options.conf = "'task_default_queue': 'other'".to_owned();
    options.events = true;
    let _worker = Worker::start("shop.tasks", &options);
    assert!(vhost.queues().contains(&"other".to_owned()));
    let code =
        "from shop.tasks import *; print(add.apply_async((2, 3), queue='other').get(timeout=30))";
    assert_eq!(python(&vhost.url, "rpc://", code), "5\n");
}

#[test]
fn a_proxy_breaks_the_link_between_a_publish_and_its_confirm() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("celery");
    let proxy = Proxy::to(&vhost.url);
    proxy.cut_swallowing(b"marker", AMQP_ACK);
    let code = "
from shop.tasks import *
app.conf.broker_transport_options = {'confirm_publish': True}
try:
    print(add.apply_async(('marker', 3), retry=False, ignore_result=True))
except Exception as error:
    print(type(error).__name__)
";
    let said = python(proxy.url(), "", code);
    assert!(said.contains("Error"), "the client noticed nothing: {said}");
    assert!(proxy.fired());
    assert_eq!(vhost.messages("celery").len(), 1);
}

#[test]
fn a_virtual_host_may_have_an_odd_name() {
    let Some(rig) = rig() else { return };
    for odd in ["/a b", "žluť", "%2F", "a/b", "/"] {
        let vhost = rig.rabbit.odd_vhost(odd);
        assert!(vhost.name.starts_with(odd) && vhost.name.ends_with(odd));
        vhost.declare_queue("a queue/%");
        assert_eq!(vhost.queues(), ["a queue/%"]);
        assert!(vhost.messages("a queue/%").is_empty());
        let code = "
from shop.tasks import *
print(app.connection().channel().queue_declare('a queue/%', passive=True).message_count)
";
        assert_eq!(python(&vhost.url, "", code), "0\n", "{odd}");
    }
}

#[test]
fn a_user_may_do_what_its_permissions_say() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    vhost.declare_queue("celery");
    let user = vhost.user("", ".*", ".*");
    let code = "
from shop.tasks import *
channel = app.connection().channel()
print(channel.queue_declare('celery', passive=True).message_count)
try:
    channel.queue_declare('another')
    print('declared')
except Exception as error:
    print(error)
";
    let said = python(&user.url, "", code);
    assert!(said.starts_with("0\n"), "{said}");
    assert!(said.contains("ACCESS_REFUSED"), "{said}");
    assert_eq!(vhost.queues(), ["celery"]);
}

#[test]
fn everything_that_was_declared_is_seen() {
    let Some(rig) = rig() else { return };
    let vhost = rig.vhost();
    assert!(vhost.contents().is_empty());
    vhost.declare_exchange("tasks", "topic");
    vhost.declare_queue_with("orders", &json!({"x-max-priority": 10}));
    vhost.bind("tasks", "orders", "order.#");
    assert_eq!(
        vhost.contents(),
        [
            "binding tasks -> queue orders (order.#)",
            "exchange tasks (topic)",
            "queue orders"
        ]
    );
    let queue = vhost.queue("orders").unwrap();
    assert_eq!(queue["arguments"]["x-max-priority"], 10);
    assert_eq!(vhost.queue("another"), None);
}
