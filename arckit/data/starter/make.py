"""The starter set: families of original tasks, and the script that writes the committed files.

A family is a function that draws a rule; a rule draws pairs. `python -m arckit.data.starter.make` rewrites
the JSON beside this file byte for byte, and `make_task` gives as many more tasks as one wants.

Only `Generator.random` and `Generator.integers` are used: numpy may yet change what its other methods draw.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.random import Generator, Philox

Pair = tuple[np.ndarray, np.ndarray]
Box = tuple[slice, slice]

SEED = 2025
MAX_SIDE = 6  # of any grid: a small canvas is what makes the set learnable in minutes on a laptop
FOLDER = Path(__file__).parent

# Training tasks and evaluation tasks of each family.
COUNTS = {
    "halo": (4, 2),
    "enclosed": (4, 2),
    "frame": (4, 2),
    "rays": (4, 2),
    "hollow": (4, 2),
    "diagonals": (4, 1),
    "gravity": (4, 1),
    "mirror": (4, 1),
    "connect": (4, 1),
    "shift": (4, 1),
    "denoise": (4, 1),
    "marked": (4, 1),
    "double": (4, 1),
    "scale": (4, 1),
    "halves": (4, 1),
}

KINDS = {
    "halo": ("sides", "corners", "ring"),
    "enclosed": ("inside", "outside"),
    "frame": ("border", "border and corners"),
    "rays": ("one way", "both ways", "cross"),
    "hollow": ("emptied", "painted", "corners"),
    "diagonals": ("one way", "both ways", "cross"),
    "gravity": ("all", "apart"),
    "mirror": ("half", "axis", "quarter"),
    "connect": ("rows", "rows and columns"),
    "shift": ("off the edge", "round"),
    "denoise": ("erased", "marked", "specks"),
    "marked": ("fill", "keep"),
    "double": ("mirrored", "repeated", "all round"),
    "scale": ("full", "diagonal", "shaded"),
    "halves": ("both", "any", "one"),
}


@dataclass(frozen=True)
class Rule:
    """What all pairs of a task have in common.

    `draw` gives a pair as it looks before turning, or None where the layout it drew shows nothing. Two rules
    of a family are equal when kind, colours and turn are; the kind is what symmetry and recolouring leave.
    """

    kind: str
    colours: tuple[int, ...]
    draw: Callable[[Generator], Pair | None] = field(compare=False)
    turn: int = 0  # quarter turns anticlockwise, for rules with a direction

    def pairs(self, rng: Generator) -> Iterator[Pair]:
        """Endless pairs, each of which changes something and leaves something."""
        while True:
            pair = self.draw(rng)
            if pair is not None and pair[1].any() and not np.array_equal(*pair):
                yield np.rot90(pair[0], self.turn), np.rot90(pair[1], self.turn)


@dataclass(frozen=True)
class Made:
    """A task of the starter set with where it came from."""

    task_id: str
    family: str
    rule: Rule
    task: dict


# --- drawing --------------------------------------------------------------------------------------


def pick(rng: Generator, options: Sequence):
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def draw_colours(rng: Generator, count: int) -> tuple[int, ...]:
    """Different colours out of 1..9."""
    return tuple(int(i) + 1 for i in np.argsort(rng.random(9), kind="stable")[:count])


def draw_blank(rng: Generator, low: int = 4, high: int = MAX_SIDE) -> np.ndarray:
    """An empty grid, rather small than large: small grids are quick to learn from."""
    sides = [side for side in (3, 4, 4, 5, 5, 5, 6, 6) if low <= side <= high]
    return np.zeros((pick(rng, sides), pick(rng, sides)), dtype=int)


def scatter(rng: Generator, height: int, width: int, palette: Sequence[int], density: float) -> np.ndarray:
    """A grid whose cells are filled with that probability, each with a colour of the palette."""
    filled = rng.random((height, width)) < density
    return np.where(filled, np.array(palette)[rng.integers(len(palette), size=(height, width))], 0)


def draw_cells(rng: Generator, shape: tuple[int, int], count: int, apart: int = 1) -> list[tuple[int, int]]:
    """Up to `count` cells, any two of them at least `apart` king's moves from each other."""
    cells = []
    for i in np.argsort(rng.random(shape[0] * shape[1]), kind="stable"):
        row, column = divmod(int(i), shape[1])
        if len(cells) < count and all(max(abs(row - r), abs(column - c)) >= apart for r, c in cells):
            cells.append((row, column))
    return cells


