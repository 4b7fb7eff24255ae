"""Damaged files: every one gets a clear message, or is truly valid. Never a traceback.

A seeded mutator damages real task files and submissions, the starter set's where there are no real ones. A
second, plain check, which shares no code with arckit's, decides whether a file is still valid.
"""

import copy
import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arckit.answers.score import score_submission
from arckit.answers.submission import build_submission, check_submission, read_submission, write_submission
from arckit.answers.vote import Ballot
from arckit.data.grid import to_json
from arckit.data.task import TaskSet, read_tasks, with_solutions, write_kaggle
from arckit.errors import InputError

ROOT = Path(__file__).parents[1]
STARTER = ROOT / "arckit" / "data" / "starter"
REAL = Path(os.environ.get("ARCKIT_DATA", "")) / "arc-agi-1"

CASES = 200
KINDS = ("challenges", "challenges", "challenges", "task file", "solutions", "solutions", *["submission"] * 4)


# What there is to damage


@pytest.fixture(scope="session")
def tasks() -> TaskSet:
    """Five small tasks with test outputs, two of them with the most test inputs."""
    folder = REAL if (REAL / "arc-agi_evaluation_challenges.json").is_file() else STARTER
    files = (folder / f"arc-agi_evaluation_{what}.json" for what in ("challenges", "solutions"))
    by_size = sorted(read_tasks(*files), key=lambda task: sum(pair.input.size for pair in task.known_pairs))
    by_tests = sorted(by_size, key=lambda task: -len(task.tests))
    return TaskSet((*by_tests[:2], *[task for task in by_size if task not in by_tests[:2]][:3]), "five tasks")


def document(kind: str, tasks: TaskSet) -> dict[str, Any]:
    """A valid file's JSON."""
    match kind:
        case "challenges":
            return {task.id: task.without_solutions().to_json() for task in tasks}
        case "task file":
            return tasks[0].to_json()
        case "solutions":
            return {task.id: [p["output"] for p in task.to_json()["test"]] for task in tasks}
        case "submission":
            return dict(build_submission(tasks, Ballot()))
    raise AssertionError(kind)


# The damage

RAW = {  # what no Python value is written as, put into the text afterwards
    "@huge": b"9" * 5000,
    "@infinite": b"1e400",
    "@deep": b"[" * 100_000 + b"]" * 100_000,
    "@less deep": b"[" * 300 + b"]" * 300,
    "@duplicate": b'1, "again": 1, "again": 2',
    "@nothing": b"",
    "@undefined": b"undefined",
}
JUNK = [None, True, 0, 1.5, "text", "", [], {}, [[]], [[1], [1, 2]], {"text": 1}, *RAW]


@dataclass(frozen=True)
class Damage:
    name: str
    data: bytes
    words: tuple[str, ...]  # what a message has to say beside the file's name, if the file is not valid


