"""Building, writing and checking a submission."""

import json
import os
import resource

import numpy as np
import pytest

from arckit.answers.submission import build_submission, check_submission, read_submission, write_submission
from arckit.answers.vote import Ballot, Candidate
from arckit.data.grid import as_grid
from arckit.data.task import Pair, Task, TaskSet
from arckit.errors import InputError

GRID = [[1, 2], [3, 4]]


def task(task_id, tests=1):
    demonstration = Pair(as_grid([[5]]), as_grid([[6]]))
    return Task(task_id, (demonstration,), tuple(Pair(as_grid([[7, index]])) for index in range(tests)))


TASKS = TaskSet((task("first"), task("second", tests=3)), "two tasks")


@pytest.fixture
def valid():
    return build_submission(TASKS, Ballot())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submission.json"


def faults_of(submission, path):
    path.write_text(json.dumps(submission))
    return check_submission(path, TASKS)


def test_without_any_candidate_every_test_input_is_answered_by_the_fallback(valid, path):
    assert valid["first"] == [{"attempt_1": [[6]], "attempt_2": [[7, 0]]}]
    assert [entry["attempt_2"] for entry in valid["second"]] == [[[7, 0]], [[7, 1]], [[7, 2]]]
    assert faults_of(valid, path) == []


def test_an_answer_does_not_move_up_when_the_test_input_before_has_none():  # the reference's fault 3
    answer = Candidate("second", 2, as_grid(GRID), 0.0, "second")
    entries = build_submission(TASKS, Ballot([answer]))["second"]
    assert [entry["attempt_1"] for entry in entries] == [[[6]], [[6]], GRID]


def test_an_empty_grid_is_never_submitted():  # the reference's fault 2
    for ballot in (Ballot(), Ballot([Candidate("first", 0, as_grid(GRID), 0.0, "first")])):
        for entries in build_submission(TASKS, ballot).values():
            assert all(np.array(grid).size for entry in entries for grid in entry.values())


def test_what_is_written_is_read_back_and_valid(valid, path):
    write_submission(path, valid)
    assert read_submission(path) == valid
    assert check_submission(path, TASKS) == []
    assert os.listdir(path.parent) == [path.name]


def test_a_written_submission_can_be_read_by_whoever_may_read_other_files(valid, path):
    write_submission(path, valid)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_old_submission_stays_if_writing_the_new_one_fails(valid, path, monkeypatch, moment, error):
    path.write_text("the old one")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, moment, fail)
    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        write_submission(path, valid)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path}: cannot be written (No space left on device)"
    assert path.read_text() == "the old one"
    assert os.listdir(path.parent) == [path.name]