def draw_lone(rng: Generator, grid: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Up to `count` empty cells that touch nothing, nor each other."""
    taken = np.pad(grid, 1) != 0
    cells = draw_cells(rng, grid.shape, 4 * count, apart=2)
    return [(r, c) for r, c in cells if not taken[r : r + 3, c : c + 3].any()][:count]


def draw_boxes(rng: Generator, shape: tuple[int, int], count: int, low: int, high: int) -> list[Box]:
    """Up to `count` boxes with sides low..high that do not touch, not even at corners."""
    boxes = []
    free = np.ones(shape, dtype=bool)
    for _ in range(12):
        height, width = (int(side) for side in rng.integers(low, high + 1, size=2))
        if height > shape[0] or width > shape[1] or len(boxes) == count:
            continue
        r = int(rng.integers(shape[0] - height + 1))
        c = int(rng.integers(shape[1] - width + 1))
        if free[r : r + height, c : c + width].all():
            boxes.append((slice(r, r + height), slice(c, c + width)))
            free[max(r - 1, 0) : r + height + 1, max(c - 1, 0) : c + width + 1] = False
    return boxes


def inside(box: Box) -> Box:
    """The box without its rim."""
    rows, columns = box
    return slice(rows.start + 1, rows.stop - 1), slice(columns.start + 1, columns.stop - 1)


def shoot(grid: np.ndarray, row: int, column: int, down: int, right: int, colour: int) -> None:
    """Paint from the next cell in that direction to the edge."""
    row, column = row + down, column + right
    while 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
        grid[row, column] = colour
        row, column = row + down, column + right


# --- families: what is drawn stays as large as it was ---------------------------------------------

SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def halo(rng: Generator) -> Rule:
    """Lone cells get neighbours: beside them, at their corners, or all around."""
    kind = pick(rng, KINDS["halo"])
    a, b = draw_colours(rng, 2)
    steps = {"sides": SIDES, "corners": CORNERS, "ring": SIDES + CORNERS}[kind]

    def draw(rng):
        grid = draw_blank(rng)
        cells = draw_cells(rng, grid.shape, int(rng.integers(1, 5)), apart=3)
        answer = grid.copy()
        for row, column in cells:
            grid[row, column] = answer[row, column] = a
            for down, right in steps:
                if 0 <= row + down < grid.shape[0] and 0 <= column + right < grid.shape[1]:
                    answer[row + down, column + right] = b
        return grid, answer

    return Rule(kind, (a, b), draw)


def enclosed(rng: Generator) -> Rule:
    """What an outline encloses is filled, or everything else is."""
    kind = pick(rng, KINDS["enclosed"])
    a, b = draw_colours(rng, 2)

    def draw(rng):
        grid = draw_blank(rng, 5)
        boxes = draw_boxes(rng, grid.shape, int(rng.integers(1, 4)), 3, 5)
        for box in boxes:
            grid[box] = a
        strays = draw_lone(rng, grid, 2) if kind == "inside" else []
        answer = grid.copy() if kind == "inside" else np.where(grid == 0, b, grid)
        for box in boxes:
            grid[inside(box)] = 0
            answer[inside(box)] = b if kind == "inside" else 0
        for cell in strays:
            grid[cell] = answer[cell] = a
        return grid, answer

    return Rule(kind, (a, b), draw)


def frame(rng: Generator) -> Rule:
    """The border of the grid is painted over, its corners perhaps in a colour of their own."""
    kind = pick(rng, KINDS["frame"])
    p, q, a, b = draw_colours(rng, 4)

    def draw(rng):
        height, width = draw_blank(rng).shape
        grid = scatter(rng, height, width, (p, q), 0.25)
        answer = np.full_like(grid, a)
        answer[1:-1, 1:-1] = grid[1:-1, 1:-1]
        if kind == "border and corners":
            answer[np.ix_([0, -1], [0, -1])] = b
        return grid, answer

    return Rule(kind, (p, q, a, b) if kind == "border and corners" else (p, q, a), draw)


def rays(rng: Generator) -> Rule:
    """Cells are drawn out into lines to the edge: one way, both ways, or as crosses."""
    kind = pick(rng, KINDS["rays"])
    turn = int(rng.integers({"one way": 4, "both ways": 2, "cross": 1}[kind]))
    a, b = draw_colours(rng, 2)
    steps = {"one way": SIDES[:1], "both ways": SIDES[:2], "cross": SIDES}[kind]

    def draw(rng):
        grid = draw_blank(rng)
        cells = draw_cells(rng, grid.shape, int(rng.integers(1, 3 if kind == "cross" else 4)))
        if len({row for row, _ in cells}) < len(cells) or len({column for _, column in cells}) < len(cells):
            return None
        return _drawn_out(grid, cells, steps, a, b)

    return Rule(kind, (a, b), draw, turn)


def _drawn_out(grid: np.ndarray, cells: list[tuple[int, int]], steps: Sequence, a: int, b: int) -> Pair:
    """Cells of one colour on the grid, and lines from them in the other, under the cells where they meet."""
    answer = grid.copy()
    for row, column in cells:
        for down, right in steps:
            shoot(answer, row, column, down, right, b)
    for cell in cells:
        grid[cell] = answer[cell] = a
    return grid, answer


def diagonals(rng: Generator) -> Rule:
    """As `rays`, along diagonals."""
    kind = pick(rng, KINDS["diagonals"])
    turn = int(rng.integers({"one way": 4, "both ways": 2, "cross": 1}[kind]))
    a, b = draw_colours(rng, 2)
    steps = {"one way": ((-1, 1),), "both ways": ((-1, 1), (1, -1)), "cross": CORNERS}[kind]

    def draw(rng):
        grid = draw_blank(rng)
        cells = draw_cells(rng, grid.shape, int(rng.integers(1, 3)), apart=2)
        return _drawn_out(grid, cells, steps, a, b)

    return Rule(kind, (a, b), draw, turn)


def hollow(rng: Generator) -> Rule:
    """A part of every filled rectangle changes: its inside is emptied or painted, or its corners are."""
    kind = pick(rng, KINDS["hollow"])
    a, b = draw_colours(rng, 2)

    def draw(rng):
        grid = draw_blank(rng, 4 if kind == "corners" else 5)
        boxes = draw_boxes(rng, grid.shape, int(rng.integers(1, 4)), 2, 5)
        answer = grid.copy()
        for box in boxes:
            grid[box] = answer[box] = a
            if kind == "corners":
                corners = answer[box]
                corners[np.ix_([0, -1], [0, -1])] = b
            else:
                answer[inside(box)] = b if kind == "painted" else 0
        return grid, answer

    return Rule(kind, (a,) if kind == "emptied" else (a, b), draw)


def gravity(rng: Generator) -> Rule:
    """Cells fall as far as they can, or those of one colour fall and the others rise."""
    kind = pick(rng, KINDS["gravity"])
    turn = int(rng.integers(4))
    a, b = draw_colours(rng, 2)

    def draw(rng):
        height, width = draw_blank(rng).shape
        grid = scatter(rng, height, width, (a, b), 0.25)
        rising = b if kind == "apart" else -1
        columns = [[*line[line == rising], *line[line == 0], *line[(line > 0) & (line != rising)]] for line in grid.T]
        return grid, np.array(columns).T

    return Rule(kind, (a, b), draw, turn)


def mirror(rng: Generator) -> Rule:
    """The empty part mirrors the other: over the edge between them, over a drawn axis, or over two edges."""
    kind = pick(rng, KINDS["mirror"])
    turn = int(rng.integers(4))
    p, q, axis = draw_colours(rng, 3)

    def draw(rng):
        height = 2 if kind == "axis" else pick(rng, (2, 3, 3))
        width = pick(rng, (2, 3, 3)) if kind == "quarter" else pick(rng, (3, 4, 5, 6))
        part = scatter(rng, height, width, (p, q), 0.5)
        if np.count_nonzero(part) < 2:
            return None
        whole = part
        if kind == "quarter":
            part, whole = np.hstack([part, np.zeros_like(part)]), np.hstack([part, part[:, ::-1]])
        line = np.full((1 if kind == "axis" else 0, part.shape[1]), axis)
        return np.vstack([part, line, np.zeros_like(part)]), np.vstack([whole, line, whole[::-1]])

    return Rule(kind, (p, q, axis) if kind == "axis" else (p, q), draw, turn)


def connect(rng: Generator) -> Rule:
    """Cells that see each other are joined: along rows, or along rows and columns."""
    kind = pick(rng, KINDS["connect"])
    turn = int(rng.integers(2)) if kind == "rows" else 0
    a, b = draw_colours(rng, 2)

    def draw(rng):
        grid = draw_blank(rng)
        for cell in draw_cells(rng, grid.shape, int(rng.integers(3, 6)), apart=2):
            grid[cell] = a
        answer = grid.copy()
        _join(grid, answer, b)
        if kind == "rows and columns":
            _join(grid.T, answer.T, b)
        return grid, answer

    return Rule(kind, (a, b), draw, turn)


def _join(grid: np.ndarray, answer: np.ndarray, colour: int) -> None:
    """Paint between neighbours in every row."""
    for row, line in enumerate(grid):
        for left, right in pairwise(np.flatnonzero(line)):
            answer[row, left + 1 : right] = colour


def shift(rng: Generator) -> Rule:
    """Everything moves a step down; what leaves is lost, or comes in at the top."""
    kind = pick(rng, KINDS["shift"])
    turn = int(rng.integers(4))
    a, b = draw_colours(rng, 2)

    def draw(rng):
        height, width = draw_blank(rng, 3).shape
        grid = scatter(rng, height, width, (a, b), 0.5)
        answer = np.roll(grid, 1, axis=0)
        if kind == "off the edge":
            answer[0] = 0
        return grid, answer

    return Rule(kind, (a, b), draw, turn)


def denoise(rng: Generator) -> Rule:
    """Lone cells are erased or marked, or a rectangle and the ground around it are cleaned of specks."""
    kind = pick(rng, KINDS["denoise"])
    a, b = draw_colours(rng, 2)

    def draw(rng):
        grid = draw_blank(rng, 5)
        if kind == "specks":
            boxes = draw_boxes(rng, grid.shape, 1, 4, 6)
            for box in boxes:
                grid[box] = a
            answer = grid.copy()
            for cell in draw_cells(rng, grid.shape, int(rng.integers(2, 6)), apart=2):
                grid[cell] = b
            hidden = (grid == b) & (answer == a)
            shown = hidden.any() and ((grid == b) & (answer == 0)).any() and boxes
            return (grid, answer) if shown else None
        boxes = draw_boxes(rng, grid.shape, int(rng.integers(1, 3)), 2, 4)
        for box in boxes:
            grid[box] = pick(rng, (a, b)) if kind == "erased" else a
        answer = grid.copy()
        for cell in draw_lone(rng, grid, int(rng.integers(1, 5))):
            grid[cell] = pick(rng, (a, b)) if kind == "erased" else a
            answer[cell] = 0 if kind == "erased" else b
        return grid, answer

    return Rule(kind, (a, b), draw)


def marked(rng: Generator) -> Rule:
    """In rows that start with a mark the gaps are filled, or only those rows are kept."""
    kind = pick(rng, KINDS["marked"])
    turn = int(rng.integers(4))
    mark, a, b, fill = draw_colours(rng, 4)

    def draw(rng):
        height, width = draw_blank(rng).shape
        marks = rng.random(height) < 0.4
        body = scatter(rng, height, width - 1, (a, b), 0.7)
        if not 0 < marks.sum() < height:
            return None
        answer = body.copy()
        if kind == "fill":
            answer[marks] = np.where(body == 0, fill, body)[marks]
        else:
            answer[~marks] = 0
        start = np.where(marks, mark, 0)[:, None]
        return np.hstack([start, body]), np.hstack([start, answer])

    return Rule(kind, (mark, a, b, fill) if kind == "fill" else (mark, a, b), draw, turn)


# --- families: the answer has another size --------------------------------------------------------


def double(rng: Generator) -> Rule:
    """The grid and beside it its mirror image, itself again, or mirror images all the way round."""
    kind = pick(rng, KINDS["double"])
    turn = int(rng.integers({"mirrored": 4, "repeated": 2, "all round": 4}[kind]))
    p, q = draw_colours(rng, 2)

    def draw(rng):
        width = pick(rng, (2, 3, 3))
        height = pick(rng, (2, 3, 3)) if kind == "all round" else pick(rng, (3, 4, 5, 6))
        grid = scatter(rng, height, width, (p, q), 0.6)
        answer = np.hstack([grid, grid if kind == "repeated" else grid[:, ::-1]])
        return grid, np.vstack([answer, answer[::-1]]) if kind == "all round" else answer

    return Rule(kind, (p, q), draw, turn)


def scale(rng: Generator) -> Rule:
    """Every cell becomes two by two cells: all of its colour, only a diagonal, or with one cell shaded."""
    kind = pick(rng, KINDS["scale"])
    turn = int(rng.integers({"full": 1, "diagonal": 2, "shaded": 4}[kind]))
    p, q, shade = draw_colours(rng, 3)
    stamps = {"full": [[1, 1], [1, 1]], "diagonal": [[1, 0], [0, 1]], "shaded": [[0, 1], [1, 1]]}
    stamp = np.array(stamps[kind])

    def draw(rng):
        grid = scatter(rng, pick(rng, (2, 3, 3)), pick(rng, (2, 3, 3)), (p, q), 0.6)
        answer = np.kron(grid, stamp)
        if kind == "shaded":
            answer += shade * np.kron(grid > 0, 1 - stamp)
        return grid, answer

    return Rule(kind, (p, q, shade) if kind == "shaded" else (p, q), draw, turn)


def halves(rng: Generator) -> Rule:
    """Two halves beside a line, laid over each other: where both, any, or just one is filled."""
    kind = pick(rng, KINDS["halves"])
    turn = int(rng.integers(4))
    a, b, line, c = draw_colours(rng, 4)

    def draw(rng):
        height = int(rng.integers(3, MAX_SIDE + 1))
        left, right = scatter(rng, height, 2, (a,), 0.5), scatter(rng, height, 2, (b,), 0.5)
        first, second = left > 0, right > 0
        filled = {"both": first & second, "any": first | second, "one": first ^ second}[kind]
        return np.hstack([left, np.full((height, 1), line), right]), np.where(filled, c, 0)

    return Rule(kind, (a, b, line, c), draw, turn)


FAMILIES: dict[str, Callable[[Generator], Rule]] = {
    "halo": halo,
    "enclosed": enclosed,
    "frame": frame,
    "rays": rays,
    "hollow": hollow,
    "diagonals": diagonals,
    "gravity": gravity,
    "mirror": mirror,
    "connect": connect,
    "shift": shift,
    "denoise": denoise,
    "marked": marked,
    "double": double,
    "scale": scale,
    "halves": halves,
}


# --- tasks ----------------------------------------------------------------------------------------


def make_task(family: str, rng: Generator) -> dict:
    """A task of this family under a rule drawn anew, as in an ARC file, the tests with their outputs."""
    return draw_task(FAMILIES[family](rng), rng)


def draw_task(rule: Rule, rng: Generator) -> dict:
    """Five to seven demonstrations and one or two tests that the demonstrations prepare for."""
    demonstrations, tests = pick(rng, (5, 6, 6, 7)), pick(rng, (1, 1, 1, 2))
    pairs = rule.pairs(rng)
    while True:
        drawn = [next(pairs) for _ in range(demonstrations + tests)]
        if _is_fair(rule, drawn[:demonstrations], drawn[demonstrations:]):
            as_json = [{"input": x.tolist(), "output": y.tolist()} for x, y in drawn]
            return {"train": as_json[:demonstrations], "test": as_json[demonstrations:]}


def _is_fair(rule: Rule, demonstrations: list[Pair], tests: list[Pair]) -> bool:
    """No input twice, and every colour seen on its side before, those of the rule at least twice."""
    inputs = {(x.shape, x.tobytes()) for x, _ in demonstrations + tests}
    before = [set().union(*(pair[side].flat for pair in demonstrations)) for side in (0, 1)]
    seen = Counter(int(v) for x, y in demonstrations for v in {*x.flat, *y.flat})
    return (
        len(inputs) == len(demonstrations) + len(tests)
        and all(before[side] >= set(pair[side].flat) for pair in tests for side in (0, 1))
        and all(seen[colour] >= 2 for colour in rule.colours)
    )


def recolours_to(grid: np.ndarray, target: np.ndarray) -> bool:
    """Whether some mapping of colours, injective or not, turns the one grid into the other."""
    if grid.shape != target.shape:
        return False
    return len({*zip(grid.flat, target.flat, strict=True)}) == len({*grid.flat})


def is_shortcut(task: dict) -> bool:
    """Whether recolouring (or copying) its input or a demonstration's output answers a test."""
    known = [np.array(pair["output"]) for pair in task["train"]]
    return any(
        recolours_to(grid, np.array(pair["output"]))
        for pair in task["test"]
        for grid in [np.array(pair["input"]), *known]
    )


def pair_key(pair: dict) -> tuple:
    """Equal for two pairs when a symmetry and a permutation of the colours turn one into the other."""
    keys = []
    for flip in (False, True):
        for turn in range(4):
            grids = [np.array(pair[side]) for side in ("input", "output")]
            grids = [np.rot90(np.flipud(grid) if flip else grid, turn) for grid in grids]
            names: dict[int, int] = {}
            flat = [names.setdefault(int(v), len(names)) for grid in grids for v in grid.flat]
            keys.append((*(grid.shape for grid in grids), *flat))
    return min(keys)


# --- the set --------------------------------------------------------------------------------------


def draw_starter_set(seed: int) -> tuple[list[Made], list[Made]]:
    """Training and evaluation tasks.

    No rule and, up to symmetry and recolouring, no pair occurs twice anywhere. Every kind of rule that is
    evaluated is also trained, and no evaluation task has a shortcut.
    """
    seen: set[tuple] = set()
    rules: dict[str, list[Rule]] = {family: [] for family in COUNTS}
    training, evaluation = [], []
    for evaluating, made in enumerate((training, evaluation)):
        for family, counts in COUNTS.items():
            kinds: Counter[str] = Counter()
            for index in range(counts[evaluating]):
                name = f"{seed}/{('training', 'evaluation')[evaluating]}/{family}/{index}"
                digest = hashlib.sha256(name.encode()).digest()
                # One stream a task: adding a family leaves the others' tasks as they were.
                rng = Generator(Philox(int.from_bytes(digest[:8], "big")))
                while True:
                    rule = FAMILIES[family](rng)
                    if rule in rules[family] or kinds[rule.kind] > min(kinds[kind] for kind in KINDS[family]):
                        continue  # all kinds once before any kind twice
                    task = draw_task(rule, rng)
                    keys = {pair_key(pair) for pair in task["train"] + task["test"]}
                    new = len(keys) == len(task["train"] + task["test"]) and seen.isdisjoint(keys)
                    if new and not (evaluating and is_shortcut(task)):
                        break
                kinds[rule.kind] += 1
                rules[family].append(rule)
                seen.update(keys)
                made.append(Made(digest.hex()[:8], family, rule, task))
    return training, evaluation


def make_starter_set(seed: int) -> tuple[dict[str, dict], dict[str, dict]]:
    """Training and evaluation tasks by task id."""
    training, evaluation = draw_starter_set(seed)
    return {made.task_id: made.task for made in training}, {made.task_id: made.task for made in evaluation}


def write_starter_set(folder: str | Path = FOLDER) -> None:
    """Write Kaggle's four files, and `families.json`: the family of each task id."""
    families = {}
    for split, made in zip(("training", "evaluation"), draw_starter_set(SEED), strict=True):
        tasks = {one.task_id: one.task for one in sorted(made, key=lambda one: one.task_id)}
        families |= {one.task_id: one.family for one in made}
        challenges = {
            task_id: {"train": task["train"], "test": [{"input": pair["input"]} for pair in task["test"]]}
            for task_id, task in tasks.items()
        }
        solutions = {task_id: [pair["output"] for pair in task["test"]] for task_id, task in tasks.items()}
        _write(Path(folder) / f"arc-agi_{split}_challenges.json", challenges)
        _write(Path(folder) / f"arc-agi_{split}_solutions.json", solutions)
    _write(Path(folder) / "families.json", dict(sorted(families.items())))


def _write(path: Path, content: dict) -> None:
    path.write_bytes(json.dumps(content, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    write_starter_set()
