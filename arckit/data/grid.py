"""A grid: a small matrix of colours. Everything else in arckit is about turning grids into grids."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from arckit.errors import InputError

Grid = np.ndarray
"""(h, w) uint8 of colours 0..9, 1 <= h, w <= 30."""

MAX_SIDE = 30
COLOURS = 10


def as_grid(value: Any, where: str = "grid") -> Grid:
    """Turn what JSON gave into a grid.

    Args:
        value: a list of rows, each a list of whole numbers 0..9, or an array of them.
        where: what the value is, for the message: file, task, which pair.

    Returns:
        (h, w) uint8, read-only.

    Raises:
        InputError: the value is not a grid; the message gives the first fault.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    for fault in grid_faults(value):
        raise InputError(f"{where}: {fault}")
    grid = np.array(value, dtype=np.uint8)
    grid.flags.writeable = False
    return grid


def grid_faults(value: Any) -> Iterator[str]:
    """Say everything that keeps a JSON value from being a grid: what was found, what was expected.

    Whole numbers only: `true`, `1.0` and `"1"` are faults although Python would convert them.
    """
    if not isinstance(value, list):
        yield f"found {describe(value)}, expected a list of rows"
        return
    if not value:
        yield "found an empty list, expected at least one row"
        return
    rows = [row for row in value if isinstance(row, list)]
    for index, row in enumerate(value):
        if not isinstance(row, list):
            yield f"row {index}: found {describe(row)}, expected a list of numbers"
    if len(value) > MAX_SIDE:
        yield f"found {len(value)} rows, expected at most {MAX_SIDE}"
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        yield f"ragged: rows of {', '.join(map(str, widths))} cells, expected all the same"
    if widths and widths[0] == 0:
        yield "found a row without cells, expected at least one cell"
    if widths and widths[-1] > MAX_SIDE:
        yield f"found a row of {widths[-1]} cells, expected at most {MAX_SIDE}"
    for index, row in enumerate(value):
        if isinstance(row, list):
            for column, cell in enumerate(row):
                if type(cell) is not int or not 0 <= cell < COLOURS:
                    yield f"cell ({index}, {column}): found {describe(cell)}, expected a whole number 0..9"
                    break  # one a row is enough to find it


def describe(value: Any) -> str:
    """Name a JSON value for a message, short whatever its size."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 10**18:
            return "a number of more than 18 digits"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:20]!r}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object with {len(value)} keys"
    return f"a {type(value).__name__}"


def same(a: Grid, b: Grid) -> bool:
    """Whether two grids agree in size and in every cell: all that ARC scores."""
    return a.shape == b.shape and bool(np.array_equal(a, b))


def to_json(grid: Grid) -> list[list[int]]:
    """A grid as a list of lists of plain integers, which is what a submission holds."""
    return [[int(cell) for cell in row] for row in grid]


def to_text(grid: Grid) -> str:
    """A grid as lines of digits, `.` for colour 0, for terminals and failing tests."""
    return "\n".join("".join(str(cell) if cell else "." for cell in row) for row in grid.tolist())
