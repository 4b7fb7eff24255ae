"""The command line: what it prints, and what wrong input gets: one line on stderr, exit code 2, nothing written."""

import json
import sys

import pytest

from arckit import cli
from arckit.answers.submission import build_submission, write_submission
from arckit.answers.vote import Ballot
from arckit.data.corpus import STARTER, load, read_dataset
from arckit.data.task import read_tasks

CHALLENGES = str(STARTER / "arc-agi_evaluation_challenges.json")
SOLUTIONS = str(STARTER / "arc-agi_evaluation_solutions.json")
TASKS = load("starter/evaluation")
SOLVE = ["solve", "--challenges", CHALLENGES, "--out", "OUT", "--time-limit", "5"]


@pytest.fixture
def arckit(monkeypatch, capsys):
    """Run the command in this process: its exit code, what it printed, and what it said on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["arckit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def submission(tmp_path):
    """The true outputs as first attempts, but for the first task's."""
    entries = build_submission(TASKS.without_solutions(), Ballot())
    for task in TASKS[1:]:
        for entry, pair in zip(entries[task.id], task.tests, strict=True):
            assert pair.output is not None
            entry["attempt_1"] = pair.output.tolist()
    write_submission(tmp_path / "submission.json", entries)
    return tmp_path / "submission.json"


def test_every_command_says_what_it_is_for(arckit):
    code, out, _ = arckit("--help")
    assert code == 0
    for command in ("demo", "data", "train", "solve", "check", "score", "show", "release"):
        assert f" {command} " in out


def test_a_valid_submission_is_one_line(arckit, submission):
    code, out, err = arckit("check", submission, "--challenges", CHALLENGES)
    assert (code, out.count("\n"), err) == (0, 1, "")
    assert "valid, 20 tasks" in out


def test_the_score_has_exactly_these_keys(arckit, submission):
    code, out, _ = arckit("score", submission, "--challenges", CHALLENGES, "--solutions", SOLUTIONS, "--json")
    assert code == 0
    score = json.loads(out)
    assert list(score) == ["task_mean", "outputs_correct", "outputs", "tasks_solved", "tasks"]
    assert score["task_mean"] == pytest.approx(19 / 20)
    assert score["tasks_solved"] == 19


def test_a_missing_task_counts_as_wrong_and_is_named(arckit, submission):
    entries = json.loads(submission.read_text())
    del entries[TASKS[1].id]
    write_submission(submission, entries)
    code, out, err = arckit("score", submission, "--challenges", CHALLENGES, "--solutions", SOLUTIONS)
    assert code == 0
    assert "tasks solved 18 of 20" in out
    assert TASKS[1].id in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([*SOLVE, "--challenges", "nowhere.json"], "nowhere.json: there is no such file"),
        ([*SOLVE, "--tasks", "zzz"], "no task 'zzz'"),
        ([*SOLVE, "--recipe", "big"], "no recipe 'big'"),
        (["solve", "--challenges", CHALLENGES, "--out", "OUT"], "neither steps nor a time limit"),
        ([*SOLVE, "--time-limit", "-1"], "Invalid value"),
        ([*SOLVE, "--solutions", CHALLENGES], "expected a list of output grids"),
        (["train", "--out", "OUT", "--data", "starter/nothing", "--steps", "1"], "starter/nothing"),
        (["train", "--out", "OUT", "--recipe", "smoke"], "neither steps nor a time limit"),
        (["show", "zzz", "--challenges", CHALLENGES, "--out", "OUT"], "no task 'zzz'"),
        (["data", "info", "nothing/at-all"], "nothing/at-all"),
        (["data", "export", "starter/training", "--to", "OUT", "--format", "csv"], "expected arrow or parquet"),
        (["release", "info", "nowhere"], "nowhere: there is no such release folder"),
        (["score", CHALLENGES, "--challenges", CHALLENGES], "is not known"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_line_and_writes_nothing(arckit, tmp_path, arguments, expected):
    out = tmp_path / "out.json"
    code, _, err = arckit(*[str(out) if argument == "OUT" else argument for argument in arguments])
    assert code == 2
    assert expected in err
    assert "Traceback" not in err
    assert not out.exists()


def test_a_time_limit_too_short_leaves_a_valid_submission_and_a_warning(arckit, tmp_path):
    out = tmp_path / "submission.json"
    arguments = ("--challenges", CHALLENGES, "--solutions", SOLUTIONS, "--out", out, "--ends-at", "1000000000")
    code, printed, err = arckit("solve", *arguments)
    assert code == 0
    assert "too short" in err
    assert "0 answered by the model (0 views), 24 by the fallback" in printed
    assert "the fallback alone: task mean 0.00%" in printed
    assert arckit("check", out, "--challenges", CHALLENGES)[0] == 0


def test_only_the_tasks_asked_for_are_solved(arckit, tmp_path):
    out, two = tmp_path / "submission.json", TASKS.ids[3:5]
    arguments = ("--challenges", CHALLENGES, "--out", out, "--time-limit", "0", "--tasks", ",".join(two))
    assert arckit("solve", *arguments)[0] == 0
    assert tuple(json.loads(out.read_text())) == two


def test_data_is_listed_described_and_exported(arckit, tmp_path):
    assert "starter/evaluation: starter" in arckit("data", "list")[1]
    assert "tasks       20" in arckit("data", "info", "starter/evaluation")[1]
    assert (
        arckit("data", "export", "starter/evaluation", "--to", tmp_path / "tasks.parquet", "--format", "parquet")[0]
        == 0
    )
    assert read_dataset(tmp_path / "tasks.parquet").content_hash() == TASKS.content_hash()


def test_a_task_is_drawn_with_the_attempts_at_it(arckit, tmp_path, submission):
    pytest.importorskip("matplotlib")
    for name, more in (("plain.png", ()), ("attempts.png", ("--submission", submission, "--solutions", SOLUTIONS))):
        code, _, err = arckit("show", TASKS.ids[1], "--challenges", CHALLENGES, "--out", tmp_path / name, *more)
        assert (code, err) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert arckit("show", TASKS.ids[0], "--out", tmp_path / "found.png")[0] == 0


def test_files_with_and_without_solutions_hold_the_same_tasks():
    assert read_tasks(CHALLENGES).ids == read_tasks(CHALLENGES, SOLUTIONS).ids
