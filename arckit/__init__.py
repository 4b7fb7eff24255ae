"""arckit turns ARC task files into a scored submission with a Tiny Recursive Model, inside a time limit.

    import arckit

    tasks = arckit.load("arc-agi-1/training")              # or read_tasks("…_challenges.json", "…_solutions.json")
    recipe = arckit.recipe("starter")
    arckit.train(tasks, recipe, "runs/mine", arckit.Deadline.after(600))
    solved = arckit.solve(tasks, "submission.json", recipe, arckit.Deadline.after(600), release="runs/mine/release")
    arckit.check_submission("submission.json", tasks)      # a list of faults, [] if there are none
    arckit.score_submission(solved.submission, tasks)      # task_mean, outputs_correct, tasks_solved, …
    arckit.draw_tasks(tasks, solved.submission, "tasks.png")

Importing this is instant: each name is loaded when it is first used, and torch not before it is needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arckit.answers.deadline import Deadline as Deadline
    from arckit.answers.score import score_submission as score_submission
    from arckit.answers.submission import check_submission as check_submission
    from arckit.answers.submission import read_submission as read_submission
    from arckit.data.corpus import load as load
    from arckit.data.task import read_tasks as read_tasks
    from arckit.errors import InputError as InputError
    from arckit.model.release import load_release as load_release
    from arckit.recipes import recipe as recipe
    from arckit.show import draw_curve as draw_curve
    from arckit.show import draw_task as draw_task
    from arckit.show import draw_tasks as draw_tasks
    from arckit.solving.solve import solve as solve
    from arckit.training.train import train as train

_HOME = {
    "Deadline": "arckit.answers.deadline",
    "InputError": "arckit.errors",
    "check_submission": "arckit.answers.submission",
    "draw_curve": "arckit.show",
    "draw_task": "arckit.show",
    "draw_tasks": "arckit.show",
    "load": "arckit.data.corpus",
    "load_release": "arckit.model.release",
    "read_submission": "arckit.answers.submission",
    "read_tasks": "arckit.data.task",
    "recipe": "arckit.recipes",
    "score_submission": "arckit.answers.score",
    "solve": "arckit.solving.solve",
    "train": "arckit.training.train",
}

__all__ = [
    "Deadline",
    "InputError",
    "check_submission",
    "draw_curve",
    "draw_task",
    "draw_tasks",
    "load",
    "load_release",
    "read_submission",
    "read_tasks",
    "recipe",
    "score_submission",
    "solve",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'arckit' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
