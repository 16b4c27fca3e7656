//! What travels in other forms than plain JSON: every serializer and compression both ways, and results that are huge, broken or
//! hostile. What cannot be read is told in a record, and nothing stands still.

use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use redis::Commands;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE, Pty, RedisDb, Running, Sandbox, Version, Vhost, WorkerOptions, eventually, rig,
};
use crate::world::{Kind, new_id};

// ---- both ways ---------------------------------------------------------------------------------------------------------

/// A worker that takes and sends one form, and umbel that uses it.
#[track_caller]
fn assert_both_ways(serializer: &str, compression: Option<&str>) {
    let Some(rig) = rig() else { return };
    let compressed = compression.map_or_else(String::new, |name| {
        // As kombu 5.3 to 5.7 call them in settings.
        format!(", 'result_compression': '{name}'")
    });
    let options = WorkerOptions {
        pool: "solo".to_owned(),
        conf: format!(
            "'accept_content': ['json', 'yaml', 'msgpack'], 'result_serializer': '{serializer}'{compressed}"
        ),
        ..WorkerOptions::default()
    };
    let world = Kind::RpcSolo.start(rig, options);
    let mut words = vec![
        "不鏽鋼",
        "1180591620717411303424",
        r#"{"a":[true,null,1.5],"z":1}"#,
    ];
    if serializer == "msgpack" {
        // It has no larger number.
        words[1] = "18446744073709551615";
    }
    words.extend(["--serializer", serializer]);
    let method = compression.unwrap_or_default();
    if compression.is_some() {
        words.extend(["--compression", method]);
    }
    let document = world.document(0, "echo", &words);
    assert_eq!(
        document["result"]["args"].to_string(),
        format!("[\"不鏽鋼\",{},{}]", words[1], words[2]),
        "{document}"
    );
    let form = document["result_form"].to_string();
    assert!(form.contains(serializer), "{document}");
    assert_eq!(document["warnings"], json!([]), "{document}");
}

#[rstest]
fn a_serializer_is_written_and_read(#[values("json", "yaml", "msgpack")] name: &str) {
    assert_both_ways(name, None);
}

#[rstest]
#[case::gzip("gzip", "json")]
#[case::bzip2("bzip2", "yaml")]
#[case::lzma("lzma", "msgpack")]
#[case::zstd("zstd", "json")]
#[case::brotli("brotli", "yaml")]
fn a_compression_is_written_and_read(#[case] name: &str, #[case] serializer: &str) {
    assert_both_ways(serializer, Some(name));
}

#[test]
fn a_compressed_result_in_redis_is_read() {
    let Some(rig) = rig() else { return };
    // Before 5.7 nothing stored is compressed.
    let compressed = Version::usual().at_least("5.7");
    let options = WorkerOptions {
        conf: "'result_compression': 'gzip'".to_owned(),
        ..WorkerOptions::default()
    };
    let world = Kind::RedisSolo.start(rig, options);
    let id = new_id();
    let document = world.document(0, "big", &["1000", "--task-id", &id]);
    assert_eq!(document["result"], "x".repeat(1000), "{document}");
    let mut connection = world.db.as_ref().expect("a database").connection();
    let size: usize = connection
        .strlen(format!("celery-task-meta-{id}"))
        .expect("it is stored");
    assert_eq!(size < 1000, compressed, "{size}");
}

// ---- broken and hostile results ----------------------------------------------------------------------------------------

/// A call whose "worker" is this test, which stores what it likes.
struct Forged {
    db: RedisDb,
    id: String,
    running: Running,
    /// Its broker, as long as it is under way.
    _vhost: Vhost,
}

impl Forged {
    /// A call to a queue that nobody reads, sent; after so many seconds it gives up.
    fn start(timeout: &str) -> Option<Self> {
        let rig = rig()?;
        let (vhost, db, id) = (rig.vhost(), rig.redis_db(), new_id());
        vhost.declare_queue("unread");
        let words = [
            "call",
            "shop.tasks.add",
            "2",
            "3",
            "--json",
            "--queue",
            "unread",
            "--no-preflight",
            "--task-id",
            &id,
            "--timeout",
            timeout,
        ];
        let running = Sandbox::new()
            .env("CELERY_BROKER_URL", &vhost.url)
            .env("CELERY_RESULT_BACKEND", &db.url)
            .start(&words);
        eventually(PATIENCE, "it is sent", || {
            vhost.messages("unread").len() == 1
        });
        Some(Self {
            db,
            id,
            running,
            _vhost: vhost,
        })
    }

    /// Stores this as Celery does, and returns the document of the call.
    #[track_caller]
    fn answered(self, code: i32, payload: &[u8]) -> Value {
        let key = format!("celery-task-meta-{}", self.id);
        let mut connection = self.db.connection();
        let _: () = connection.set(&key, payload).expect("redis stores it");
        let _: u64 = connection.publish(&key, payload).expect("redis tells it");
        let outcome = self.running.wait().expect_code(code);
        assert!(outcome.took < Duration::from_secs(19), "{:?}", outcome.took);
        outcome.json()
    }
}

/// A result object as Celery stores it, around these bytes.
fn stored(id: &str, status: &str, result: &[u8]) -> Vec<u8> {
    let head = format!("{{\"status\": \"{status}\", \"result\": ");
    let tail = format!(", \"traceback\": null, \"children\": [], \"task_id\": \"{id}\"}}");
    [head.as_bytes(), result, tail.as_bytes()].concat()
}

