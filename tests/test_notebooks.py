"""The notebooks: the rules that their files keep, and what running them leaves."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import arckit
from arckit.data.task import write_kaggle

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ("train", "evaluate", "submit")
MOST_LINES = 30


# --- the files ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=NAMES)
def notebook(request) -> dict[str, Any]:
    return read(FOLDER / f"{request.param}.ipynb")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def settings(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())]


def test_these_are_all_the_notebooks_there_are():
    left_by_running = set(FOLDER.glob("*.nbconvert.ipynb"))
    assert {path.stem for path in set(FOLDER.glob("*.ipynb")) - left_by_running} == set(NAMES)


def test_a_notebook_is_committed_as_if_it_had_never_run(notebook):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(notebook))
    assert not any(key in notebook["metadata"] for key in ("papermill", "widgets"))
    assert not any(set(cell["metadata"]) - {"tags"} for cell in notebook["cells"])


def test_a_notebook_says_which_kernel_runs_it(notebook):
    assert notebook["metadata"]["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook["metadata"]["language_info"]["name"] == "python"


def test_a_notebook_is_of_the_format_in_which_cells_have_ids_of_their_own(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z-]+", one) for one in ids), "named by hand, so that they stay"


def test_exactly_one_cell_holds_the_settings_and_it_is_the_first(notebook):
    assert settings(notebook) == code_cells(notebook)[:1]


def test_every_setting_is_a_name_whose_value_the_environment_can_give(notebook):
    (cell,) = settings(notebook)
    importing, *assignments = ast.parse(source(cell)).body
    assert ast.unparse(importing) == "import os"
    for line in assignments:
        assert isinstance(line, ast.Assign)
        name = ast.unparse(line.targets[0])
        assert re.fullmatch(r"[A-Z_]+", name)
        assert re.search(rf"\bos\.environ\.get\('ARCKIT_{name}', '[^']*'\)", ast.unparse(line.value))


def test_every_setting_is_used_and_nothing_else_is_asked_of_the_environment(notebook):
    first, *others = code_cells(notebook)
    rest = "\n".join(map(source, others))
    assert "environ" not in rest
    for name in re.findall(r"^([A-Z_]+) =", source(first), re.MULTILINE):
        assert re.search(rf"\b{name}\b", rest), name


def test_a_sentence_stands_before_every_code_cell(notebook):
    cells = notebook["cells"]
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell["cell_type"] == "code":
            assert before is not None
            assert before["cell_type"] == "markdown"
            assert re.fullmatch(r"[A-Z][^\n]*\.", source(before)), source(before)


def test_no_cell_is_longer_than_one_sees(notebook):
    assert all(len(cell["source"]) <= MOST_LINES for cell in notebook["cells"])


def test_no_cell_names_a_path_of_one_machine(notebook):
    folders = "|".join(["home", "work", "root", "Users", "tmp", "mnt"])
    assert not re.search(rf"(?<![\w.~-])/({folders})/", json.dumps(notebook))


def test_a_notebook_defines_nothing(notebook):
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for cell in code_cells(notebook) for node in ast.walk(ast.parse(source(cell)))]
    assert not [node.name for node in nodes if isinstance(node, defining)]


# --- running them ---------------------------------------------------------------------------------------------------


ALONE = {
    "JUPYTER_PREFER_ENV_PATH": "1",  # this Python's kernel, whatever else the user has installed
    "OMP_NUM_THREADS": "1",  # on a busy machine, threads that wait for each other make tiny steps ten times slower
}


@dataclass(frozen=True)
class Workplace:
    """A folder with copies of the notebooks in it, where they are run: their working folder."""

    path: Path

    def execute(self, name: str, **given: str) -> "Executed":
        """Run a notebook with these settings in the environment, and with no others."""
        bare = {key: value for key, value in os.environ.items() if not key.startswith("ARCKIT_")}
        own = {name: str(self.path / "jupyter") for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
        chosen = {f"ARCKIT_{key}": value for key, value in ({"RECIPE": "smoke"} | given).items()}
        result = subprocess.run(
            [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", f"{name}.ipynb"],
            cwd=self.path,
            env=bare | own | ALONE | chosen,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stdout[-5000:]
        return Executed(read(self.path / f"{name}.nbconvert.ipynb"))


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs."""

    notebook: dict[str, Any]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return [output for cell in code_cells(self.notebook) for output in cell["outputs"]]

    @property
    def printed(self) -> str:
        return "".join(source({"source": o["text"]}) for o in self.outputs if o.get("name") == "stdout")

    @property
    def pictures(self) -> int:
        return sum("image/png" in output.get("data", {}) for output in self.outputs)


