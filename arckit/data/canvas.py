"""The canvas: the square of cells on which a grid is shown to the model, and the tokens it is written in."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from arckit.data.grid import MAX_SIDE, Grid
from arckit.data.task import Task
from arckit.errors import InputError

PAD, EOS, FIRST_COLOUR = 0, 1, 2
VOCABULARY = 12
"""Tokens: 0 PAD, 1 EOS, 2..11 the colours 0..9; equal to the reference's, so that its checkpoints load."""


@dataclass(frozen=True)
class Canvas:
    """A rectangle of cells in the top left corner of a full square.

    Attributes:
        side: cells along the full square: 30 for ARC, less where every grid of a task set is smaller.
        height, width: the rectangle that is computed; None means the whole square.
    """

    side: int = MAX_SIDE
    height: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.side)
        if not 1 <= self.rows <= self.side or not 1 <= self.columns <= self.side:
            raise InputError(f"canvas of {self.rows}×{self.columns} in a square of side {self.side}")

    @property
    def rows(self) -> int:
        assert self.height is not None
        return self.height

    @property
    def columns(self) -> int:
        assert self.width is not None
        return self.width

    @property
    def cells(self) -> int:
        return self.rows * self.columns

    def positions(self) -> np.ndarray:
        """(cells,) int64: each cell's flat index r·side + c on the full square, whatever part is computed."""
        return (np.arange(self.rows)[:, None] * self.side + np.arange(self.columns)).ravel()


def encode(grid: Grid, canvas: Canvas, row: int = 0, column: int = 0) -> np.ndarray:
    """Lay a grid on the canvas and read the canvas off as tokens, row by row.

    A line of EOS runs along the grid's right and bottom edges where the canvas has room: the model states a
    size by where it stops. Everything else is PAD and carries no loss.

    Args:
        grid: (h, w) uint8 of colours 0..9.
        row, column: where the top left cell lands, in cells from the canvas corner.

    Returns:
        (canvas.cells,) uint8 tokens.

    Raises:
        InputError: the grid does not fit there; the message gives both sizes.

    Source: the reference's data builder, whose corner between the two EOS lines stays PAD as well.
    """
    bottom, right = row + grid.shape[0], column + grid.shape[1]
    if row < 0 or column < 0 or bottom > canvas.rows or right > canvas.columns:
        raise InputError(
            f"a grid of {grid.shape[0]}×{grid.shape[1]} at ({row}, {column}) does not fit on a canvas of "
            f"{canvas.rows}×{canvas.columns}"
        )
    tokens = np.zeros((canvas.rows, canvas.columns), np.uint8)
    tokens[row:bottom, column:right] = grid + FIRST_COLOUR
    if bottom < canvas.rows:
        tokens[bottom, column:right] = EOS
    if right < canvas.columns:
        tokens[row:bottom, right] = EOS
    return tokens.ravel()


def decode(tokens: np.ndarray, canvas: Canvas) -> Grid | None:
    """Read a grid off a canvas: the largest rectangle of colours anchored at the top left corner.

    Of equal areas the one with fewest rows wins. None where the corner is not a colour: that is no answer,
    and is never voted on (the reference turns it into an empty grid, and submits it).

    Args:
        tokens: (canvas.cells,) whole numbers.
    """
    tokens = np.asarray(tokens).reshape(canvas.rows, canvas.columns)
    coloured = (tokens >= FIRST_COLOUR) & (tokens < VOCABULARY)
    # Colours in a row before the first other token; the rectangle of h rows is as wide as its narrowest row.
    run = np.where(coloured.all(axis=1), canvas.columns, coloured.argmin(axis=1))
    widths = np.minimum.accumulate(run)
    areas = widths * np.arange(1, canvas.rows + 1)
    height = int(areas.argmax()) + 1
    width = int(widths[height - 1])
    return (tokens[:height, :width] - FIRST_COLOUR).astype(np.uint8) if width else None


def room_for(task: Task) -> int:
    """The side of a square that most probably holds every grid of a task, its unknown test outputs included.

    The longest side shown; or, where every demonstration's output is the input scaled by one ratio, the scaled test
    input's. Never more than 30.
    """
    sides = [task.largest_side]
    ratios = {
        tuple(Fraction(o, i) for o, i in zip(pair.output.shape, pair.input.shape, strict=True))
        for pair in task.demonstrations
        if pair.output is not None
    }
    if len(ratios) == 1:
        for ratio in ratios:
            sides += [ceil(r * side) for p in task.tests for r, side in zip(ratio, p.input.shape, strict=True)]
    return min(MAX_SIDE, max(sides))
