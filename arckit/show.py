"""Pictures: a task with its attempts, a page of many, a training curve.

Every picture is laid out by hand, in inches from its top left corner, so that a cell is as large in one grid
of a task as in the next. matplotlib is imported when something is drawn, and its global state is left alone.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arckit.data.grid import Grid, as_grid, describe, same
from arckit.data.task import Task, TaskSet
from arckit.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#000000",
    "#0074D9",
    "#FF4136",
    "#2ECC40",
    "#FFDC00",
    "#AAAAAA",
    "#F012BE",
    "#FF851B",
    "#7FDBFF",
    "#870C25",
)
"""ARC's own, by number."""

INK, FAINT, RULE, LINE = "#222222", "#767676", "#D8D8D8", "#6E6E6E"
RIGHT, WRONG = "#1E9E3A", "#D62F25"
DPI = 120

Attempts = Sequence[Sequence[Any]]
"""For every test input its attempts in order, each a grid as an array or as JSON gives it."""


def draw_task(task: Task, path: str | Path, attempts: Attempts | None = None) -> None:
    """Draw a task: its demonstrations in columns, then a line for each test input.

    Attempts stand beside the true output, framed green where they equal it and red where they do not.

    Args:
        path: a .png, .pdf or .svg.
        attempts: for every test input a list of grids.

    Raises:
        InputError: attempts for another number of test inputs, a grid that is none, no matplotlib, or a
            path that cannot be written.
    """
    given = _as_attempts(task, attempts)
    page = _Page()
    grids = [grid for pair in task.demonstrations + task.tests for grid in (pair.input, pair.output)]
    grids += [grid for answers in given for grid in answers]
    cell = _cell(grids, 2.5)
    page.text(0, 0.11, task.id, size=13, bold=True)
    y = 0.5
    columns = [
        max(pair.input.shape[1], pair.output.shape[1]) * cell for pair in task.demonstrations if pair.output is not None
    ]
    for line in _wrap([max(width, 1.05) for width in columns], gap=0.4, limit=13):
        y = _draw_demonstrations(page, task, line, cell, y)
    page.rule(y)
    y += 0.3
    lines = []
    for index, (pair, answers) in enumerate(zip(task.tests, given, strict=True)):
        number = f" {index + 1}" if len(task.tests) > 1 else ""
        items = [_Item(f"test input{number}", pair.input)]
        items.append(_Item("true output" if pair.output is not None else "output unknown", pair.output))
        lines.append(items + [_answer(f"attempt {n + 1}", grid, pair.output) for n, grid in enumerate(answers)])
    _draw_tests(page, lines, cell, y)
    page.save(path)


def draw_tasks(tasks: TaskSet, submission: Mapping[str, Any], path: str | Path, title: str | None = None) -> None:
    """Draw a page of many tasks with what was answered, the solved ones first.

    A line for each test input: the last demonstration, the test input, both attempts, the true output. A task
    is solved if every test output is among its attempts.

    Args:
        submission: `{task_id: [{"attempt_1": grid, "attempt_2": grid}, …]}`; what is missing stays blank.
        path: a .png, .pdf or .svg.

    Raises:
        InputError: an attempt that is no grid, no matplotlib, or a path that cannot be written.
    """
    solved, unsolved, unknown = [], [], []
    for task in tasks:
        answered = _answered(task, submission)
        known = [pair.output for pair in task.tests]
        if any(output is None for output in known):
            unknown.append((task, answered))
        elif all(any(_equal(a, output) for a in answers) for answers, output in zip(answered, known, strict=True)):
            solved.append((task, answered))
        else:
            unsolved.append((task, answered))
    sections = [
        ("solved", solved, RIGHT),
        ("unsolved", unsolved, WRONG),
        ("true output unknown", unknown, FAINT),
    ]

    page = _Page()
    columns = max(1, math.ceil(math.sqrt(len(tasks) / 6)))  # of tasks; keeps a page of any number near a square
    y = 0.0
    if title:
        page.text(0, 0.14, title, size=16, bold=True)
        y = 0.55
    page.reserve(min(columns, len(tasks)) * (_STRIP + _GUTTER) - _GUTTER, y)
    for name, members, colour in sections:
        if members or (name == "solved" and not unknown):
            page.text(0, y + 0.12, f"{name} {len(members)} of {len(tasks)}", size=13, bold=True, colour=colour)
            y = _draw_section(page, members, columns, y + 0.36) + 0.25
    page.save(path)


