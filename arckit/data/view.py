"""Views: tasks under augmentations, one embedding row each."""

from collections.abc import Iterator, Sequence

import numpy as np

from arckit.data.augment import IDENTITY, Augmentation, draw_augmentations, parse_view
from arckit.data.task import Task
from arckit.errors import InputError


class Views:
    """All views of some tasks, numbered task by task: a view's number is its embedding row.

    Arrays rather than objects: a thousand views of each of a thousand tasks are one million rows.

    Attributes:
        tasks: the tasks, T of them.
        first: (T + 1,) int64; task t's views are the rows first[t] … first[t + 1] − 1, its identity first.
        symmetry, permutation: (R,) and (R, 10) uint8, each row's augmentation.
    """

    def __init__(self, tasks: Sequence[Task], symmetry: Sequence[np.ndarray], permutation: Sequence[np.ndarray]):
        self.tasks = tuple(tasks)
        self.first = np.concatenate([[0], np.cumsum([len(s) for s in symmetry])]).astype(np.int64)
        self.symmetry = np.concatenate(symmetry)
        self.permutation = np.concatenate(permutation)

    def __len__(self) -> int:
        return len(self.symmetry)

    def rows_of(self, task: int) -> range:
        """The rows of the task with this index."""
        return range(int(self.first[task]), int(self.first[task + 1]))

    def task_of(self, row: int) -> int:
        """The index of the task that a row is a view of."""
        return int(np.searchsorted(self.first, row, side="right")) - 1

    def augmentation(self, row: int) -> Augmentation:
        return Augmentation(int(self.symmetry[row]), tuple(self.permutation[row].tolist()))

    def name(self, row: int) -> str:
        return self.augmentation(row).name_view(self.tasks[self.task_of(row)].id)

    def names(self) -> Iterator[str]:
        """Every view's name in row order: what a release stores beside its rows."""
        for index, task in enumerate(self.tasks):
            for row in self.rows_of(index):
                yield self.augmentation(row).name_view(task.id)


def draw_views(tasks: Sequence[Task], count: int, seed: int) -> Views:
    """Draw up to `count` views of every task.

    A task's views depend on the seed and its own id and grids alone, never on the tasks around it, so that
    releases, resumed runs and other task sets agree about them.
    """
    symmetry, permutation = [], []
    for task in tasks:
        rng = np.random.default_rng([seed, *task.id.encode()])
        drawn = draw_augmentations(task, count, rng)
        symmetry.append(drawn[0])
        permutation.append(drawn[1])
    if not symmetry:
        raise InputError("no tasks to look at, expected at least one")
    return Views(tasks, symmetry, permutation)


def named_views(tasks: Sequence[Task], names: Sequence[str]) -> Views:
    """The views with these names, task by task; every task needs at least one.

    Raises:
        InputError: a task without a view among the names; the message counts and names them.
    """
    by_task: dict[str, list[Augmentation]] = {task.id: [] for task in tasks}
    for name in names:
        task_id, augmentation = parse_view(name)
        if task_id in by_task:
            by_task[task_id].append(augmentation)
    if missing := [task_id for task_id, found in by_task.items() if not found]:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise InputError(f"no embedding row for {len(missing)} of {len(by_task)} tasks: {shown}")
    ordered = [sorted(by_task[task.id], key=lambda a: a != IDENTITY) for task in tasks]
    return Views(
        tasks,
        [np.array([a.symmetry for a in found], np.uint8) for found in ordered],
        [np.array([a.permutation for a in found], np.uint8) for found in ordered],
    )