/// It ended, and its value is not known, which the document says in words.
#[track_caller]
fn assert_told(document: &Value, words: &str) {
    assert_eq!(
        (
            &document["sent"],
            &document["result"],
            &document["result_known"]
        ),
        (&json!(true), &Value::Null, &json!(false)),
        "{document}"
    );
    let said = format!("{}{}", document["error"], document["warnings"]);
    assert!(said.contains(words), "{words:?} is not said: {document}");
}

#[rstest]
#[case::deep(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes(), "deep")]
#[case::deep_and_open("[".repeat(1_000_000).into_bytes(), "deep")]
#[case::not_utf_8(b"\"abc\xff\xfe\"".to_vec(), "UTF-8")]
fn a_result_that_cannot_be_read_is_told(#[case] value: Vec<u8>, #[case] words: &str) {
    let Some(call) = Forged::start("20") else {
        return;
    };
    let payload = stored(&call.id, "SUCCESS", &value);
    assert_told(&call.answered(0, &payload), words);
}

/// What Celery 5.7 stores with `result_compression`.
fn compressed() -> Vec<u8> {
    let fixture = include_str!("../fixtures/result_redis_compressed_gzip.json");
    let fixture: Value = serde_json::from_str(fixture).expect("JSON");
    let text = fixture["value_base64"].as_str().expect("base64");
    BASE64_STANDARD.decode(text).expect("base64")
}

#[test]
fn a_compressed_result_that_is_cut_off_is_told() {
    let Some(call) = Forged::start("8") else {
        return;
    };
    let whole = compressed();
    let document = call.answered(3, &whole[..whole.len() - 40]);
    // Something better may come: it is waited for.
    assert_told(&document, "compressed as gzip");
}

#[test]
fn a_result_that_is_cut_off_behind_its_state_has_that_state() {
    let Some(call) = Forged::start("20") else {
        return;
    };
    let document = call.answered(0, b"{\"status\": \"SUCCESS\", \"resu");
    assert_told(&document, "not readable");
}

#[rstest]
#[case::nothing(b"")]
#[case::noise(b"\x00\x01\x02 no result at all")]
#[case::another_shape(b"[1, 2, 3]")]
fn what_is_no_result_is_told_and_no_success(#[case] payload: &[u8]) {
    let Some(call) = Forged::start("8") else {
        return;
    };
    let document = call.answered(3, payload);
    assert_told(&document, "the result");
}

// ---- huge results ------------------------------------------------------------------------------------------------------

#[test]
fn a_result_of_200_mb_leaves_the_screen_awake() {
    let Some(rig) = rig() else { return };
    let world = Kind::RedisSolo.start(rig, WorkerOptions::default());
    let mut screen = world
        .sandbox()
        .env("UMBEL_TIMEOUT", "120")
        .pty(40, 120, &[]);
    screen.wait_for("results redis up  workers 1");
    screen.wait_for("retry_twice");
    let (before, quiet) = presses(&mut screen, |_, keys| keys < 60);
    screen.keys("/tasks.big\r");
    screen.wait_gone("retry_twice");
    screen.keys("\r");
    screen.wait_for("EDIT");
    screen.keys("200000000\r");
    screen.wait_for("big(200000000)");
    // Before it is known who reads the queue nothing is sent.
    screen.wait_for("queue celery · 1 reader");
    // Nothing is sent in the first moment after a change of focus.
    thread::sleep(Duration::from_millis(500));
    screen.keys("\u{1b}[15~");
    screen.wait_for("shop.tasks.big");
    let start = Instant::now();
    // Rounds of the help that were over before the result was there, and began when it was on its way already.
    let (mut on_its_way, mut awake) = (false, 0);
    let (keys, slow) = presses(&mut screen, |screen, _| {
        assert!(start.elapsed() < PATIENCE, "{}", screen.text());
        let ended = screen.text().contains("OK  shop.tasks.big");
        awake += usize::from(on_its_way && !ended);
        on_its_way = on_its_way || world.worker.log().contains("succeeded in");
        !ended
    });
    // On a busy machine a key may wait for its turn, with and without a result on its way; a screen that reads a document would
    // make all of them wait.
    let usual = 2 * quiet.len() * keys / before;
    assert!(
        keys > 20 && slow.len() < usual + keys / 10,
        "{keys} keys, slow: {slow:?}; {before} before, slow: {quiet:?}"
    );
    let worst = slow.iter().max().copied().unwrap_or_default();
    assert!(worst < start.elapsed() / 2, "{slow:?}");
    assert!(awake > 0, "{slow:?}");
    screen.signal("TERM");
    screen.wait_exit();
}

/// Opens and closes the help as long as `wanted`; returns how often a key was pressed, and the times that were over 100 ms.
fn presses(
    screen: &mut Pty,
    mut wanted: impl FnMut(&Pty, usize) -> bool,
) -> (usize, Vec<Duration>) {
    let (mut slow, mut keys) = (Vec::new(), 0);
    while wanted(screen, keys) {
        for (key, shown) in [("?", true), ("\u{1b}", false)] {
            screen.keys(key);
            let pressed = Instant::now();
            screen.wait_until(PATIENCE, "help comes and goes", |screen| {
                screen.contents().contains("Help") == shown
            });
            keys += 1;
            if pressed.elapsed() > Duration::from_millis(100) {
                slow.push(pressed.elapsed());
            }
        }
    }
    (keys, slow)
}