@pytest.fixture
def workplace(tmp_path) -> Workplace:
    return new_workplace(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Workplace, Executed]:
    """Where train.ipynb has run; what it left is what the others take."""
    there = new_workplace(tmp_path_factory.mktemp("trained"))
    return there, there.execute("train", TIME_LIMIT="60", STEPS="20")


def new_workplace(path: Path) -> Workplace:
    for name in NAMES:
        shutil.copy(FOLDER / f"{name}.ipynb", path)
    return Workplace(path)


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def steps_of(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.notebook
def test_train_leaves_a_release_and_says_where(trained):
    workplace, executed = trained
    run = workplace.path / "runs" / "notebook"
    release = arckit.load_release(run / "release")
    assert release.about["recipe"] == "smoke"
    assert steps_of(run) == list(range(1, 21))
    assert executed.pictures == 2
    assert is_picture(run / "task.png")
    assert is_picture(run / "curve.png")
    assert f"{Path('runs/notebook/release')}: 20 steps" in executed.printed


@pytest.mark.notebook
def test_train_goes_on_from_the_run_of_an_earlier_session(trained, workplace):
    earlier = trained[0].path / "runs" / "notebook"
    before = sorted(path.name for path in earlier.iterdir()), steps_of(earlier)
    workplace.execute("train", TIME_LIMIT="60", STEPS="24", RESUME_FROM=str(earlier), RUN="later")
    assert steps_of(workplace.path / "later") == list(range(1, 25))
    assert (sorted(path.name for path in earlier.iterdir()), steps_of(earlier)) == before


@pytest.mark.notebook
def test_evaluate_scores_the_release_that_train_left_beside_the_fallback(trained):
    workplace, _ = trained
    executed = workplace.execute("evaluate", TIME_LIMIT="60", STEPS="5")
    run = workplace.path / "runs" / "notebook"
    assert f"from {Path('runs/notebook/release')}" in executed.printed
    assert re.search(r"test inputs: [1-9]\d* answered by the model", executed.printed, re.MULTILINE)
    submission = run / "evaluation.json"
    tasks = arckit.load("starter/evaluation")
    assert arckit.check_submission(submission, tasks) == []
    score = arckit.score_submission(arckit.read_submission(submission), tasks)
    assert re.search(rf"^task mean +{score.task_mean:.2%} +0\.00%$", executed.printed, re.MULTILINE)
    assert re.search(
        rf"^outputs right +{score.outputs_correct} +0  of {score.outputs}$", executed.printed, re.MULTILINE
    )
    assert re.search(rf"^tasks solved +{score.tasks_solved} +0  of 20$", executed.printed, re.MULTILINE)
    assert executed.pictures == 2
    assert is_picture(run / "evaluation.png")
    assert is_picture(run / "failure.png")


@pytest.mark.notebook
def test_submit_leaves_a_valid_submission_and_scores_it(trained):
    workplace, _ = trained
    executed = workplace.execute("submit", TIME_LIMIT="60", STEPS="5", RELEASE="runs/notebook/release", RUN="unused")
    assert "from runs/notebook/release" in executed.printed
    assert re.search(r"test inputs: [1-9]\d* answered by the model", executed.printed, re.MULTILINE)
    assert "submission.json: valid" in executed.printed
    submission = workplace.path / "submission.json"
    tasks = arckit.load("starter/evaluation")
    assert arckit.check_submission(submission, tasks) == []
    score = arckit.score_submission(arckit.read_submission(submission), tasks)
    assert f"{score.tasks_solved} of 20 tasks solved" in executed.printed


@pytest.mark.notebook
def test_submit_answers_a_file_without_solutions_even_when_there_is_no_time(workplace):
    tasks = arckit.load("starter/evaluation")[:5]
    challenges = workplace.path / "arc-agi_test_challenges.json"
    write_kaggle(tasks, challenges)
    executed = workplace.execute("submit", TIME_LIMIT="1", CHALLENGES=challenges.name, SUBMISSION="answers.json")
    assert "from scratch" in executed.printed
    assert "not scored" in executed.printed
    assert arckit.check_submission(workplace.path / "answers.json", tasks) == []


@pytest.mark.notebook
def test_submit_finds_the_competitions_test_tasks_and_takes_a_recipe_for_them(workplace):
    tasks = arckit.load("starter/evaluation")[:5]
    mount = workplace.path / "input" / "arc-prize-2026"
    mount.mkdir(parents=True)
    write_kaggle(tasks, mount / "arc-agi_test_challenges.json")
    executed = workplace.execute("submit", TIME_LIMIT="1", RECIPE="", DATA=str(mount.parent))
    assert "arc-agi-2/test: 5 tasks" in executed.printed
    assert arckit.check_submission(workplace.path / "submission.json", tasks) == []
