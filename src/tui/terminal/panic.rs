//! A bug of ours: the terminal is given back first, then one sentence, then what happened. And the hook that tests this.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::time::Duration;

use super::restore;

/// The exit code of a bug.
const EXIT: i32 = 70;

/// From now on a panic, on whatever thread, gives the terminal back, tells what happened and ends the program. Installed once.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            restore();
            let _ = std::io::stderr().write_all(report(info).as_bytes());
            std::process::exit(EXIT);
        }));
    });
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(|| "somewhere".to_owned(), ToString::to_string);
    let what = crate::text::sanitise::show(what);
    format!(
        "umbel stopped because of a bug in itself; running calls go on at the workers.\n{what}\nat {place}\n"
    )
}

/// The hook of the tests of all this.
///
/// # Panics
///
/// If `UMBEL_TEST_PANIC` asks for it at this `place`, in builds for debugging.
pub fn test_panic(place: &str) {
    let wanted =
        cfg!(debug_assertions) && std::env::var("UMBEL_TEST_PANIC").is_ok_and(|name| name == place);
    assert!(!wanted, "asked for by UMBEL_TEST_PANIC={place}");
}

/// Panics in a task of its own shortly after the start, if `UMBEL_TEST_PANIC=task` asks for it. Only in builds for debugging.
pub fn test_panic_later() {
    if cfg!(debug_assertions) {
        tokio::spawn(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            test_panic("task");
        });
    }
}