def damage(seed: int, document: dict[str, Any], kind: str) -> Damage:
    rng = random.Random(seed)
    document = copy.deepcopy(document)
    how = (damage_grid, damage_grid, damage_structure, damage_structure, damage_text)[seed // len(KINDS) % 5]
    return how(rng, document, kind)


def nodes(value: Any, path: tuple = ()) -> Iterator[tuple[Any, Any, tuple]]:
    """Everything within a JSON value down to its rows: what holds it, under which key, and the whole path."""
    if is_row(value):
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key, (*path, key)
        yield from nodes(inner, (*path, key))


def words_for(path: tuple, kind: str) -> tuple[str, ...]:
    """How a message names a place: task, pair, grid, as far as the path goes."""
    words = [] if kind == "task file" else [f"task {path[0]}"]
    within = path if kind == "task file" else path[1:]
    if kind in ("challenges", "task file"):
        if len(within) >= 2:
            words.append(f"{'demonstration' if within[0] == 'train' else 'test'} {within[1]}")
        words += map(str, within[2:3])
    elif within:
        words.append(f"{'test output' if kind == 'solutions' else 'test'} {within[0]}")
        words += within[1:2] if kind == "submission" else ()
    return tuple(words)


def is_row(value: Any) -> bool:
    return isinstance(value, list) and value != [] and isinstance(value[0], int)


def damage_grid(rng: random.Random, document: dict[str, Any], kind: str) -> Damage:
    """Put something else where a grid stands, or spoil a row or a cell of it."""
    grids = [
        (holder, key, path) for holder, key, path in nodes(document) if plainly_grid(holder[key]) and len(path) > 1
    ]
    holder, key, path = rng.choice(grids)
    grid = holder[key]
    row = rng.randrange(len(grid))
    how = rng.choice(["whole", "cell", "longer", "shorter", "no cells", "tall", "wide", "no row", "other colour"])
    match how:
        case "whole":
            holder[key] = rng.choice(JUNK)
        case "cell":
            junk = [
                True,
                False,
                None,
                1.0,
                "1",
                -1,
                10,
                math.nan,
                math.inf,
                10**30,
                [1],
                {},
                "@huge",
                "@infinite",
            ]
            grid[row][rng.randrange(len(grid[row]))] = rng.choice(junk)
        case "longer":
            grid[row].append(0)
        case "shorter":
            grid[row].pop()
        case "no cells":
            holder[key] = [[] for _ in grid]
        case "tall":
            holder[key] = [grid[0]] * rng.choice([30, 31, 400])
        case "wide":
            holder[key] = [[1] * rng.choice([30, 31, 400])]
        case "no row":
            grid[row] = rng.choice([None, 3, "012", {}, 1.0])
        case "other colour":
            grid[row][0] = (grid[row][0] + 1) % 10
    return written(f"grid: {how}", document, words_for(path, kind))


def damage_structure(rng: random.Random, document: dict[str, Any], kind: str) -> Damage:
    """Delete, repeat, rename, add or replace something above the grids."""
    above = [(holder, key, path) for holder, key, path in nodes(document) if not is_row(holder[key])]
    holder, key, path = rng.choice([node for node in above if len(node[2]) <= rng.choice([1, 2, 3, 4])] or above)
    how = rng.choice(["delete", "delete", "junk", "junk", "wrap", "unwrap", "add", "repeat", "top"])
    place = path if how in ("junk", "wrap") else path[:-1]
    words = words_for(place, kind) if place else ()
    match how:
        case "delete":
            del holder[key]
        case "junk":
            holder[key] = rng.choice(JUNK)
        case "wrap":
            holder[key] = [holder[key]]
        case "unwrap":
            inner = holder[key]
            holder[key] = next(iter(inner.values() if isinstance(inner, dict) else inner), None)
        case "add" | "repeat":
            extra = copy.deepcopy(holder[key]) if how == "repeat" else rng.choice(JUNK)
            if isinstance(holder, list):
                holder.append(extra)
            else:
                holder["extra"] = extra
        case "top":
            return written("structure: top", rng.choice([[document], *JUNK]), ())
    return written(f"structure: {how}", document, words)


def damage_text(rng: random.Random, document: dict[str, Any], kind: str) -> Damage:
    """Spoil the bytes."""
    data = json.dumps(document).encode()
    at = rng.randrange(len(data))
    first = data.index(b'"') + 1
    ways = {
        "truncated": data[:at],
        "truncated at the end": data[:-1],
        "cut out": data[:at] + data[at + rng.randrange(1, 20) :],
        "one byte": data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
        "invalid UTF-8": data[:first] + b"\xff\xfe\x80" + data[first:],
        "invalid UTF-8 anywhere": data[:at] + b"\xc3\x28" + data[at:],
        "byte order mark": b"\xef\xbb\xbf" + data,
        "UTF-16": data.decode().encode("utf-16"),
        "empty": b"",
        "white space": b" \n\t ",
        "zeros": bytes(len(data)),
        "not text": rng.randbytes(200),
        "garbage behind": data + b"]",
        "twice": data + data,
        "quotes of Python": data.replace(b'"', b"'"),
        "a comma too many": data[:-1] + b",}",
        "duplicate key": b"{" + data[first - 1 : data.index(b":")] + b": [], " + data[1:],
        "white space behind": data + b"\n\n",
        "HTML": b"<!DOCTYPE html><html>404: not found</html>",
    }
    name = rng.choice(sorted(ways))
    return Damage(f"text: {name}", ways[name], ())


def written(name: str, value: Any, words: tuple[str, ...]) -> Damage:
    data = json.dumps(value).encode()
    for placeholder, raw in RAW.items():
        quoted = json.dumps(placeholder).encode()
        if quoted in data:
            name, words = (
                f"{name} {placeholder}",
                (),
            )  # many of them are no JSON, which is told by place, not by task
            data = data.replace(quoted, raw)
    return Damage(name, data, words)


# The plain check


def plainly_read(text: str | bytes) -> Any:
    """The JSON value, or None where it is not JSON or an object has a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None


def plainly_grid(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        return False
    cells = [cell for row in value for cell in row]
    return (
        1 <= len(value) <= 30
        and 1 <= len(value[0]) <= 30
        and all(len(row) == len(value[0]) for row in value)
        and all(type(cell) is int and cell in range(10) for cell in cells)
    )


def plainly_task(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), list) and value[key] for key in ("train", "test"))
        and all(isinstance(pair, dict) for pair in value["train"] + value["test"])
        and all(plainly_grid(pair.get("input")) for pair in value["train"] + value["test"])
        and all(plainly_grid(pair.get("output")) for pair in value["train"])
        and all(pair.get("output") is None or plainly_grid(pair["output"]) for pair in value["test"])
    )


def plainly_challenges(value: Any) -> bool:
    return isinstance(value, dict) and value != {} and all(map(plainly_task, value.values()))


def plainly_solutions(value: Any, tasks: TaskSet) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(task.id), list)
        and len(value[task.id]) == len(task.tests)
        and all(map(plainly_grid, value[task.id]))
        for task in tasks
    )


def plainly_submission(value: Any, tasks: TaskSet) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(tasks.ids)
        and all(isinstance(value[task.id], list) and len(value[task.id]) == len(task.tests) for task in tasks)
        and all(
            isinstance(entry, dict)
            and set(entry) == {"attempt_1", "attempt_2"}
            and all(map(plainly_grid, entry.values()))
            for entries in value.values()
            for entry in entries
        )
    )


def plainly_valid(data: bytes, kind: str, tasks: TaskSet) -> bool:
    value = plainly_read(data)
    match kind:
        case "challenges":
            return plainly_challenges(value)
        case "task file":
            return plainly_task(value)
        case "solutions":
            return plainly_solutions(value, tasks)
        case "submission":  # the competition reads it, not we: no encoding but UTF-8, no byte order mark
            text = data.decode("utf-8", errors="replace")
            return "\ufffd" not in text and plainly_submission(plainly_read(text), tasks)
    raise AssertionError(kind)


# The tests


def case(seed: int, tasks: TaskSet) -> tuple[str, Damage]:
    kind = KINDS[seed % len(KINDS)]
    return kind, damage(seed, document(kind, tasks), kind)


def assert_clear(message: str, path: Path, words: tuple[str, ...]) -> None:
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message, word
    assert len(message) < len(str(path)) + 300


@pytest.mark.parametrize("seed", range(CASES))
def test_a_damaged_file_gets_a_clear_message_or_is_truly_valid(seed, tasks, tmp_path):
    kind, damaged = case(seed, tasks)
    path = tmp_path / f"{tasks[0].id}.json"
    path.write_bytes(damaged.data)
    valid = plainly_valid(damaged.data, kind, tasks)

    if kind == "submission":
        faults = check_submission(path, tasks)
        assert (not faults) == valid, (damaged.name, faults[:3])
        for fault in faults:
            assert_clear(fault, path, ())
        assert not damaged.words or valid or any(all(w in f for w in damaged.words) for f in faults), faults[:3]
        try:
            submission = read_submission(path)
        except InputError as error:
            assert not valid
            assert_clear(str(error), path, ())
        else:
            assert 0 <= score_submission(submission, tasks).task_mean <= 1
        return

    if valid:
        assert_same(read(path, kind, tasks), plainly_read(damaged.data), kind)
    else:
        with pytest.raises(InputError) as refused:
            read(path, kind, tasks)
        assert_clear(str(refused.value), path, damaged.words)


def read(path: Path, kind: str, tasks: TaskSet) -> TaskSet:
    if kind == "solutions":
        return with_solutions(tasks.without_solutions(), path)
    return read_tasks(path.parent if kind == "task file" else path)


def assert_same(tasks: TaskSet, value: Any, kind: str) -> None:
    """That what was read is what stands in the file: nothing lost, nothing converted."""
    for task in tasks:
        if kind == "solutions":
            assert [pair["output"] for pair in task.to_json()["test"]] == value[task.id]
        else:
            plain = value if kind == "task file" else value[task.id]
            for pairs, given in ((task.demonstrations, plain["train"]), (task.tests, plain["test"])):
                assert [to_json(pair.input) for pair in pairs] == [pair["input"] for pair in given]
                outputs = [None if pair.output is None else to_json(pair.output) for pair in pairs]
                assert outputs == [pair.get("output") for pair in given]
    if kind == "challenges":
        assert list(tasks.ids) == list(value)


def test_the_damage_is_of_every_kind_and_mostly_real(tasks):
    cases = [case(seed, tasks) for seed in range(CASES)]
    valid = [plainly_valid(damaged.data, kind, tasks) for kind, damaged in cases]
    assert 0 < sum(valid) < CASES / 4
    assert Counter(kind for kind, _ in cases) == {
        "challenges": 60,
        "task file": 20,
        "solutions": 40,
        "submission": 80,
    }
    assert len({damaged.name for _, damaged in cases}) > 40
    assert len({damaged.data for _, damaged in cases}) > CASES - 20  # some ways of being empty are the same


def test_the_undamaged_files_are_valid(tasks):
    for kind in sorted(set(KINDS)):
        assert plainly_valid(json.dumps(document(kind, tasks)).encode(), kind, tasks), kind


# A handful through the command line


def arckit(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "arckit", *map(str, arguments)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in run.stdout + run.stderr, run.stderr
    return run


@pytest.fixture
def files(tasks, tmp_path):
    """A challenges file, its solutions and a valid submission, for one test to damage."""
    challenges, solutions, submission = (tmp_path / f"{name}.json" for name in ("challenges", "solutions", "answers"))
    write_kaggle(tasks, challenges, solutions)
    write_submission(submission, build_submission(tasks, Ballot()))
    return challenges, solutions, submission


def test_check_says_that_a_submission_is_valid_in_one_line(files):
    challenges, _, submission = files
    run = arckit("check", submission, "--challenges", challenges)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 1


def test_check_says_every_fault_in_a_line_and_ends_with_2(files, tasks):
    challenges, _, submission = files
    answers = json.loads(submission.read_text())
    answers[tasks[0].id][0]["attempt_1"] = [[1, 2], [True]]
    del answers[tasks[1].id]
    submission.write_text(json.dumps(answers))
    faults = check_submission(submission, tasks)
    assert len(faults) == 3
    run = arckit("check", submission, "--challenges", challenges)
    assert run.returncode == 2
    assert set(faults) <= set((run.stdout + run.stderr).splitlines())


@pytest.mark.parametrize("which", ["submission", "challenges"])
@pytest.mark.parametrize("how", ["truncated", "missing"])
def test_check_names_the_file_that_it_cannot_read_and_ends_with_2(which, how, files):
    challenges, _, submission = files
    path = submission if which == "submission" else challenges
    path.write_bytes(path.read_bytes()[:100])
    if how == "missing":
        path.unlink()
    run = arckit("check", submission, "--challenges", challenges)
    assert run.returncode == 2
    assert f"{path}: " in run.stdout + run.stderr


def test_score_names_file_task_and_grid_of_damaged_solutions_and_ends_with_2(files, tasks):
    challenges, solutions, submission = files
    outputs = json.loads(solutions.read_text())
    outputs[tasks[0].id][0] = [[1.0]]
    solutions.write_text(json.dumps(outputs))
    run = arckit("score", submission, "--challenges", challenges, "--solutions", solutions)
    assert run.returncode == 2
    assert f"{solutions}: task {tasks[0].id}: test output 0: cell (0, 0): found the number 1.0" in run.stderr


def test_score_gives_its_numbers_under_exactly_these_keys(files, tasks):
    challenges, solutions, submission = files
    run = arckit("score", submission, "--challenges", challenges, "--solutions", solutions, "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert set(found) == {"task_mean", "outputs_correct", "outputs", "tasks_solved", "tasks"}
    assert found["tasks"] == len(tasks)
