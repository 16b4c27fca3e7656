"""The shop: a Celery application for umbel's tests, with a task for everything that a task can do to its caller.

The environment configures it: BROKER and BACKEND are URLs (BACKEND may be empty), CONF is a Python dictionary literal of
Celery settings. Without CONF it is the plainest common set-up: JSON, started state tracked, results kept.
"""

import ast
import json
import os
import signal
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum
from typing import Annotated, Dict, List, Literal, Optional, Union

from celery import Celery, Task
from celery.exceptions import Ignore, Reject

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ.get("BACKEND") or None)
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_track_started=True,
    task_ignore_result=False,
    broker_connection_retry_on_startup=True,
)
app.conf.update(ast.literal_eval(os.environ.get("CONF") or "{}"))

# Sequences that must never reach a terminal as they are: clear the screen, leave the alternate screen, set the title, write
# the clipboard, the one-byte form of CSI, colours, and characters that turn the direction of the text round.
CLEAR_SCREEN = "\x1b[2J"
LEAVE_SCREEN = "\x1b[?1049l"
SET_TITLE = "\x1b]0;owned\x07"
WRITE_CLIPBOARD = "\x1b]52;c;b3duZWQ=\x07"
C1_CLEAR = "\x9b2J"
COLOUR = "\x1b[31m"
BIDI = "\u202egnp.exe\u2066"
HOSTILE = CLEAR_SCREEN + LEAVE_SCREEN + SET_TITLE + WRITE_CLIPBOARD + C1_CLEAR + COLOUR + BIDI


class Parcel:
    """What only pickle can hold."""

    def __init__(self, weight):
        self.weight = weight


GIFTS = {
    # JSON, YAML and msgpack hold all of this.
    "plain": lambda: {"text": "žluť 不鏽鋼 \U0001F469\u200d\U0001F4BB", "int": 42, "negative": -7, "float": 1.5, "true": True,
                      "none": None, "list": [1, [2, []]], "dict": {"a": {"b": {}}}, "empty": "", "max": 2 ** 64 - 1,
                      "min": -2 ** 63},
    "bytes": lambda: b"\xff\x00abc",
    "int_keys": lambda: {1: "one", -2: "minus two", None: "none", False: "false"},
    "nan": lambda: [float("nan"), float("inf"), float("-inf"), -0.0],
    "big": lambda: 2 ** 70,
    "tuple": lambda: (1, (2, 3)),
    "set": lambda: {1},
    "datetime": lambda: datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=timezone.utc),
    "date": lambda: date(2024, 5, 1),
    "decimal": lambda: Decimal("1.10"),
    "multiline": lambda: "first: line\n- second\n\n  third: 'it''s'\n",
    "yaml_traps": lambda: ["no", "yes", "null", "~", "1e3", "0o17", "1_000", "2024-05-01", "12:30:00", "<<", "=", "*a", "!x", ""],
    "alias": lambda: [[1, 2]] * 2 + [SHARED, SHARED],
    "complex": lambda: 1 + 2j,
    "object": lambda: Parcel(3),
    "exception": lambda: ValueError("in a parcel", 1),
    "code": lambda: ast.literal_eval,
}
SHARED = {"shared": True}


# ---- returning ---------------------------------------------------------------------------------------------------------

@app.task
def add(x, y):
    """Add two numbers."""
    return x + y


@app.task
def echo(*args, **kwargs):
    """Return the arguments as they arrived."""
    return {"args": args, "kwargs": kwargs}


@app.task
def signature(a, b="x y", *rest, c, d=None, **others):
    """Every kind of parameter in one signature."""
    return [a, b, list(rest), c, d, others]


@app.task
def typed(count: int, ratio: float = 0.5, flag: bool = False, tags: Optional[List[str]] = None,
          mode: Literal["fast", "safe"] = "fast", *, limits: Dict[str, Union[int, str]] = {}, note: Annotated[str, "words"] = ""):
    """Annotations of all kinds."""
    return [count, ratio, flag, tags, mode, limits, note]


@app.task
def types_of(*args, **kwargs):
    """The repr of each argument: what exactly arrived, whatever the result can hold."""
    return {"args": [repr(value) for value in args], "kwargs": {key: repr(value) for key, value in kwargs.items()}}


@app.task
def give(kind):
    """Return what only some serializers can hold."""
    return GIFTS[kind]()


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@app.task
def rich(when: datetime, amount: Decimal = Decimal("1.5"), colour: Colour = Colour.RED, key: Optional[uuid.UUID] = None):
    """Annotations that JSON has no words for."""
    return repr((when, amount, colour, key))


@app.task
def sleep(n=1.0):
    """Take a while."""
    time.sleep(n)
    return n


@app.task
def big(n):
    """A string of n characters."""
    return "x" * n


@app.task
def nested(depth=5, width=3):
    """Lists in lists."""
    return [] if depth == 0 else [nested(depth - 1, width) for _ in range(width)]


@app.task
def nothing():
    """Return None."""


