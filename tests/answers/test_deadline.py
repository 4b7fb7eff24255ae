"""A moment handed down as a value."""

import math
import pickle
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from arckit.answers import deadline as module
from arckit.answers.deadline import Deadline, process_start
from arckit.errors import InputError

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000.25


def run_python(program, *arguments):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


def test_the_reserve_is_kept_back(clock):
    deadline = Deadline.after(100, reserve=30)
    assert (deadline.end, deadline.remaining()) == (NOW + 100, 70)
    assert deadline.fits(70)
    assert not deadline.fits(70.5)


def test_time_spent_is_no_longer_there(clock):
    deadline = Deadline.after(100, reserve=30)
    clock.now += 69
    assert not deadline.passed()
    clock.now += 1
    assert deadline.passed()
    clock.now += 10
    assert deadline.remaining() == -10


def test_a_limit_counts_from_the_start_that_is_given(clock):
    assert Deadline.after(100, 0.0, start=NOW - 40).remaining() == 60
    assert Deadline.after(100, start=NOW - 40).remaining() == 60 - 6  # a second and a twentieth in reserve
    assert Deadline.after(10**5, start=NOW).reserve == 30


def test_a_limit_shorter_than_its_reserve_has_passed_at_once(clock):
    assert Deadline.after(10, reserve=20).passed()
    assert Deadline.after(0).passed()


def test_without_a_limit_everything_fits():
    deadline = Deadline.never()
    assert deadline.remaining() == math.inf
    assert deadline.fits(1e300)
    assert not deadline.passed()


@pytest.mark.parametrize(
    "deadline", [Deadline(NOW + 0.1, 7.3), Deadline(time.time()), Deadline.never(), Deadline(0.1 + 0.2, 1e-9)]
)
def test_another_process_gets_an_equal_deadline_from_the_command_line(deadline):
    program = "import sys; from arckit.answers.deadline import Deadline; print(Deadline.parse(sys.argv[1]))"
    assert Deadline.parse(str(deadline)) == deadline
    assert len(str(deadline).split()) == 1
    if deadline.end == NOW + 0.1:
        assert Deadline.parse(run_python(program, str(deadline)).strip()) == deadline
    assert pickle.loads(pickle.dumps(deadline)) == deadline


def test_an_end_alone_has_no_reserve():
    assert Deadline.parse(repr(NOW)) == Deadline(NOW, 0.0)


@pytest.mark.parametrize("text", ["", "soon", "1:2:3", "nan", "1:nan", "1:-1", "1:inf"])
def test_what_is_no_deadline_is_refused(text):
    with pytest.raises(InputError, match="deadline: "):
        Deadline.parse(text)


def test_the_process_started_before_this_test_and_its_child_after():
    before = time.time()
    program = "import time; from arckit.answers.deadline import process_start; print(process_start(), time.time())"
    start, end = map(float, run_python(program).split())
    # psutil counts from the machine's start, which the system states in whole seconds
    assert before - 1.1 <= start <= end <= time.time()
    assert process_start() <= before


@pytest.mark.parametrize(
    ("started", "booted"),
    [
        (time.time() + 3600, 0.0),  # not started yet: a container's start with the host's ticks
        (1000.0, 1000.0),  # at the machine's start: no ticks at all
        (5.0, 1000.0),  # before it: the clock was set
    ],
)
def test_a_start_that_cannot_be_right_is_replaced_by_the_import_s_moment(started, booted, monkeypatch):
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(create_time=lambda: started))
    monkeypatch.setattr(psutil, "boot_time", lambda: booted)
    assert 0 <= time.time() - process_start() < 3600
    assert process_start() == process_start()


def test_a_system_that_does_not_say_when_a_process_started_stops_nothing(monkeypatch):
    def refuse():
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    assert 0 <= time.time() - process_start() < 3600
