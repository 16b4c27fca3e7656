"""Measures what umbel promises about speed, beside Celery's own client on the same worker, and prints a table.

Called by tests/bench/run. Arguments: --umbel BINARY, --roundtrip BINARY (umbel's side of the round trip, see peer.py; empty
when it is not built), --check (fail when a target is missed), --calls N.
"""

import argparse
import contextlib
import datetime
import fcntl
import functools
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

import redis

from screen import ACTING, Screen, storm, wander

HERE = pathlib.Path(__file__).resolve().parent
AMQP = os.environ["UMBEL_TEST_AMQP"]
REDIS = os.environ["UMBEL_TEST_REDIS"] + "/1"
REDIS_BROKER = os.environ["UMBEL_TEST_REDIS"] + "/2"
PATIENCE = 60
TICKS = os.sysconf("SC_CLK_TCK")

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

    def throughput(self, name, ratio, alone, busy):
        """A row with a target: twice as fast as Celery's client; or bound by the workers, which do with it what they do alone, on a
        processor of their own that is never idle."""
        met = ratio is not None and (ratio >= 2 or (alone >= 0.9 and busy >= 0.9))
        self.met = self.met and met
        value = "not measured"
        if ratio is not None:
            value = f"{ratio:.2f}; {alone:.2f} of the workers' own rate, their processor {busy:.0%} busy"
        self.rows.append((name, ">= 2 or >= 0.9", value, "ok" if met else "MISSED"))

    def print(self):
        rows = [("what", "target", "measured", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Worker:
    """A worker that runs: its processes are a session of their own, its log tells when it did what."""

    def __init__(self, process, log):
        self.pid, self.log = process.pid, log

    def processor_time(self):
        """Seconds that all its processes have used, as far as they live."""
        total = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rsplit(") ", 1)[1].split()
                if int(fields[3]) == self.pid:
                    total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def log_size(self):
        return os.fstat(self.log.fileno()).st_size

    def time_of(self, calls, offset):
        """Seconds from the first of so many calls that it received, after `offset` in its log, to the last that it finished."""
        text, deadline = b"", time.monotonic() + PATIENCE
        while text.count(b" succeeded in ") < calls:
            assert time.monotonic() < deadline, "the worker does not finish"
            time.sleep(0.2)
            text += os.pread(self.log.fileno(), 1 << 24, offset + len(text))
        lines = text.decode(errors="replace").splitlines()
        received = next(line for line in lines if line.endswith(" received"))
        succeeded = next(line for line in reversed(lines) if " succeeded in " in line)
        return (stamp(succeeded) - stamp(received)).total_seconds()


def stamp(line):
    """The time at the start of a line of a worker's log."""
    return datetime.datetime.strptime(line[1:24], "%Y-%m-%d %H:%M:%S,%f")


@contextlib.contextmanager
def worker(backend, broker=AMQP, where=None):
    """A prefork worker with two slots; its application's settings are those of the tests. `where`: the processors it may use."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop.tasks", "worker", "-l", "INFO", "-P", "prefork", "-c", "2",
             "-n", "bench@test"],
            env={**PYTHON_ENVIRONMENT, "BROKER": broker, "BACKEND": backend},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=functools.partial(stay, where))
        try:
            deadline = time.monotonic() + PATIENCE
            while " ready." not in text_of(log):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the worker does not start:\n{text_of(log)}")
                time.sleep(0.05)
            yield Worker(process, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def text_of(file):
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")


# ---- round trip --------------------------------------------------------------------------------------------------------

class Side:
    """A program that makes calls when it is told to; the protocol is described in peer.py."""

    def __init__(self, command, backend, broker=AMQP, where=None):
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=functools.partial(stay, where),
            env={**PYTHON_ENVIRONMENT, "UMBEL_BENCH_BROKER": broker, "UMBEL_BENCH_BACKEND": backend})
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

    def do(self, line):
        """Has it do something; the microseconds that it says it took."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.read())

    def go(self):
        self.times.append(self.do("go"))

    def processor_time(self):
        return processor_time(self.process.pid)

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


# ---- throughput --------------------------------------------------------------------------------------------------------

def throughput(table, name, broker, backend, roundtrip, rounds=3, calls=1000, at_once=50):
    """So many calls, so many at once, by umbel and by Celery's client in turns; then what the same workers do with as many calls that
    wait in the queue already, while no client works and the broker takes in nothing.

    The workers have a processor of their own, the client, the broker and the result backend have all others: so what the workers can do
    is not what a client leaves them, and a client that keeps them busy all the time is bound by them and by nothing else."""
    theirs, *others = sorted(os.sched_getaffinity(0))
    assert others, "needs two processors: one for the workers alone"
    with worker(backend, broker, {theirs}) as workers, servers_on(others):
        peer = [sys.executable, str(HERE / "peer.py")]
        python, filler = (Side(peer, backend, broker, others) for _ in range(2))
        sides = {"umbel": Side([roundtrip], backend, broker, others), "python": python} if roundtrip else {"python": python}
        rates, used = {label: [] for label in (*sides, "workers")}, {label: [] for label in sides}
        for turn in range(rounds):
            for label in sides if turn % 2 else reversed(sides):
                before = processors(workers, sides[label], theirs)
                seconds = sides[label].do(f"many {calls} {at_once}") / 1e6
                client, work, broker_time, idle = (late - early for late, early in zip(processors(workers, sides[label], theirs), before))
                rates[label].append(calls / seconds)
                used[label].append([*(one * 1000 / calls for one in (client, work, broker_time)), 1 - idle / seconds])
            filler.do(f"fill {calls}")
            offset = workers.log_size()
            filler.do("open")
            rates["workers"].append(calls / workers.time_of(calls, offset))
        for side in (*sides.values(), filler):
            side.end()
    parts = {label: [statistics.median(part) for part in zip(*taken)] for label, taken in used.items()}
    for label in sides:
        text = "client {:.2f}, workers {:.2f}, broker and results {:.2f}; the workers' processor {:.0%} busy".format(*parts[label])
        table.figure(f"{name}, {label}, {rounds} x {calls} calls, {at_once} at once", f"{spread(rates[label])} calls/s; ms a call: {text}")
    table.figure(f"{name}, the workers alone, queue filled before", f"{spread(rates['workers'])} calls/s")
    ratio, alone, busy = None, None, None
    if roundtrip:
        middle = {label: statistics.median(rate) for label, rate in rates.items()}
        ratio, alone, busy = middle["umbel"] / middle["python"], middle["umbel"] / middle["workers"], parts["umbel"][3]
    table.throughput(f"{name}, calls/s umbel / python", ratio, alone, busy)


def processors(workers, side, theirs):
    """Seconds of processor time so far: the client's, the workers', the broker's with the result backend's, and what nobody used of the
    processor `theirs`."""
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    fields = next(line for line in lines if line.startswith(f"cpu{theirs} ")).split()
    idle = sum(map(int, fields[4:6])) / TICKS
    return side.processor_time(), workers.processor_time(), sum(map(processor_time, servers())), idle


def stay(where):
    """Keeps this process, and those that it starts, on these processors; None: as they are."""
    if where is not None:
        os.sched_setaffinity(0, where)


@contextlib.contextmanager
def servers_on(where):
    """Keeps all threads of our servers on these processors for a while."""
    threads = [int(thread.name) for pid in servers() for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    everywhere = os.sched_getaffinity(0)

    def put(processors):
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, processors)

    put(where)
    try:
        yield
    finally:
        put(everywhere)


@functools.cache
def servers():
    """The processes of our RabbitMQ and our Redis."""
    marks = (os.environ["UMBEL_TEST_RUN_DIR"] + "/rabbitmq", ":" + os.environ["UMBEL_TEST_REDIS_PORT"])
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_text(errors="replace")
            name = (folder / "comm").read_text().strip()
            if name in ("beam.smp", "redis-server") and any(mark in command for mark in marks):
                found.append(int(folder.name))
    return found


def spread(rates):
    return f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


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
    return (int(fields[11]) + int(fields[12])) / TICKS


# ---- the screen under load ---------------------------------------------------------------------------------------------

def loaded(table, umbel, roundtrip, home):
    """Keys on a screen with 1,000 calls in flight and 100,000 in its history."""
    history = os.path.join(home, "loaded.db")
    with worker(REDIS):
        filler = Side([sys.executable, str(HERE / "peer.py")], REDIS)
        filler.do("fill 0")
        environment = {**PYTHON_ENVIRONMENT, "UMBEL_BENCH_BROKER": AMQP, "UMBEL_BENCH_BACKEND": REDIS}
        subprocess.run([roundtrip, "past", history], env=environment, check=True, timeout=2 * PATIENCE)
        screen = Screen([umbel, "--broker", AMQP, "--backend", REDIS], {**environment_of(home), "UMBEL_HISTORY": history})
        try:
            server = redis.Redis.from_url(REDIS)
            deadline = time.monotonic() + PATIENCE
            while in_flight(server) < 1000:
                assert time.monotonic() < deadline, f"only {in_flight(server)} calls of the earlier run are picked up"
                screen.read(0.1)
            wander(screen)
            at_rest = screen.peak()
            storm(screen, lambda: filler.do("open"), lambda: in_flight(server) > 20)
            times, peak = screen.times, screen.peak()
        finally:
            screen.end()
        filler.end()
    for where, taken in times.items():
        text = f"p50 {percentile(taken, 0.5):.1f} ms  p95 {percentile(taken, 0.95):.1f} ms  longest {max(taken):.1f} ms"
        table.figure(f"key to changed screen, {where}, {len(taken)} keys", text)
    listed = [taken for taken in screen.listed if taken is not None]
    table.figure("key to the list that the filter finds", f"p50 {percentile(listed, 0.5):.1f} ms  p95 {percentile(listed, 0.95):.1f} ms")
    every = [one for taken in times.values() for one in taken]
    table.target(f"1,000 in flight, 100,000 kept: key to changed screen, p95 of {len(every)}", 30, percentile(every, 0.95), " ms")
    table.target(f"the same, only the {len(times[ACTING])} letters that act", 30, percentile(times[ACTING], 0.95), " ms")
    table.target("1,000 in flight, 100,000 kept: peak memory of the screen", 80, peak, " MB")
    print(f"{screen.unchanged} keys changed nothing; peak before the results came: {at_rest:.0f} MB", file=sys.stderr)


def in_flight(server):
    """Results that somebody waits for."""
    return len(server.pubsub_channels("celery-task-meta-*"))


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
    for name, broker, backend in (("RabbitMQ and redis", AMQP, REDIS), ("RabbitMQ and rpc", AMQP, "rpc://"),
                                  ("Redis and redis", REDIS_BROKER, REDIS)):
        throughput(table, f"throughput, {name}", broker, backend, options.roundtrip)
    with tempfile.TemporaryDirectory(prefix="umbel-bench-") as home:
        listing(table, options.umbel, home)
        idle(table, options.umbel, home)
        if options.roundtrip:
            loaded(table, options.umbel, options.roundtrip, home)
    table.print()
    if options.check and not table.met:
        sys.exit("a target is missed")


if __name__ == "__main__":
    main()
