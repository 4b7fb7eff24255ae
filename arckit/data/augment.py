"""Augmentations: a symmetry of the square and a permutation of the colours.

Drawing, applying, inverting and naming stand side by side, because that is where bugs are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arckit.data.grid import COLOURS, Grid
from arckit.data.task import Pair, Task
from arckit.errors import InputError

SYMMETRIES = 8
_INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
_SEPARATOR = "|||"


@dataclass(frozen=True)
class Augmentation:
    """One way to look at a task: recolour, then turn or mirror.

    Attributes:
        symmetry: 0 identity, 1..3 quarter turns counter-clockwise, 4 left-right mirror, 5 up-down mirror,
            6 transpose, 7 the other diagonal. Numbers as in the reference.
        permutation: `permutation[old] = new`, ten colours. Drawn ones keep 0, ARC's background, in place.
    """

    symmetry: int = 0
    permutation: tuple[int, ...] = tuple(range(COLOURS))

    def __post_init__(self) -> None:
        if not 0 <= self.symmetry < SYMMETRIES:
            raise InputError(f"symmetry {self.symmetry}, expected 0..{SYMMETRIES - 1}")
        if sorted(self.permutation) != list(range(COLOURS)):
            raise InputError(f"permutation {self.permutation}, expected each colour 0..9 once")

    def apply(self, grid: Grid) -> Grid:
        return transform(np.asarray(self.permutation, np.uint8)[grid], self.symmetry)

    def invert(self, grid: Grid) -> Grid:
        """The grid whose `apply` is this one: how a view's answer comes home."""
        recolour = np.argsort(self.permutation).astype(np.uint8)
        return recolour[transform(grid, _INVERSE[self.symmetry])]

    def apply_to_task(self, task: Task) -> Task:
        def pairs(of: Sequence[Pair]) -> tuple[Pair, ...]:
            return tuple(Pair(self.apply(p.input), None if p.output is None else self.apply(p.output)) for p in of)

        return Task(self.name_view(task.id), pairs(task.demonstrations), pairs(task.tests))

    def name_view(self, task_id: str) -> str:
        """The view's name as the reference writes it, `<task>|||t3|||0<nine digits>`; the task's own for identity."""
        if self == IDENTITY:
            return task_id
        colours = "".join(map(str, self.permutation))
        return f"{task_id}{_SEPARATOR}t{self.symmetry}{_SEPARATOR}{colours}"


IDENTITY = Augmentation()


def transform(grid: Grid, symmetry: int) -> Grid:
    match symmetry:
        case 0:
            return grid
        case 1 | 2 | 3:
            return np.rot90(grid, symmetry)
        case 4:
            return np.fliplr(grid)
        case 5:
            return np.flipud(grid)
        case 6:
            return grid.T
        case 7:
            return np.fliplr(np.rot90(grid))
    raise InputError(f"symmetry {symmetry}, expected 0..{SYMMETRIES - 1}")


def parse_view(name: str) -> tuple[str, Augmentation]:
    """Read a view's name back: task id and augmentation.

    Raises:
        InputError: the name is not `<task>` or `<task>|||t<0..7>|||<ten digits>`.
    """
    parts = name.split(_SEPARATOR)
    if len(parts) == 1:
        return name, IDENTITY
    if len(parts) == 3 and parts[1][:1] == "t" and parts[1][1:].isdecimal() and parts[2].isdecimal():
        return parts[0], Augmentation(int(parts[1][1:]), tuple(map(int, parts[2])))
    raise InputError(f"view name {name!r}, expected <task> or <task>|||t<0..7>|||<ten digits>")


def draw_augmentations(task: Task, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw augmentations of a task that differ in what they do to it, the identity first.

    Deviation from the reference, which compares whole augmented tasks: two augmentations count as one when they
    have the same symmetry and move the colours that the task shows in the same way. That needs no test output,
    and costs a symmetric task a few equal views.

    Args:
        count: how many at most; a task of few colours has fewer.

    Returns:
        symmetries (v,) uint8 and permutations (v, 10) uint8, v <= count.
    """
    grids = [grid for pair in task.demonstrations for grid in (pair.input, pair.output) if grid is not None]
    grids += [pair.input for pair in task.tests]  # never a test output: solved or not, a task has the same views
    shown = np.unique(np.concatenate([grid.ravel() for grid in grids]))
    shown = shown[shown > 0]
    symmetry, permutation = [np.zeros(1, np.uint8)], [np.arange(COLOURS, dtype=np.uint8)[None]]
    seen = {_effect(0, permutation[0][0], shown)}
    for _ in range(5):  # distinct ones run out for tasks of one or two colours; the reference gives up as well
        missing = count - sum(map(len, symmetry))
        if missing <= 0:
            break
        drawn = 2 * missing + 8
        symmetries = rng.integers(SYMMETRIES, size=drawn, dtype=np.uint8)
        permutations = np.tile(np.arange(COLOURS, dtype=np.uint8), (drawn, 1))
        permutations[:, 1:] = rng.permuted(permutations[:, 1:], axis=1)
        keep = []
        for index in range(drawn):
            effect = _effect(int(symmetries[index]), permutations[index], shown)
            if len(keep) < missing and effect not in seen:
                seen.add(effect)
                keep.append(index)
        symmetry.append(symmetries[keep])
        permutation.append(permutations[keep])
    return np.concatenate(symmetry)[:count], np.concatenate(permutation)[:count]


def _effect(symmetry: int, permutation: np.ndarray, shown: np.ndarray) -> tuple[int, bytes]:
    return symmetry, permutation[shown].tobytes()
