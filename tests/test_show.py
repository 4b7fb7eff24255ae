import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from arckit import show
from arckit.data.grid import to_json
from arckit.data.task import Pair, Task, TaskSet
from arckit.errors import InputError


def grid(*rows):
    return np.array(rows, np.uint8)


def a_task(task_id="abc", tests=1, solved=True):
    output = grid([1, 2], [3, 4], [5, 6])
    test = Pair(grid([7, 8, 9]), output if solved else None)
    return Task(task_id, (Pair(grid([0, 1]), grid([1], [0])), Pair(grid([2]), grid([3]))), (test,) * tests)


def size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def has(path, colour):
    """How many pixels of a picture have exactly this colour."""
    from matplotlib.image import imread

    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.round(imread(path)[..., :3] * 255).astype(int) == wanted).all(axis=-1).sum())


RIGHT_ANSWER, WRONG_ANSWER = grid([1, 2], [3, 4], [5, 6]), grid([1, 2], [3, 4], [5, 7])


def test_a_task_is_drawn_in_arcs_colours(tmp_path):
    show.draw_task(a_task(), tmp_path / "x.png")
    for colour in show.COLOURS:
        assert has(tmp_path / "x.png", colour) > 100, colour


def test_a_right_attempt_is_framed_green_and_a_wrong_one_red(tmp_path):
    path = tmp_path / "x.png"
    show.draw_task(a_task(), path, [[RIGHT_ANSWER, WRONG_ANSWER]])
    assert has(path, show.RIGHT) > 100
    assert has(path, show.WRONG) > 100
    show.draw_task(a_task(), path, [[to_json(RIGHT_ANSWER), RIGHT_ANSWER]])
    assert has(path, show.WRONG) == 0
    show.draw_task(a_task(solved=False), path, [[RIGHT_ANSWER, WRONG_ANSWER]])
    assert has(path, show.WRONG) == has(path, show.RIGHT) == 0


def test_a_picture_grows_with_its_content(tmp_path):
    show.draw_task(a_task(), tmp_path / "small.png")
    show.draw_task(a_task(tests=3), tmp_path / "tall.png", [[RIGHT_ANSWER, None]] * 3)
    small, tall = size(tmp_path / "small.png"), size(tmp_path / "tall.png")
    assert tall[0] > small[0]
    assert tall[1] > small[1]


def test_a_large_task_of_many_demonstrations_stays_on_a_page(tmp_path):
    big = np.zeros((30, 30), np.uint8)
    show.draw_task(Task("big", (Pair(big, big),) * 10, (Pair(big, None),)), tmp_path / "x.png")
    width, height = size(tmp_path / "x.png")
    assert width < 13.6 * show.DPI
    assert height < 24 * show.DPI


def test_attempts_for_another_number_of_test_inputs_are_refused(tmp_path):
    with pytest.raises(InputError, match="task abc: attempts for 2 test inputs, expected 1"):
        show.draw_task(a_task(), tmp_path / "x.png", [[RIGHT_ANSWER], [RIGHT_ANSWER]])


def test_an_attempt_that_is_no_grid_is_refused(tmp_path):
    with pytest.raises(InputError, match="task abc: test 0: attempt 2: found an empty list"):
        show.draw_task(a_task(), tmp_path / "x.png", [[RIGHT_ANSWER, []]])
    assert list(tmp_path.iterdir()) == []


def headings(monkeypatch, tmp_path, tasks, submission):
    texts = []
    put = show._Page.text
    monkeypatch.setattr(
        show._Page,
        "text",
        lambda page, x, y, text, *a, **k: (texts.append(text), put(page, x, y, text, *a, **k)),
    )
    show.draw_tasks(tasks, submission, tmp_path / "x.png", "a title")
    return texts