def draw_curve(metrics: str | Path | Iterable[Mapping[str, Any]], path: str | Path, title: str | None = None) -> None:
    """Draw a training curve: the loss, and below it every accuracy, by step.

    Args:
        metrics: a run's `metrics.jsonl`, or its lines: `step`, `loss`, and names that end in `accuracy`. A line
            that lacks a value, or whose value is not finite, leaves a gap.
        path: a .png, .pdf or .svg.

    Raises:
        InputError: no line has a step and a value, no matplotlib, or a path that cannot be written.
    """
    if isinstance(metrics, (str, Path)):
        metrics = map(json.loads, Path(metrics).read_text().splitlines())
    rows = [row for row in metrics if _finite(row.get("step"))]
    names = {name for row in rows for name in row if _finite(row[name])}
    accuracies = sorted((name for name in names if name.endswith("accuracy")), key=lambda n: (n != "exact_accuracy", n))
    panels = [["loss"]] * ("loss" in names) + [accuracies] * bool(accuracies)
    if not panels:
        raise InputError(f"{path}: nothing to draw: no step with a loss or an accuracy")

    figure = _figure()
    figure.set_size_inches(8, 0.9 + 2.5 * len(panels))
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    palette = ("#0074D9", "#FF851B", "#2ECC40", "#870C25", "#F012BE")
    for axes, panel in zip(all_axes, panels, strict=True):
        ends = []
        for name, colour in zip(panel, palette, strict=False):
            points = [(row["step"], row[name]) for row in rows if _finite(row.get(name))]
            steps, values = zip(*points, strict=True)
            smooth = _smooth(values)
            few = len(points) < 20
            axes.plot(steps, values, color=colour, alpha=0.25, linewidth=1, marker="." if few else "")
            axes.plot(steps, smooth, color=colour, linewidth=2, solid_capstyle="round")
            number = f"{smooth[-1]:.3g}" if panel == ["loss"] else f"{smooth[-1]:.1%}"
            ends.append((smooth[-1], f"{name.replace('_', ' ')} {number}", colour))
        axes.set_ylim(bottom=0, top=None if panel == ["loss"] else 1.02)
        heights = _apart([value for value, _, _ in ends], 0.075 * axes.get_ylim()[1])
        for (_, label, colour), height in zip(ends, heights, strict=True):
            axes.text(
                1.01,
                height,
                label,
                transform=axes.get_yaxis_transform(),
                color=colour,
                fontsize=9,
                verticalalignment="center",
                parse_math=False,
            )
        axes.grid(axis="y", color="#EBEBEB")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(RULE)
        axes.margins(x=0.01)
        axes.tick_params(length=0, colors=FAINT, labelsize=9)
        if panel != ["loss"]:
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    all_axes[-1].set_xlabel("step", color=FAINT, fontsize=9)
    if title:
        figure.suptitle(title, x=0.02, y=0.98, horizontalalignment="left", fontsize=13, fontweight="bold", color=INK)
    figure.subplots_adjust(left=0.08, right=0.8, top=0.9 if title else 0.96, bottom=0.7 / (0.9 + 2.5 * len(panels)))
    _save(figure, path)


# Parts of a task.


@dataclass(frozen=True)
class _Item:
    """A grid, its title, and a frame around it; None is drawn as an empty place."""

    title: str
    grid: Grid | None
    colour: str = FAINT
    frame: str | None = None


def _answer(name: str, grid: Grid | None, truth: Grid | None) -> _Item:
    if grid is None:
        return _Item(f"no {name}", None)
    if truth is None:
        return _Item(name, grid)
    return _Item(f"{name} ✓", grid, RIGHT, RIGHT) if same(grid, truth) else _Item(f"{name} ✗", grid, WRONG, WRONG)


