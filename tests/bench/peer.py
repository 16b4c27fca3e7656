"""One side of the round trip benchmark: Celery's own client.

The line protocol between `measure.py` and a side, the same for this one and for umbel's (`tests/bench/roundtrip.rs`):

  * the environment has UMBEL_BENCH_BROKER and UMBEL_BENCH_BACKEND, the URLs to use (the backend may be `rpc://`);
  * the side connects, makes one call to warm up, and writes the line `ready`;
  * for every line `go` on standard input it makes one call of `shop.tasks.add(2, 3)`, waits for its result, checks that it
    is 5, and writes the whole microseconds that this took, from before the call to after the result, as one line;
  * at the end of its input it ends with exit code 0. On any failure it says why on standard error and ends with another.

Between two lines a side does nothing, so that the two sides can take turns call by call without disturbing each other.
"""

import os
import sys
import time

os.environ["BROKER"] = os.environ["UMBEL_BENCH_BROKER"]
os.environ["BACKEND"] = os.environ["UMBEL_BENCH_BACKEND"]

from shop.tasks import add  # noqa: E402  (the application reads the environment when it is imported)


def call():
    start = time.perf_counter_ns()
    result = add.delay(2, 3).get(timeout=10)
    elapsed = time.perf_counter_ns() - start
    assert result == 5, result
    return elapsed // 1000


call()
print("ready", flush=True)
for line in sys.stdin:
    assert line == "go\n", line
    print(call(), flush=True)
