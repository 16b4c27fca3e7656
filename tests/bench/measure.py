"""Measures what umbel promises about speed, beside Celery's own client on the same worker, and prints a table.

Called by tests/bench/run. Arguments: --umbel BINARY, --roundtrip BINARY (umbel's side of the round trip, see peer.py; empty
when it is not built), --check (fail when a target is missed), --calls N.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shlex
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

HERE = pathlib.Path(__file__).resolve().parent
AMQP = os.environ["UMBEL_TEST_AMQP"]
REDIS = os.environ["UMBEL_TEST_REDIS"] + "/1"
PATIENCE = 60

PYTHON_ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(HERE.parent / "apps"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "ignore",
    "C_FORCE_ROOT": "1",
}


class Table:
    """The rows to print, and whether every target is met."""

    def __init__(self):
        self.rows = []
        self.met = True

    def figure(self, name, value):
        self.rows.append((name, "", value, ""))

    def target(self, name, limit, measured, unit=""):
        """A row with a target: `measured` (None: could not be measured) must not be above `limit`."""
        met = measured is not None and measured <= limit
        self.met = self.met and met
        value = "not measured" if measured is None else f"{measured:.3g}{unit}"
        self.rows.append((name, f"<= {limit:g}{unit}", value, "ok" if met else "MISSED"))

    def print(self):
        rows = [("what", "target", "measured", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


@contextlib.contextmanager
def worker(backend):
    """A prefork worker with two slots on the AMQP broker; its application's settings are those of the tests."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop.tasks", "worker", "-l", "INFO", "-P", "prefork", "-c", "2",
             "-n", "bench@test"],
            env={**PYTHON_ENVIRONMENT, "BROKER": AMQP, "BACKEND": backend},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + PATIENCE
            while " ready." not in text_of(log):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the worker does not start:\n{text_of(log)}")
                time.sleep(0.05)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def text_of(file):
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")


# ---- round trip --------------------------------------------------------------------------------------------------------

class Side:
    """A program that makes one call each time it is told to; the protocol is described in peer.py."""

    def __init__(self, command, backend):
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**PYTHON_ENVIRONMENT, "UMBEL_BENCH_BROKER": AMQP, "UMBEL_BENCH_BACKEND": backend})
        self.times = []
        assert self.read() == "ready", command

    def read(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.process.kill()
            sys.exit(f"no answer within {PATIENCE} s from {self.process.args}")
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended with {self.process.wait()}")
        return line.rstrip("\n")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.times.append(int(self.read()))

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def round_trips(table, name, backend, limit, roundtrip, calls):
    """The two sides take turns, call by call, and take turns in going first."""
    with worker(backend):
        python = Side([sys.executable, str(HERE / "peer.py")], backend)
        umbel = Side([roundtrip], backend) if roundtrip else None
        sides = [side for side in (umbel, python) if side]
        for turn in range(20 + calls):
            for side in sides if turn % 2 else reversed(sides):
                side.go()
        for side in sides:
            side.end()
        for side in sides:
            side.times = side.times[20:]  # the first calls warm up
    for label, side in (("umbel", umbel), ("python", python)):
        if side:
            p50, p95 = percentile(side.times, 0.5) / 1000, percentile(side.times, 0.95) / 1000
            table.figure(f"{name}, {label}, {len(side.times)} calls", f"p50 {p50:.2f} ms  p95 {p95:.2f} ms")
    ratio = percentile(umbel.times, 0.5) / percentile(python.times, 0.5) if umbel else None
    table.target(f"{name}, p50 umbel / python", limit, ratio)


# ---- listing the tasks -------------------------------------------------------------------------------------------------

def wall_time(command, environment):
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    elapsed = time.monotonic() - start
    if done.returncode != 0 or "shop.tasks.add" not in done.stdout:
        print(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return elapsed


def listing(table, umbel, home, runs=10):
    """`umbel tasks` and `celery inspect registered`, by turns."""
    ours = [umbel, "--broker", AMQP, "--backend", REDIS, "tasks"]
    theirs = [sys.executable, "-m", "celery", "-A", "shop.tasks", "inspect", "registered"]
    umbel_times, celery_times = [], []
    with worker(REDIS):
        for _ in range(runs):
            umbel_times.append(wall_time(ours, environment_of(home)))
            celery_times.append(wall_time(theirs, {**PYTHON_ENVIRONMENT, "BROKER": AMQP, "BACKEND": REDIS}))
    celery_time = statistics.median(celery_times)
    umbel_time = None if None in umbel_times else statistics.median(umbel_times)
    table.figure(f"celery inspect registered, {runs} runs", f"median {celery_time * 1000:.0f} ms")
    if umbel_time is not None:
        table.figure(f"umbel tasks, {runs} runs", f"median {umbel_time * 1000:.0f} ms")
    table.target("umbel tasks / celery inspect registered", 0.25, umbel_time and umbel_time / celery_time)


def environment_of(home):
    return {"HOME": home, "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8", "TERM": "xterm-256color"}


# ---- idling ------------------------------------------------------------------------------------------------------------

def idle(table, umbel, home, seconds=10):
    """The screen on a quiet broker: bytes written and processor time used while nothing happens."""
    with worker(REDIS):
        child, terminal = pty.fork()
        if child == 0:
            os.execve(umbel, [umbel, "--broker", AMQP, "--backend", REDIS], environment_of(home))
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
            os.kill(child, signal.SIGWINCH)
            drawn = settle(terminal, quiet=3, limit=40)
            written, used = watch(child, terminal, seconds) if drawn else (None, None)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(terminal)
    table.target(f"screen, bytes written in {seconds} idle seconds", 0, written, " B")
    table.target(f"screen, processor time in {seconds} idle seconds", 1, used and used / seconds * 100, " % of a core")


def read(terminal, patience):
    """Bytes that come within `patience`; none when there were none; raises OSError when the program is gone."""
    return os.read(terminal, 65536) if select.select([terminal], [], [], patience)[0] else b""


def settle(terminal, quiet, limit):
    """Reads until nothing came for `quiet` seconds; whether the screen was drawn and the program still runs."""
    deadline, total = time.monotonic() + limit, 0
    try:
        while time.monotonic() < deadline:
            got = read(terminal, quiet)
            total += len(got)
            if not got:
                return total > 500
    except OSError:
        pass
    # Also when it never becomes quiet: then the bytes are worth counting.
    return total > 500 and time.monotonic() >= deadline


def watch(child, terminal, seconds):
    before, deadline, written = processor_time(child), time.monotonic() + seconds, b""
    while (rest := deadline - time.monotonic()) > 0:
        written += read(terminal, rest)
    if written:
        print(f"the idle screen wrote {written[:1000]!r}", file=sys.stderr)
    return len(written), processor_time(child) - before


def processor_time(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- all of it ---------------------------------------------------------------------------------------------------------

def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--umbel", required=True)
    arguments.add_argument("--roundtrip", default="")
    arguments.add_argument("--calls", type=int, default=500)
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    if not options.roundtrip:
        print("umbel's side of the round trip is not built (bench target `roundtrip`)", file=sys.stderr)
    table = Table()
    for name, backend, limit in (("round trip, redis", REDIS, 0.70), ("round trip, rpc", "rpc://", 0.65)):
        round_trips(table, name, backend, limit, options.roundtrip, options.calls)
    with tempfile.TemporaryDirectory(prefix="umbel-bench-") as home:
        listing(table, options.umbel, home)
        idle(table, options.umbel, home)
    table.print()
    if options.check and not table.met:
        sys.exit("a target is missed")


if __name__ == "__main__":
    main()
