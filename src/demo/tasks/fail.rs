//! `demo.fail.always(number='2026-0117')` raises, with a cause and frames in libraries; `demo.fail.retry()` succeeds at the third attempt.

use std::time::Duration;

use super::super::arguments::Arguments;
use super::super::build::object;
use super::super::raised::{CELERY, Frame, Raised, caused, during, traceback};
use super::Stop;
use crate::protocol::Json;

const STORE: &str = "/srv/demo/billing/store.py";

const CONNECTING: [Frame; 3] = [
    Frame {
        file: STORE,
        line: 83,
        function: "load_invoice",
        code: "with psycopg.connect(self.dsn, connect_timeout=3) as connection:",
        mark: "psycopg.connect(self.dsn, connect_timeout=3)",
    },
    Frame {
        file: "/srv/venv/lib/python3.11/site-packages/psycopg/connection.py",
        line: 119,
        function: "connect",
        code: "raise last_ex.with_traceback(None)",
        mark: "",
    },
    Frame {
        file: "/srv/venv/lib/python3.11/site-packages/psycopg/generators.py",
        line: 104,
        function: "_connect",
        code: "raise e.OperationalError(",
        mark: "",
    },
];

const LOADING: [Frame; 2] = [
    Frame {
        file: "/srv/demo/billing/tasks.py",
        line: 42,
        function: "always",
        code: "invoice = store.load_invoice(number)",
        mark: "store.load_invoice(number)",
    },
    Frame {
        file: STORE,
        line: 88,
        function: "load_invoice",
        code: "raise InvoiceError(f'無法讀取發票 {number}：資料庫連線遭拒') from error",
        mark: "",
    },
];

/// Raises `InvoiceError` from `OperationalError`.
pub(super) fn always(mut arguments: Arguments) -> Raised {
    let number = match arguments.take(0, "2026-0117") {
        Json::Text(text) => text,
        other => crate::protocol::python::repr(&other),
    };
    let cause = traceback(
        &CONNECTING,
        "psycopg.OperationalError: connection failed: connection to server at \"10.0.3.17\", port 5432 failed: Connection refused\n\
         \tIs the server running on that host and accepting TCP/IP connections?",
    );
    let message = format!("無法讀取發票 {number}：資料庫連線遭拒");
    let raised = Raised::bare(
        ("demo.billing.errors", "InvoiceError"),
        vec![message.as_str().into()],
    );
    let frames: Vec<Frame> = CELERY.iter().chain(&LOADING).copied().collect();
    let effect = traceback(&frames, &raised.headline());
    raised.with_traceback(caused(&cause, &effect))
}

/// Waits before the second and the third attempt.
const WAITS: [(Duration, &str); 2] = [
    (Duration::from_millis(400), "0.4"),
    (Duration::from_millis(800), "0.8"),
];

const ATTEMPT: Frame = Frame {
    file: "/srv/demo/retry.py",
    line: 21,
    function: "retry",
    code: "raise ConnectionError('付款閘道沒有回應')",
    mark: "",
};

const RETRIES: [Frame; 2] = [
    Frame {
        line: 23,
        code: "raise self.retry(exc=error, countdown=0.4 * 2 ** self.request.retries)",
        mark: "self.retry(exc=error, countdown=0.4 * 2 ** self.request.retries)",
        ..ATTEMPT
    },
    Frame {
        file: "/srv/venv/lib/python3.11/site-packages/celery/app/task.py",
        line: 963,
        function: "retry",
        code: "raise ret",
        mark: "",
    },
];

/// Asks for a retry twice, then returns the number of attempts.
pub(super) fn retry(retries: u64) -> Result<Json, Stop> {
    let wait = usize::try_from(retries).ok().and_then(|at| WAITS.get(at));
    let Some((countdown, seconds)) = wait else {
        return Ok(object([("attempts", Json::from(retries + 1))]));
    };
    let message = "付款閘道沒有回應";
    let raised = Raised::bare(("builtins", "ConnectionError"), vec![message.into()]);
    let first = traceback(&[ATTEMPT], &raised.headline());
    let frames: Vec<Frame> = CELERY.iter().chain(&RETRIES).copied().collect();
    let headline =
        format!("celery.exceptions.Retry: Retry in {seconds}s: ConnectionError('{message}')");
    let second = traceback(&frames, &headline);
    Err(Stop::Retry {
        countdown: *countdown,
        raised: raised.with_traceback(during(&first, &second)),
    })
}
