//! What the screen looks like: every pane at several sizes, loading, empty, full and in trouble. The snapshots are in `tests/snapshots`.

#[path = "support/stage.rs"]
mod stage;

use std::time::Duration;

use stage::{Stage, down, failure, result, started};
use umbel::call::Fact;
use umbel::client::{Event, LinkName};
use umbel::protocol::result::State as TaskState;
use umbel::tui::theme::{Depth, Glyphs, Look, Tone};

#[test]
fn dump() {
    let mut s = Stage::new(80, 24).shop();
    s.keys("Enter 42 Enter");
    s.send();
    let id = s.last_id();
    s.pass(Duration::from_millis(900));
    s.fact(started(&id));
    s.fact(result(
        &id,
        TaskState::Custom("PROGRESS".into()),
        r#"{"done": 3, "of": 10}"#,
    ));
    s.pass(Duration::from_millis(7300));
    println!("{}", s.screen());
    s.keys("X");
    println!("{}", s.screen());
    s.keys("Esc 1 q");
    println!("{}", s.screen());
    s.keys("Esc 3");
    s.pass(Duration::from_secs(7));
    println!("{}", s.screen());
    s.keys("1");
    s.fact(failure(&id, "OutOfStock", r#"["庫存不足 (sku=A-1009)\u001b[31m"]"#, Some("Traceback (most recent call last):\n  File \"/usr/lib/python3/site-packages/celery/app/trace.py\", line 477, in trace_task\n    R = retval = fun(*args, **kwargs)\n  File \"/srv/shop/orders/tasks.py\", line 42, in refund\n    service.reserve(order)\n  File \"/srv/shop/orders/service.py\", line 88, in reserve\n    raise OutOfStock(sku)\nshop.errors.OutOfStock: 庫存不足 (sku=A-1009)\u{1b}[31m\n")));
    println!("{}", s.screen());
    s.keys("!");
    println!("{}", s.screen());
    s.keys("2 c");
    s.fact(Fact::Publishing);
    s.fact(Fact::Confirmed);
    let now = s.now;
    s.event(Event::Link(
        LinkName::Backend,
        down(now, "redis://localhost:6379/0: connection reset by peer"),
    ));
    s.fact(Fact::BackendLost(
        "redis://localhost:6379/0: connection reset by peer".into(),
    ));
    s.pass(Duration::from_secs(3));
    println!("{}", s.screen());
    s.event(Event::Link(
        LinkName::Broker,
        down(now, "amqp://localhost:5672/: connection refused"),
    ));
    s.heard(umbel::cluster::Heard::Lost);
    s.keys("2 i");
    println!("{}", s.screen());
    s.keys("Esc 6");
    println!("{}", s.screen());
    s.keys("?");
    println!("{}", s.screen());
    println!("{}", Stage::new(80, 24).without_broker().screen());
    println!("{}", Stage::new(48, 12).screen());
    let mut s = Stage::new(160, 48).shop().look(Look {
        glyphs: Glyphs::Ascii,
        depth: Depth::None,
        tone: Tone::Dark,
    });
    println!("{}", s.screen());
    s.keys("Enter 42 Enter");
    s.send();
    s.pass(Duration::from_secs(3));
    println!("{}", s.screen());
}
