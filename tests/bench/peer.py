"""One side of the benchmarks: Celery's own client.

The line protocol between `measure.py` and a side, the same for this one and for umbel's (`tests/bench/roundtrip.rs`):

  * the environment has UMBEL_BENCH_BROKER and UMBEL_BENCH_BACKEND, the URLs to use (the backend may be `rpc://`);
  * the side connects, makes one call to warm up, and writes the line `ready`;
  * for every line `go` on standard input it makes one call of `shop.tasks.add(2, 3)`, waits for its result, checks that it
    is 5, and writes the whole microseconds that this took, from before the call to after the result, as one line;
  * for every line `many CALLS AT_ONCE` it makes so many such calls, so many of them at once, and writes the microseconds until
    the last result was there and right;
  * at the end of its input it ends with exit code 0. On any failure it says why on standard error and ends with another.

Only this side knows two more, to find out what the workers are able to:

  * for `fill CALLS` it has the workers leave the queue alone, sends so many calls, and writes 0;
  * for `open` it has them read the queue again, and writes 0. It reads no result of these calls.

Between two lines a side does nothing, so that the two sides can take turns call by call without disturbing each other.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

os.environ["BROKER"] = os.environ["UMBEL_BENCH_BROKER"]
os.environ["BACKEND"] = os.environ["UMBEL_BENCH_BACKEND"]

from celery.result import ResultSet  # noqa: E402
from shop.tasks import add, app  # noqa: E402  (the application reads the environment when it is imported)

unread = []


def call():
    assert add.delay(2, 3).get(timeout=30) == 5


def many(calls, at_once):
    """The fastest that comes back with all the results. With results in a Redis that is a thread for each call that is under way.
    On rpc:// threads that share an application lose each other's results (`.get()` times out); there it is a ResultSet of so
    many calls after the other. One thread that always waits for the oldest call is slower than either."""
    if not os.environ["BACKEND"].startswith("rpc"):
        list(pool(at_once).map(lambda _: call(), range(calls)))
        return
    while calls > 0:
        batch = min(calls, at_once)
        results = ResultSet([add.delay(2, 3) for _ in range(batch)])
        assert results.join_native(timeout=30) == [5] * batch
        calls -= batch


def pool(threads, made={}):
    """Kept between rounds: each thread makes its connections once."""
    if threads not in made:
        made[threads] = ThreadPoolExecutor(threads)
    return made[threads]


def fill(calls):
    answers = app.control.cancel_consumer("celery", reply=True, timeout=10, limit=1)
    assert answers and "ok" in next(iter(answers[0].values())), answers
    unread.extend(add.delay(2, 3) for _ in range(calls))


def open_queue():
    app.control.add_consumer("celery", reply=True, timeout=10, limit=1)


call()
print("ready", flush=True)
for line in sys.stdin:
    match line.split():
        case ["go"]:
            work, arguments = call, ()
        case ["many", calls, at_once]:
            work, arguments = many, (int(calls), int(at_once))
        case ["fill", calls]:
            work, arguments = fill, (int(calls),)
        case ["open"]:
            work, arguments = open_queue, ()
        case _:
            sys.exit(f"what is {line!r}?")
    start = time.perf_counter_ns()
    work(*arguments)
    print((time.perf_counter_ns() - start) // 1000, flush=True)
