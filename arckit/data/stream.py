"""An endless, seeded, resumable stream of examples: views of tasks, augmented on the fly."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from arckit.data.augment import transform
from arckit.data.canvas import Canvas, encode
from arckit.data.view import Views
from arckit.errors import InputError


@dataclass(frozen=True)
class Example:
    """One pair of one view, laid on the canvas.

    Attributes:
        inputs, labels: (cells,) uint8 tokens; PAD in the labels carries no loss.
        row: the view's embedding row.
    """

    inputs: np.ndarray
    labels: np.ndarray
    row: int


class Stream:
    """Seat s's k-th example, as a function of (seed, s, k) alone.

    Nothing is stored and nothing is skipped, so a stream has no position: whoever remembers which example sits
    where resumes exactly, on any number of processes.

    Pairs come in passes: if all seats go on at one pace, each known pair is seen once in a pass, in an order
    drawn for that pass, under a view drawn for that example. The reference instead draws a task's variant for all
    its pairs at once; how often pair and view are seen is the same.

    Args:
        views: only pairs whose output is known are used: hide test outputs with `without_solutions`.
        seats: over all processes.
        shift: move input and output together by a random offset, but for one pair in as many as the task has
            (the reference leaves one pair a variant untouched).
    """

    def __init__(self, views: Views, canvas: Canvas, seats: int, seed: int, shift: bool = True):
        self.views, self.canvas, self.seats, self.seed, self.shift = views, canvas, seats, seed, shift
        self.pairs = [(t, pair) for t, task in enumerate(views.tasks) for pair in task.known_pairs]
        for t, pair in self.pairs:
            assert pair.output is not None
            height, width = np.maximum(pair.input.shape, pair.output.shape)
            # Turned views need the longer side both ways.
            if max(height, width) > min(canvas.rows, canvas.columns):
                raise InputError(
                    f"task {views.tasks[t].id}: a grid of {height}×{width} does not fit on a canvas of "
                    f"{canvas.rows}×{canvas.columns}"
                )
        if not self.pairs:
            raise InputError("no pair with a known output, expected at least one to learn from")
        self._order = lru_cache(maxsize=8)(self._draw_order)  # seats are at most a few passes apart

    def _draw_order(self, turn: int) -> np.ndarray:
        return np.random.default_rng([self.seed, 1, turn]).permutation(len(self.pairs))

    def example(self, seat: int, k: int) -> Example:
        """Seat `seat`'s k-th example, k from 0."""
        turn, index = divmod(k * self.seats + seat, len(self.pairs))
        t, pair = self.pairs[self._order(turn)[index]]
        assert pair.output is not None
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, k, seat]))
        row = int(rng.integers(self.views.first[t], self.views.first[t + 1]))
        permutation, symmetry = self.views.permutation[row], int(self.views.symmetry[row])
        source = transform(permutation[pair.input], symmetry)
        target = transform(permutation[pair.output], symmetry)
        down = right = 0
        if self.shift and rng.integers(len(self.views.tasks[t].known_pairs)):
            height, width = np.maximum(source.shape, target.shape)
            down = int(rng.integers(self.canvas.rows - height + 1))
            right = int(rng.integers(self.canvas.columns - width + 1))
        return Example(encode(source, self.canvas, down, right), encode(target, self.canvas, down, right), row)