def test_a_write_cut_off_by_the_system_leaves_the_old_submission(path):
    path.write_text("the old one")
    large = {str(number): [] for number in range(10_000)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match=r"submission\.json: cannot be written \(File too large\)"):
            write_submission(path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "the old one"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_cannot_be_written_to_is_named(valid, tmp_path, path):
    path.write_text("a file")
    for wrong, reason in [
        (tmp_path / "missing" / "submission.json", "No such file or directory"),
        (path / "submission.json", "Not a directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(InputError) as caught:
            write_submission(wrong, valid)
        assert str(caught.value) == f"{wrong}: cannot be written ({reason})"
    assert sorted(os.listdir(tmp_path)) == [path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_a_read_only_folder_is_named(valid, tmp_path):
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"submission\.json: cannot be written \(Permission denied\)"):
        write_submission(folder / "submission.json", valid)


NOT_GRIDS = {
    "not a list": ("1", "found the text '1', expected a list of rows"),
    "null": (None, "found null, expected a list of rows"),
    "a flat list": ([1], "row 0: found the number 1, expected a list of numbers"),
    "ragged": ([[1], [1, 2]], "ragged: rows of 1, 2 cells, expected all the same"),
    "empty": ([], "found an empty list, expected at least one row"),
    "an empty row": ([[]], "found a row without cells, expected at least one cell"),
    "too high": ([[1]] * 31, "found 31 rows, expected at most 30"),
    "too wide": ([[1] * 31], "found a row of 31 cells, expected at most 30"),
    "true": ([[1, True]], "cell (0, 1): found true, expected a whole number 0..9"),
    "1.0": ([[1.0]], "cell (0, 0): found the number 1.0, expected a whole number 0..9"),
    '"1"': ([["1"]], "cell (0, 0): found the text '1', expected a whole number 0..9"),
    "null in it": ([[None]], "cell (0, 0): found null, expected a whole number 0..9"),
    "negative": ([[-1]], "cell (0, 0): found the number -1, expected a whole number 0..9"),
    "ten": ([[10]], "cell (0, 0): found the number 10, expected a whole number 0..9"),
    "NaN": ([[float("nan")]], "cell (0, 0): found the number nan, expected a whole number 0..9"),
    "nested": ([[[1]]], "cell (0, 0): found a list of 1, expected a whole number 0..9"),
}


@pytest.mark.parametrize("name", NOT_GRIDS)
def test_check_finds_what_is_not_a_grid_and_says_where(name, valid, path):
    value, fault = NOT_GRIDS[name]
    valid["second"][1]["attempt_2"] = value
    assert faults_of(valid, path) == [f"{path}: task second: test 1: attempt_2: {fault}"]


def test_check_says_every_fault_in_one_line_each(valid, path):
    valid["second"] = [
        {"attempt_1": [[1]]},
        "x",
        {"attempt_1": [], "attempt_2": [[0], [True, 1]], "why": 1},
        {},
    ]
    del valid["first"]
    valid["other"] = []
    assert faults_of(valid, path) == [
        f"{path}: task first: missing, expected a list of 1, one entry a test input",
        f"{path}: task second: found 4 outputs, expected 3, one a test input",
        f"{path}: task second: test 0: attempt_2: missing, expected a grid",
        f"{path}: task second: test 1: found the text 'x', expected an object with both attempts",
        f"{path}: task second: test 2: attempt_1: found an empty list, expected at least one row",
        f"{path}: task second: test 2: attempt_2: ragged: rows of 1, 2 cells, expected all the same",
        f"{path}: task second: test 2: attempt_2: cell (1, 0): found true, expected a whole number 0..9",
        f"{path}: task second: test 2: extra key why, expected attempt_1 and attempt_2 only",
        f"{path}: task second: test 3: attempt_1: missing, expected a grid",
        f"{path}: task second: test 3: attempt_2: missing, expected a grid",
        f"{path}: task other: not among the 2 tasks of two tasks",
    ]


def test_check_finds_a_task_whose_entries_are_no_list(valid, path):
    valid["first"] = valid["first"][0]
    fault = "found an object with 2 keys, expected a list of 1, one entry a test input"
    assert faults_of(valid, path) == [f"{path}: task first: {fault}"]


@pytest.mark.parametrize("key", ["two\nlines", "", "\ud800", "long" * 100, "\x1b[31m"])
def test_a_strange_key_makes_no_strange_line(key, valid, path):
    valid[key] = valid["first"][0][key] = []
    faults = faults_of(valid, path)
    assert len(faults) == 2
    for fault in faults:
        assert fault.isprintable()
        assert len(fault) < len(str(path)) + 150


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not JSON"),
        (b'{"first": [{"attempt_1": [[1', "not JSON, or cut off"),
        (b"[]", "found a list of 0, expected an object of entries by task id"),
        (b"\xff{}", "not JSON"),
        (b'{"first": [], "first": []}', "the key 'first' is there twice"),
        (b'{"first": [{"attempt_1": [[1]], "attempt_1": [[1]]}]}', "the key 'attempt_1' is there twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_check_says_in_one_line_what_is_no_json_object(data, fault, path):
    path.write_bytes(data)
    (line,) = check_submission(path, TASKS)
    assert line.startswith(f"{path}: ")
    assert fault in line


def test_check_says_so_if_there_is_no_file(path):
    assert check_submission(path, TASKS) == [f"{path}: there is no such file"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_check_finds_an_encoding_that_a_plain_reader_cannot_read(encoding, valid, path):
    path.write_bytes(json.dumps(valid).encode(encoding))
    (line,) = check_submission(path, TASKS)
    assert line == f"{path}: written in {encoding}, expected plain UTF-8"
