"""Tasks as people have them: Kaggle's combined files, or folders of one file a task."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from arckit.data.grid import Grid, as_grid, describe, to_json
from arckit.errors import InputError


@dataclass(frozen=True, eq=False)
class Pair:
    """An input grid and its output, which is None where nobody has told us: never a filler."""

    input: Grid
    output: Grid | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What ARC calls a task: demonstrations (JSON `train`) and test inputs (JSON `test`)."""

    id: str
    demonstrations: tuple[Pair, ...]
    tests: tuple[Pair, ...]

    @property
    def known_pairs(self) -> tuple[Pair, ...]:
        """Every pair whose output is known: what may be learned from."""
        return tuple(pair for pair in self.demonstrations + self.tests if pair.output is not None)

    @property
    def largest_side(self) -> int:
        """The longest side of its known grids: what a canvas has to hold, since views are turned."""
        pairs = self.demonstrations + self.tests
        return max(max(grid.shape) for pair in pairs for grid in (pair.input, pair.output) if grid is not None)

    def without_solutions(self) -> "Task":
        """The same task as a competitor sees it: no test outputs."""
        return replace(self, tests=tuple(Pair(pair.input) for pair in self.tests))

    def to_json(self) -> dict[str, Any]:
        """The task as one JSON object, test outputs included where known."""

        def plain(pair: Pair) -> dict[str, Any]:
            grids = {"input": to_json(pair.input)}
            return grids if pair.output is None else grids | {"output": to_json(pair.output)}

        return {"train": [plain(p) for p in self.demonstrations], "test": [plain(p) for p in self.tests]}


@dataclass(frozen=True, eq=False)
class TaskSet:
    """An ordered set of tasks, reached by index, by slice or by id.

    Example:
        >>> tasks = read_tasks("arc-agi_evaluation_challenges.json")
        >>> tasks["0934a4d8"].tests[0].input.shape
        >>> small = tasks.filter(lambda task: len(task.demonstrations) > 2)[:10]
    """

    tasks: tuple[Task, ...]
    name: str = "tasks"
    _by_id: dict[str, Task] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Task] = {}
        for task in self.tasks:
            if task.id in by_id:
                raise InputError(f"{self.name}: task {task.id} is there twice, expected each id once")
            by_id[task.id] = task
        object.__setattr__(self, "_by_id", by_id)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._by_id

    @overload
    def __getitem__(self, key: int | str) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> "TaskSet": ...
    def __getitem__(self, key: int | str | slice) -> "Task | TaskSet":
        if isinstance(key, slice):
            return replace(self, tasks=self.tasks[key])
        if isinstance(key, str):
            if key not in self._by_id:
                raise InputError(f"{self.name}: no task {key!r} among its {len(self)} tasks")
            return self._by_id[key]
        return self.tasks[key]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._by_id)

    @property
    def outputs_known(self) -> bool:
        """Whether every test output is known, so that answers can be scored."""
        return all(pair.output is not None for task in self.tasks for pair in task.tests)

    def filter(self, keep: Callable[[Task], bool]) -> "TaskSet":
        return replace(self, tasks=tuple(task for task in self.tasks if keep(task)))

    def select(self, ids: Iterable[str]) -> "TaskSet":
        """The tasks with these ids, in the order asked for."""
        return replace(self, tasks=tuple(self[task_id] for task_id in ids))

    def without_solutions(self) -> "TaskSet":
        return replace(self, tasks=tuple(task.without_solutions() for task in self.tasks))

    def content_hash(self) -> str:
        """sha256 of ids and grids in order: equal for equal tasks, wherever they were read from."""
        digest = hashlib.sha256()
        for task in self.tasks:
            digest.update(json.dumps([task.id, task.to_json()], separators=(",", ":")).encode())
        return digest.hexdigest()


def read_tasks(path: str | Path, solutions: str | Path | None = None) -> TaskSet:
    """Read tasks from a Kaggle challenges file or from a folder of one JSON file a task.

    Args:
        path: `…_challenges.json` (`{id: {"train": […], "test": […]}}`), or a folder of `<id>.json`.
        solutions: `…_solutions.json` (`{id: [output, …]}`) for a challenges file. Never looked for
            by itself: whoever wants test outputs says so.

    Raises:
        InputError: naming file, task and grid, what was found and what was expected.
    """
    path = Path(path)
    if path.is_dir():
        if solutions is not None:
            raise InputError(f"{path}: a folder of task files holds its own test outputs; drop {solutions}")
        files = sorted(path.glob("*.json"))
        if not files:
            raise InputError(f"{path}: no .json file in this folder, expected one a task")
        return TaskSet(tuple(_as_task(file.stem, read_json(file), str(file)) for file in files), path.name)
    challenges = _as_mapping(read_json(path), str(path), "tasks by id")
    if {"train", "test"} <= challenges.keys():  # a single task file
        return TaskSet((_as_task(path.stem, challenges, str(path)),), path.stem)
    if not challenges:
        raise InputError(f"{path}: found no tasks, expected at least one")
    tasks = TaskSet(
        tuple(_as_task(task_id, value, f"{path}: task {task_id}") for task_id, value in challenges.items()),
        path.stem.removesuffix("_challenges"),
    )
    return tasks if solutions is None else with_solutions(tasks, solutions)