@app.task
def types():
    """Values that JSON cannot hold, or not exactly."""
    return {
        "datetime": datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=timezone.utc),
        "offset": datetime(2024, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "naive": datetime(2024, 5, 1, 12, 30),
        "date": date(2024, 5, 1),
        "time": time_of_day(1, 2, 3),
        "decimal": Decimal("1.10"),
        "uuid": uuid.UUID("12345678123456781234567812345678"),
        "text_bytes": b"abc",
        "bytes": b"\xff\x00",
        "tuple": (1, 2),
        "nan": float("nan"),
        "infinity": float("inf"),
        "minus_infinity": float("-inf"),
        "big": 2 ** 70,
        "precise": 0.1,
        "none": None,
        "unicode": "žluť 不鏽鋼 \U0001F469\u200d\U0001F4BB ｶﾞ",
    }


@app.task
def hostile():
    """Return text that tries to take over the terminal, also as a key."""
    return {"text": HOSTILE + "end", HOSTILE: "key", "list": [HOSTILE]}


@app.task(ignore_result=True)
def silent(x=1):
    """Keep no result."""
    return x


@app.task(bind=True)
def whoami(self):
    """What the worker knows about this call."""
    return {k: repr(v) for k, v in vars(self.request).items() if not k.startswith("_")}


@app.task(queue="mail", bind=True)
def mail(self, to, subject="Hello", *, html=False):
    """Belongs to a queue of its own."""
    return {"to": to, "subject": subject, "html": html, "queue": self.request.delivery_info.get("routing_key")}


@app.task(bind=True, max_retries=5, default_retry_delay=7, rate_limit="100/m", time_limit=60, soft_time_limit=30,
          acks_late=True, priority=3)
def with_options(self, x=1):
    """A task with many options."""
    return x


@app.task(bind=True)
def headers_seen(self, *args, **kwargs):
    """What the message said beside the arguments, as JSON has it."""
    request = self.request
    told = {key: getattr(request, key, None) for key in (
        "id", "task", "headers", "priority", "timelimit", "eta", "expires", "shadow", "ignore_result", "reply_to",
        "correlation_id", "root_id", "parent_id", "group", "retries", "origin", "lang", "compression", "content_type",
        "content_encoding", "stamped_headers", "stamps", "replaced_task_nesting", "delivery_info", "properties", "argsrepr",
        "kwargsrepr")}
    # All that a sender added to the headers of a message is an attribute of the request.
    known = set(told) | {"called_directly", "is_eager", "hostname", "callbacks", "errbacks", "chain", "chord", "args", "kwargs"}
    told["custom"] = {key: value for key, value in vars(request).items() if key not in known and not key.startswith("_")}
    return json.loads(json.dumps(told, default=repr))


# ---- on the way --------------------------------------------------------------------------------------------------------

@app.task(bind=True)
def progress(self, n=3, delay=0.3):
    """Report each step."""
    for step in range(n):
        self.update_state(state="PROGRESS", meta={"current": step + 1, "total": n})
        time.sleep(delay)
    return {"done": n}


@app.task(bind=True, max_retries=3)
def retry_twice(self, countdown=0.2):
    """Succeed at the third attempt."""
    if self.request.retries < 2:
        raise self.retry(exc=KeyError("not yet"), countdown=countdown)
    return {"attempts": self.request.retries + 1}


@app.task(bind=True, max_retries=2)
def retry_always(self, countdown=0.2):
    """Try three times and fail."""
    raise self.retry(exc=KeyError("never"), countdown=countdown)


@app.task(bind=True)
def spawn(self, n=2):
    """Call other tasks."""
    return [add.delay(i, i).id for i in range(n)]


# ---- failing -----------------------------------------------------------------------------------------------------------

class Custom(Exception):
    """An exception that no client has."""


@app.task
def fail(msg="boom"):
    """Raise."""
    raise ValueError(msg)


@app.task
def fail_custom(a=1, b="two"):
    """Raise what the caller cannot import."""
    raise Custom(a, b, {"k": [1, None]})


@app.task
def fail_unicode():
    """Raise with hostile text in the message, and so in the traceback."""
    raise ValueError("不行 " + HOSTILE + "end")


@app.task
def fail_odd():
    """Raise with arguments that JSON cannot hold."""
    raise Custom(object(), b"\xff")


@app.task
def fail_deep(depth=50):
    """Raise at the bottom of a long traceback, with a cause."""
    if depth > 0:
        return fail_deep(depth - 1)
    try:
        raise KeyError("cause")
    except KeyError as cause:
        raise ValueError("effect") from cause


@app.task
def unserializable():
    """Return what no serializer takes."""
    return object()


@app.task
def reject():
    """Tell the broker that the message is no good."""
    raise Reject("no", requeue=False)


@app.task
def ignore():
    """End without a result."""
    raise Ignore()


@app.task
def self_kill():
    """Kill the process it runs in, as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(time_limit=1)
def too_long(n=30):
    """Run into its time limit."""
    time.sleep(n)


# ---- by other names ----------------------------------------------------------------------------------------------------

@app.task(name="short.name")
def elsewhere():
    """Has a name that is not its module's."""
    return "short"


class Class(Task):
    """A task written as a class."""

    name = "shop.tasks.Class"

    def run(self, a: int, b: str = "z"):
        return [a, b]


app.register_task(Class())