def test_the_page_counts_a_task_as_solved_if_every_output_is_among_its_attempts(tmp_path, monkeypatch):
    tasks = TaskSet((a_task("none"), a_task("half", tests=2), a_task("all", tests=2), a_task("absent")))
    right = {"attempt_1": to_json(WRONG_ANSWER), "attempt_2": to_json(RIGHT_ANSWER)}
    wrong = {"attempt_1": to_json(WRONG_ANSWER), "attempt_2": to_json(WRONG_ANSWER)}
    texts = headings(monkeypatch, tmp_path, tasks, {"none": [wrong], "half": [right, wrong], "all": [right, right]})
    assert texts[0] == "a title"
    order = [text for text in texts if text in ("solved 1 of 4", "unsolved 3 of 4", *tasks.ids)]
    assert order[:3] == ["solved 1 of 4", "all", "unsolved 3 of 4"]
    assert sorted(order[3:]) == ["absent", "half", "none"]


def test_a_page_without_true_outputs_claims_nothing_solved(tmp_path, monkeypatch):
    texts = headings(monkeypatch, tmp_path, TaskSet((a_task(solved=False),)), {})
    assert "true output unknown 1 of 1" in texts
    assert not any(text.startswith(("solved", "unsolved")) for text in texts)


def test_a_page_where_nothing_is_solved_says_so(tmp_path, monkeypatch):
    assert "solved 0 of 1" in headings(monkeypatch, tmp_path, TaskSet((a_task(),)), {})


@pytest.mark.parametrize("entries", ["x", {"attempt_1": [[1]]}, [1], None])
def test_a_submission_of_another_shape_is_refused(tmp_path, entries):
    with pytest.raises(InputError, match="task abc: found"):
        show.draw_tasks(TaskSet((a_task(),)), {"abc": entries}, tmp_path / "x.png")


METRICS = [
    {"step": step, "loss": 2 / step, "exact_accuracy": step / 100, "accuracy": 0.5, "lr": 1e-4, "note": "x"}
    for step in range(1, 60)
]


def test_a_curve_is_drawn_from_metrics_as_they_are_written(tmp_path):
    lines = [json.loads(json.dumps(row)) for row in METRICS]
    lines[10]["loss"] = float("nan")
    lines[11]["loss"] = None
    del lines[12]["exact_accuracy"]
    show.draw_curve(lines, tmp_path / "x.png", "a title")
    assert has(tmp_path / "x.png", "#0074D9") > 100
    show.draw_curve(METRICS[:1], tmp_path / "one.png")
    show.draw_curve([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], tmp_path / "loss.png")
    assert size(tmp_path / "loss.png")[1] < size(tmp_path / "x.png")[1]


@pytest.mark.parametrize("metrics", [[], [{"step": 1}], [{"loss": 1.0}], [{"step": 1, "loss": float("inf")}]])
def test_a_curve_without_a_value_is_refused(tmp_path, metrics):
    with pytest.raises(InputError, match="nothing to draw"):
        show.draw_curve(metrics, tmp_path / "x.png")


@pytest.mark.parametrize("name", ["x.pdf", "x.svg", "X.PNG"])
def test_other_formats_go_by_the_files_name(tmp_path, name):
    show.draw_task(a_task(), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["x", "x.jpg", "nowhere/x.png"])
def test_a_path_that_cannot_hold_a_picture_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"a picture's name ends in|cannot be written"):
        show.draw_task(a_task(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def full(figure, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "x.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(InputError, match="No space left on device"):
        show.draw_task(a_task(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_matplotlib_is_said_in_one_line(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: show.draw_task(a_task(), tmp_path / "x.png"),
        lambda: show.draw_tasks(TaskSet((a_task(),)), {}, tmp_path / "x.png"),
        lambda: show.draw_curve(METRICS, tmp_path / "x.png"),
    ):
        with pytest.raises(InputError, match=r"pip install arckit-trm\[pictures\]"):
            draw()


def test_pictures_leave_pyplot_alone(tmp_path):
    code = (
        "import sys, arckit.show as show; assert 'matplotlib' not in sys.modules; "
        f"show.draw_curve([{{'step': 1, 'loss': 1.0}}], {str(tmp_path / 'x.png')!r}); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