def _draw_demonstrations(
    page: "_Page", task: Task, columns: list[tuple[int, float, float]], cell: float, y: float
) -> float:
    """One line of demonstrations, each input above its output; returns where the next line begins."""
    pairs = [(task.demonstrations[index], x, width) for index, x, width in columns]
    above = max(pair.input.shape[0] for pair, _, _ in pairs) * cell
    below = max(pair.output.shape[0] for pair, _, _ in pairs if pair.output is not None) * cell
    for (pair, x, width), (index, _, _) in zip(pairs, columns, strict=True):
        assert pair.output is not None
        page.text(x + width / 2, y, f"demonstration {index + 1}", size=8.5, colour=FAINT, align="center")
        # Inputs stand on the arrows, outputs hang from them: the eye goes straight down.
        height, breadth = (side * cell for side in pair.input.shape)
        page.grid(pair.input, x + (width - breadth) / 2, y + 0.16 + above - height, cell)
        page.arrow(x + width / 2, y + 0.16 + above + 0.06, 0, 0.2)
        page.grid(pair.output, x + (width - pair.output.shape[1] * cell) / 2, y + 0.16 + above + 0.32, cell)
    return y + 0.16 + above + 0.32 + below + 0.35


def _draw_tests(page: "_Page", lines: list[list[_Item]], cell: float, y: float) -> None:
    """A line for each test input: it, its true output and the attempts, in common columns."""
    widths = [
        max(max(_shape(line[i], line)[1] for line in lines if i < len(line)) * cell, 1.05)
        for i in range(max(map(len, lines)))
    ]
    for line in lines:
        x = 0.0
        height = max(_shape(item, line)[0] for item in line) * cell
        for index, item in enumerate(line):
            rows, columns = _shape(item, line)
            if index == 1:
                page.arrow(x - 0.33, y + 0.16 + height / 2, 0.2, 0)
            left = x + (widths[index] - columns * cell) / 2
            top = y + 0.16 + (height - rows * cell) / 2
            middle = x + widths[index] / 2
            page.text(middle, top - 0.16, item.title, size=8.5, colour=item.colour, align="center")
            page.item(item, left, top, cell, rows, columns)
            x += widths[index] + (0.46 if index == 0 else 0.4)
        y += 0.16 + height + 0.35


def _shape(item: _Item, items: list[_Item]) -> tuple[int, int]:
    """The cells that an item takes; an empty place is as large as the test input, which comes first."""
    grid = item.grid if item.grid is not None else items[0].grid
    assert grid is not None
    return grid.shape[0], grid.shape[1]


# Parts of a page.

_SLOT, _GAP, _LABEL, _GUTTER = 1.15, 0.2, 1.0, 0.6  # inches: a grid's place, between them, task id, columns
_TITLES = ("last demonstration", "", "test input", "attempt 1", "attempt 2", "true output")
_GROUPS = (0, 0.15, 0.35, 0.55, 0.55, 0.65)  # extra room before a column: what belongs together stands closer
_STRIP = _LABEL + len(_TITLES) * _SLOT + (len(_TITLES) - 1) * _GAP + _GROUPS[-1]


def _draw_section(
    page: "_Page", members: Sequence[tuple[Task, list[list[Grid | None]]]], columns: int, y: float
) -> float:
    """Lines of tasks, reading across; returns where the next section begins."""
    for column in range(min(columns, len(members))):
        left = column * (_STRIP + _GUTTER) + _LABEL
        for index, name in enumerate(_TITLES):
            x = left + index * (_SLOT + _GAP) + _GROUPS[index]
            width = 2 * _SLOT + _GAP + _GROUPS[1] if index == 0 else _SLOT
            page.text(x + width / 2, y, name, size=9, colour=FAINT, align="center")
    y += 0.2
    # A column is filled from above; a task goes where there is most room, so that columns end together.
    ends = [y] * columns
    for task, answered in members:
        column = min(range(columns), key=lambda index: ends[index])
        ends[column] = _draw_strip(page, task, answered, column * (_STRIP + _GUTTER), ends[column])
    return max(ends)


