"""The screen under load: a terminal that presses keys and takes the time until the screen has changed. Called by measure.py.

The history has 100,000 calls that have ended (`past.rs`) and 1,000 that are on their way: an earlier umbel sent them, this one has
picked them up and listens for all of them. Letters that act on a call, ask or answer are held for a moment by design, to tell them from
a paste without brackets: their times stand in a row of their own, and count like all others.
"""

import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import termios
import time

# How long nothing may have been written before a key is pressed, so that what comes is the answer to the key.
QUIET = 0.06
# People press no more than so many keys in a second; the screen draws thirty times.
BETWEEN = 0.08
PATIENCE = 0.5
ACTING = "letters that act"
TURNING = "panes, filters, Escape"

DOWN, UP, PAGE_DOWN, PAGE_UP, ESCAPE, BACKSPACE = b"j", b"k", b"\x1b[6~", b"\x1b[5~", b"\x1b", b"\x7f"
CALL = b"\x1b[15~"
SEARCHES = ["lisbon", "customer 73 of", "order 4711", "state:fail", "task:shop.mail", "state:ok refunded 77", "b000102"]
# Nothing else on the screen has these letters: where they appear, the field was drawn after the key.
RARE = "жфщюэыъьцчшдлпя"


class Screen:
    """The program in a terminal of 160 columns and 48 rows, all panes visible."""

    def __init__(self, command, environment):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execve(command[0], command, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
        os.kill(self.child, signal.SIGWINCH)
        self.times, self.listed, self.unchanged = {}, [], 0

    def read(self, patience):
        ready = select.select([self.terminal], [], [], max(0, patience))[0]
        return os.read(self.terminal, 1 << 16) if ready else b""

    def rest(self, quiet=QUIET, limit=30):
        """Waits until nothing was written for a while."""
        deadline = time.monotonic() + limit
        while self.read(quiet):
            assert time.monotonic() < deadline, "the screen never rests"

    def press(self, where, key, mark=b"", between=True):
        """Milliseconds from a key to the first byte of the changed screen, or to the first byte after which `mark` stands in it."""
        if not mark:
            self.rest()
        begun = time.monotonic()
        os.write(self.terminal, key)
        seen = b""
        while (left := begun + PATIENCE - time.monotonic()) > 0:
            seen += self.read(left)
            if seen and mark in seen:
                self.times.setdefault(where, []).append((time.monotonic() - begun) * 1000)
                break
        else:
            self.unchanged += 1
        if between:
            last = time.monotonic()
            while (left := begun + BETWEEN - time.monotonic()) > 0:
                if self.read(left):
                    last = time.monotonic()
            return (last - begun) * 1000
        return None

    def peak(self):
        """The largest resident memory so far, in MB."""
        status = pathlib.Path(f"/proc/{self.child}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000

    def end(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.terminal)


def wander(screen):
    """Keys in every pane, while the calls are on their way."""
    screen.press(TURNING, b"1")
    for key in [DOWN] * 12 + [UP] * 8:
        screen.press("Tasks", key)
    screen.press(TURNING, b"/")
    for letter in "add":
        screen.press("Tasks", letter.encode())
    screen.press(TURNING, ESCAPE)
    screen.press(TURNING, b"4")
    for _ in ("small", "full"):
        for key in [DOWN] * 20 + [PAGE_DOWN] * 20 + [UP] * 10 + [PAGE_UP] * 5:
            screen.press("History", key)
        screen.press(TURNING, b"f")
    screen.press(TURNING, b"f")
    for text in SEARCHES:
        screen.press(TURNING, b"/")
        for letter in text:
            screen.listed.append(screen.press("History, filter", letter.encode()))
        if text != SEARCHES[-1]:
            screen.press(TURNING, ESCAPE)
    # Keeps the filter, shows what it found, and goes there.
    for key in (b"\r", b"\r", b"3"):
        os.write(screen.terminal, key)
        screen.rest(0.3)
    for key in [DOWN] * 15 + [UP] * 10 + [PAGE_DOWN] * 5:
        screen.press("Result", key)
    for key in (b"1", b"\r", b"a"):
        os.write(screen.terminal, key)
        screen.rest(0.3)
    for letter in "x=[1, 2, 3]":
        screen.press("form", letter.encode())
    screen.press(TURNING, ESCAPE)
    for key in [UP] * 2 + [DOWN] * 3 + [UP] * 3:
        screen.press("form", key)
    # Whether to leave while a call of ours is in the air, and not.
    os.write(screen.terminal, CALL)
    screen.rest(0.3)
    for key in [b"q", b"n"] * 15:
        screen.press(ACTING, key)
        # Such a question is deaf at first.
        drain(screen, 0.4)


def storm(screen, begin, arriving):
    """Typing while the results of all the calls come in."""
    screen.press(TURNING, b"4")
    screen.press(TURNING, ESCAPE)
    screen.press(TURNING, b"/")
    begin()
    while arriving():
        for letter in RARE:
            screen.press("History, results arriving", letter.encode(), letter.encode())
        for _ in RARE:
            os.write(screen.terminal, BACKSPACE)
        # What was typed is not to be taken for what comes next.
        drain(screen, 0.15)


def drain(screen, seconds):
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        screen.read(left)