def with_solutions(tasks: TaskSet, path: str | Path) -> TaskSet:
    """Give every task the test outputs that a Kaggle solutions file holds.

    Raises:
        InputError: a task is not in the file, or has another number of outputs than test inputs.
    """
    solutions = _as_mapping(read_json(Path(path)), str(path), "lists of output grids by task id")
    return replace(tasks, tasks=tuple(_with_outputs(task, solutions, str(path)) for task in tasks))


def _with_outputs(task: Task, solutions: Mapping[str, Any], path: str) -> Task:
    where = f"{path}: task {task.id}"
    if task.id not in solutions:
        raise InputError(f"{where}: not in this file of {len(solutions)} tasks; is it another split's?")
    outputs = solutions[task.id]
    if not isinstance(outputs, list):
        raise InputError(f"{where}: found {describe(outputs)}, expected a list of output grids")
    if len(outputs) != len(task.tests):
        raise InputError(f"{where}: found {len(outputs)} outputs, expected {len(task.tests)}, one a test input")
    grids = [as_grid(output, f"{where}: test output {index}") for index, output in enumerate(outputs)]
    return replace(task, tests=tuple(Pair(p.input, grid) for p, grid in zip(task.tests, grids, strict=True)))


def write_kaggle(tasks: TaskSet, challenges: str | Path, solutions: str | Path | None = None) -> None:
    """Write tasks in Kaggle's layout; with `solutions`, every test output has to be known."""
    files: dict[Path, Any] = {Path(challenges): {task.id: task.without_solutions().to_json() for task in tasks}}
    if solutions is not None:
        outputs: dict[str, list] = {}
        for task in tasks:
            if any(pair.output is None for pair in task.tests):
                raise InputError(f"{tasks.name}: task {task.id} has a test output that is not known")
            outputs[task.id] = [to_json(pair.output) for pair in task.tests if pair.output is not None]
        files[Path(solutions)] = outputs
    for path, values in files.items():
        write_json(path, values)


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all: whoever reads it finds the old one or the new one.

    Raises:
        InputError: the folder is missing or cannot be written to, or the disk is full; the old file stays.
    """
    data = json.dumps(values, separators=(",", ":")).encode()
    # Beside the target, because a rename is atomic only within a file system. Not by `tempfile`, whose files
    # only their owner may read.
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            temporary.unlink()  # there only if something went wrong


def read_json(path: Path) -> Any:
    """Read a JSON file, or say in one line why not."""
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once_each)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder, expected a JSON file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not JSON: not UTF-8 text") from None
    except RecursionError:
        raise InputError(f"{path}: not JSON that holds grids: nested too deeply") from None
    except ValueError as error:  # json.JSONDecodeError, or a key given twice
        raise InputError(f"{path}: not JSON, or cut off: {error}") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The json module keeps the last of equal keys without a word; here that would lose a task.
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:40]!r} is there twice in one object")
        result[key] = value
    return result


def _as_task(task_id: str, value: Any, where: str) -> Task:
    if not task_id or not task_id.isprintable() or "|||" in task_id:
        raise InputError(f"{where!r}: expected a task id of printable characters, without |||")
    parts = _as_mapping(value, where, 'an object with "train" and "test"')
    for key in ("train", "test"):
        if key not in parts:
            raise InputError(f'{where}: no "{key}", expected "train" and "test"')
        if not isinstance(parts[key], list):
            raise InputError(f'{where}: "{key}": found {describe(parts[key])}, expected a list of pairs')
        if not parts[key]:
            raise InputError(f'{where}: "{key}" is empty, expected at least one pair')
    return Task(
        task_id,
        tuple(_as_pair(p, f"{where}: demonstration {i}", True) for i, p in enumerate(parts["train"])),
        tuple(_as_pair(p, f"{where}: test {i}", False) for i, p in enumerate(parts["test"])),
    )


def _as_pair(value: Any, where: str, output_needed: bool) -> Pair:
    parts = _as_mapping(value, where, 'an object with "input"' + ' and "output"' * output_needed)
    if "input" not in parts:
        raise InputError(f'{where}: no "input"')
    if output_needed and "output" not in parts:
        raise InputError(f'{where}: no "output"')
    output = parts.get("output")
    return Pair(
        as_grid(parts["input"], f"{where}: input"),
        None if output is None and not output_needed else as_grid(output, f"{where}: output"),
    )


def _as_mapping(value: Any, where: str, expected: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: found {describe(value)}, expected {expected}")
    return value