def _draw_strip(page: "_Page", task: Task, answered: list[list[Grid | None]], left: float, y: float) -> float:
    last = task.demonstrations[-1]
    for test, (pair, answers) in enumerate(zip(task.tests, answered, strict=True)):
        first, second = (*answers, None, None)[:2]
        demonstration = (last.input, last.output) if test == 0 else (None, None)
        cell = _cell([*demonstration, pair.input, pair.output, first, second], _SLOT, largest=0.15)
        items = [
            _Item("", demonstration[0]),
            _Item("", demonstration[1]),
            _Item("", pair.input),
            _answer("", first, pair.output),
            _answer("", second, pair.output),
            _Item("", pair.output),
        ]
        height = max(item.grid.shape[0] for item in items if item.grid is not None) * cell
        middle = y + height / 2
        if test == 0:
            page.text(left, middle - (0.09 if len(task.tests) > 1 else 0), task.id[:12], size=10, bold=True)
        if len(task.tests) > 1:
            page.text(
                left,
                middle + (0.09 if test == 0 else 0),
                f"test {test + 1} of {len(task.tests)}",
                size=8,
                colour=FAINT,
            )
        for index, item in enumerate(items):
            if index < 2 and item.grid is None:
                continue
            x = left + _LABEL + index * (_SLOT + _GAP) + _GROUPS[index]
            if index in (1, 3):
                page.arrow(x - (_GAP + _GROUPS[index] - _GROUPS[index - 1]) / 2 - 0.09, middle, 0.18, 0)
            rows, columns = _shape(item, [items[2]])
            page.item(item, x + (_SLOT - columns * cell) / 2, middle - rows * cell / 2, cell, rows, columns)
        y += height + 0.2
    return y + 0.1


# The paper.


@dataclass
class _Page:
    """A sheet that grows with what is put on it; inches, x to the right and y down."""

    marks: list[Any] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def reserve(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = INK,
        bold: bool = False,
        align: str = "left",
    ) -> None:
        def draw(axes: "Axes") -> None:
            axes.text(
                x,
                y,
                text,
                fontsize=size,
                color=colour,
                fontweight="bold" if bold else "normal",
                horizontalalignment=align,
                verticalalignment="center",
                parse_math=False,
            )

        room = len(text) * size * 0.0092  # what these letters take, near enough to size a sheet
        self.reserve(x + (room / 2 if align == "center" else room), y + size / 144)
        self.marks.append(draw)

    def grid(self, grid: Grid, x: float, y: float, cell: float) -> None:
        rows, columns = grid.shape
        width, height = columns * cell, rows * cell
        lines = [((x + c * cell, y), (x + c * cell, y + height)) for c in range(columns + 1)]
        lines += [((x, y + r * cell), (x + width, y + r * cell)) for r in range(rows + 1)]

        def draw(axes: "Axes") -> None:
            from matplotlib.collections import LineCollection

            axes.imshow(
                _rgb(grid),
                extent=(x, x + width, y + height, y),
                interpolation="nearest",
                aspect="auto",
                zorder=1,
            )
            thickness = min(0.8, cell * 5)
            axes.add_collection(
                LineCollection(lines, colors=LINE, linewidths=thickness, capstyle="projecting", zorder=2)
            )

        self.reserve(x + width, y + height)
        self.marks.append(draw)

    def item(self, item: _Item, x: float, y: float, cell: float, rows: int, columns: int) -> None:
        if item.grid is not None:
            self.grid(item.grid, x, y, cell)
            if item.frame:
                self.box(x, y, columns * cell, rows * cell, item.frame, margin=0.045, thickness=2.6)
        else:
            self.box(x, y, columns * cell, rows * cell, RULE, margin=0, thickness=1, dashed=True)
            self.text(x + columns * cell / 2, y + rows * cell / 2, "?", size=11, colour=FAINT, align="center")

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: str,
        margin: float,
        thickness: float,
        dashed: bool = False,
    ) -> None:
        def draw(axes: "Axes") -> None:
            from matplotlib.patches import Rectangle

            axes.add_patch(
                Rectangle(
                    (x - margin, y - margin),
                    width + 2 * margin,
                    height + 2 * margin,
                    fill=False,
                    edgecolor=colour,
                    linewidth=thickness,
                    linestyle=(0, (3, 3)) if dashed else "solid",
                    joinstyle="miter",
                    zorder=3,
                )
            )

        self.reserve(x + width + margin, y + height + margin)
        self.marks.append(draw)

    def arrow(self, x: float, y: float, right: float, down: float) -> None:
        def draw(axes: "Axes") -> None:
            axes.annotate(
                "",
                (x + right, y + down),
                xytext=(x, y),
                arrowprops={
                    "arrowstyle": "-|>,head_length=0.3,head_width=0.16",
                    "color": FAINT,
                    "linewidth": 1.1,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )

        self.reserve(x + right, y + down)
        self.marks.append(draw)

    def rule(self, y: float) -> None:
        def draw(axes: "Axes") -> None:
            axes.plot([0, self.width], [y, y], color=RULE, linewidth=1)

        self.marks.append(draw)

    def save(self, path: str | Path) -> None:
        margin = 0.25
        width, height = self.width + 2 * margin, self.height + 2 * margin
        figure = _figure()
        figure.set_size_inches(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        for draw in self.marks:
            draw(axes)
        axes.set_axis_off()
        axes.set_xlim(-margin, self.width + margin)
        axes.set_ylim(self.height + margin, -margin)
        _save(figure, path)


def _figure() -> "Figure":
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("pictures need matplotlib: pip install arckit-trm[pictures]") from None
    figure = Figure(facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: str | Path) -> None:
    """Write a picture whole or not at all."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"{path}: a picture's name ends in .png, .pdf or .svg")
    largest = max(figure.get_size_inches())
    dpi = min(DPI, 2**15 / largest)  # Agg draws no more than 2^16 pixels a side
    try:
        with tempfile.TemporaryDirectory(prefix=".arckit-", dir=path.parent) as temporary:
            written = Path(temporary) / path.name
            figure.savefig(written, format=suffix[1:], dpi=dpi)
            os.replace(written, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


# Values.


def _as_attempts(task: Task, attempts: Attempts | None) -> list[list[Grid | None]]:
    if attempts is None:
        return [[] for _ in task.tests]
    if len(attempts) != len(task.tests):
        raise InputError(f"task {task.id}: attempts for {len(attempts)} test inputs, expected {len(task.tests)}")
    return [
        [
            None if grid is None else as_grid(grid, f"task {task.id}: test {test}: attempt {number + 1}")
            for number, grid in enumerate(answers)
        ]
        for test, answers in enumerate(attempts)
    ]


def _answered(task: Task, submission: Mapping[str, Any]) -> list[list[Grid | None]]:
    """The attempts that a submission holds for a task; None for each that it does not."""
    entries = submission.get(task.id, [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InputError(f"task {task.id}: found {describe(entries)}, expected a list with an object a test input")
    entries = [*entries, *({} for _ in task.tests)][: len(task.tests)]
    return _as_attempts(task, [[entry.get("attempt_1"), entry.get("attempt_2")] for entry in entries])


def _equal(grid: Grid | None, truth: Grid | None) -> bool:
    return grid is not None and truth is not None and same(grid, truth)


def _cell(grids: Iterable[Grid | None], room: float, largest: float = 0.26) -> float:
    """A cell's side in inches, so that the largest of these grids fits into a square room."""
    return min(largest, room / max(max(grid.shape) for grid in grids if grid is not None))


def _wrap(widths: Sequence[float], gap: float, limit: float) -> list[list[tuple[int, float, float]]]:
    """Break columns into the fewest even lines no wider than the limit: (index, x, width) of each column."""
    for most in range(len(widths), 0, -1):
        lines = math.ceil(len(widths) / most)
        even = math.ceil(len(widths) / lines)
        wrapped = []
        for start in range(0, len(widths), even):
            x, line = 0.0, []
            for index, width in enumerate(widths[start : start + even], start):
                line.append((index, x, width))
                x += width + gap
            wrapped.append(line)
        if all(line[-1][1] + line[-1][2] <= limit for line in wrapped):
            return wrapped
    return [[(index, 0.0, width)] for index, width in enumerate(widths)]


def _rgb(grid: Grid) -> Any:
    import numpy as np

    palette = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in COLOURS], np.uint8)
    return palette[grid]  # (h, w, 3)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _smooth(values: Sequence[float]) -> list[float]:
    """The mean over a fiftieth of the run to either side, less at the ends."""
    reach = len(values) // 50
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _apart(values: Sequence[float], distance: float) -> list[float]:
    """The values moved so that neighbours keep a distance: where labels go that would lie on each other."""
    placed = [0.0] * len(values)
    above = -math.inf
    for index in sorted(range(len(values)), key=lambda index: values[index]):
        above = placed[index] = max(values[index], above + distance)
    return placed
