"""`arckit …`: the only file that knows the command line. It parses, calls the library, and prints."""

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from arckit.answers.deadline import Deadline, process_start  # first: a limit counts from the start of the process
from arckit.answers.score import Score, score_submission
from arckit.answers.submission import ATTEMPTS, check_submission, read_submission
from arckit.data import corpus
from arckit.data.task import TaskSet, read_json, read_tasks, with_solutions
from arckit.errors import InputError, NotFinite
from arckit.recipes import RECIPES, training_tasks
from arckit.recipes import recipe as recipe_named
from arckit.solving.solve import Solved, solve

app = typer.Typer(
    help="ARC task files in, a scored submission.json out, with a Tiny Recursive Model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Collections of tasks: what is there, fetching, exporting.", no_args_is_help=True)
release_app = typer.Typer(help="Trained models to give away.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(release_app, name="release")

Challenges = Annotated[Path, typer.Option(help="Kaggle's …_challenges.json, or a folder of one file a task.")]
RecipeName = Annotated[str, typer.Option("--recipe", help=f"One of {', '.join(RECIPES)}.")]
TimeLimit = Annotated[
    float | None, typer.Option(min=0, max=1e8, help="Seconds, from the start of this process to the end of it.")
]
Processes = Annotated[int, typer.Option(min=1, help="On this machine: one a GPU.")]


INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line: exit code 2 and one line for wrong input, 1 for a run that failed."""
    try:
        code = app(standalone_mode=False)
    except InputError as error:
        print(f"arckit: {error}", file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:  # `arckit … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that may not be written to
        print(f"arckit: {error.filename or 'writing'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except NotFinite as error:
        print(f"arckit: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        show = getattr(error, "show", None)  # the command line itself is wrong, and typer says how
        if show is None:
            raise
        show()
        sys.exit(2)
    if code == INTERRUPTED:  # typer answers Ctrl-C with this code, or raises, by its version
        print("arckit: interrupted; every file written so far is whole", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


# --- solving --------------------------------------------------------------------------------------------------------


@app.command("solve")
def solve_command(
    challenges: Challenges,
    out: Annotated[Path, typer.Option(help="The submission; valid from the first second on.")],
    time_limit: TimeLimit = None,
    ends_at: Annotated[
        float | None, typer.Option(help="Instead of a time limit: the end in seconds since 1970.")
    ] = None,
    release: Annotated[Path | None, typer.Option(help="Start from this release; else from scratch.")] = None,
    recipe: RecipeName = "cpu",
    tasks: Annotated[str | None, typer.Option(help="Only these task ids, with commas between.")] = None,
    solutions: Annotated[Path | None, typer.Option(help="Score the answers with …_solutions.json.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Learning steps at most.")] = None,
    learn: Annotated[bool, typer.Option(help="Learn on the demonstrations, or answer as released.")] = True,
    processes: Processes = 1,
) -> None:
    """Solve tasks: learn on their demonstrations, answer under many views, vote, write a submission."""
    deadline = _deadline(time_limit, ends_at)
    task_set = read_tasks(challenges)
    known = task_set if solutions is None else with_solutions(task_set, solutions)
    if tasks is not None:
        known = known.select(tasks.split(","))
    solved = solve(
        known,
        out,
        recipe_named(recipe),
        deadline,
        release,
        learn=learn,
        steps=steps,
        processes=processes,
        say=_say,
    )
    _print_solved(solved, known, out)
    if solved.failed:
        raise typer.Exit(1)


@app.command()
def check(
    submission: Path,
    challenges: Challenges,
) -> None:
    """Check a submission: every fault a line, exit code 2; or one line that all is well."""
    tasks = read_tasks(challenges)
    faults = check_submission(submission, tasks)
    if faults:
        print("\n".join(faults))
        raise typer.Exit(2)
    outputs = sum(len(task.tests) for task in tasks)
    print(f"{submission}: valid, {len(tasks)} tasks, {outputs} test inputs with two attempts each")


@app.command()
def score(
    submission: Path,
    challenges: Challenges,
    solutions: Annotated[Path | None, typer.Option(help="…_solutions.json; a folder has its own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, and nothing else.")] = False,
) -> None:
    """Score a submission under three rules; the leaderboard's comes first."""
    tasks = read_tasks(challenges, solutions)
    result = score_submission(read_submission(submission), tasks)
    if as_json:
        print(json.dumps(result.to_json()))
    else:
        print(_score_text(result))
    if result.missing:
        print(f"{len(result.missing)} tasks missing, counted as wrong: {', '.join(result.missing)}", file=sys.stderr)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder for what it leaves.")] = Path("demo"),
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds in all.")] = 300.0,
) -> None:
    """Learn the starter tasks, answer the ones never seen, score, and draw: five minutes on two cores."""
    from arckit.show import draw_curve, draw_tasks
    from arckit.training.train import METRICS, RELEASE, train

    start = process_start()
    recipe = recipe_named("starter")
    shutil.rmtree(out / "training", ignore_errors=True)  # a demo begins anew; `arckit train` would go on
    training, evaluation = corpus.load("starter/training"), corpus.load("starter/evaluation")
    print(f"1. training on {len(training)} starter tasks")
    train(training, recipe, out / "training", Deadline.after(DEMO_SHARE * time_limit, 2.0, start))
    print(f"2. solving {len(evaluation)} starter tasks that it has not seen")
    submission, picture = out / "submission.json", out / "tasks.png"
    deadline = Deadline.after(time_limit, 8.0, start)  # the pictures take some seconds
    solved = solve(evaluation, submission, recipe, deadline, out / "training" / RELEASE, say=_say)
    faults = check_submission(submission, evaluation)
    assert not faults, faults
    print(f"{submission}: valid")
    result = score_submission(solved.submission, evaluation)
    draw_tasks(evaluation, solved.submission, picture, f"arckit demo: {result.tasks_solved} of {result.tasks}")
    draw_curve(out / "training" / METRICS, out / "curve.png", "training on the starter tasks")
    _print_solved(solved, evaluation, submission)
    print(f"pictures: {picture}, {out / 'curve.png'}")


DEMO_SHARE = 0.35
"""Of the demo's time that goes into training before it sees the tasks to be solved."""


# --- training -------------------------------------------------------------------------------------------------------


@app.command("train")
def train_command(
    out: Annotated[Path, typer.Option(help="The run's folder: metrics, checkpoint, release.")],
    recipe: RecipeName = "cpu",
    data: Annotated[
        list[str] | None,
        typer.Option(help="Learn from all pairs of this collection or file, instead of the recipe's; repeatable."),
    ] = None,
    demonstrations: Annotated[
        list[str] | None,
        typer.Option(help="Learn from this collection's demonstrations only; repeatable."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps in all.")] = None,
    time_limit: TimeLimit = None,
    resume: Annotated[Path | None, typer.Option(help="Go on from another run's folder, only reading it.")] = None,
    checkpoint_seconds: Annotated[float, typer.Option(min=0, help="How old a checkpoint may get.")] = 300.0,
    tracker: Annotated[
        list[str] | None, typer.Option(help="An Accelerate tracker: tensorboard, wandb; repeatable.")
    ] = None,
) -> None:
    """Train a model from scratch, or go on where the run in --out was interrupted."""
    from arckit.training.train import RELEASE, train

    chosen = recipe_named(recipe)
    if not data and not demonstrations:
        data, demonstrations = list(chosen.learn_from), list(chosen.demonstrations_of)
    tasks = training_tasks(data or (), demonstrations or ())
    train(tasks, chosen, out, _deadline(time_limit, None), steps, resume, checkpoint_seconds, tracker or ())
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"{out / RELEASE}: the release")


# --- data -----------------------------------------------------------------------------------------------------------


@data_app.command("list")
def data_list() -> None:
    """List every known collection, and where it was found."""
    for listing in corpus.list_collections():
        print(listing.line)


@data_app.command("info")
def data_info(name: str, path: Annotated[Path | None, typer.Option(help="Look here.")] = None) -> None:
    """Say what a collection holds: sizes, version, content hash."""
    info = corpus.info(name, path)
    print(f"{info.found.name}: {info.version}")
    print(f"  found by    {info.found.where}: {info.found.path}")
    print(f"  tasks       {info.tasks}")
    print(f"  pairs       {info.demonstrations} demonstrations, {info.test_inputs} test inputs")
    print(f"  outputs     {info.known_outputs} of {info.test_inputs} test outputs known")
    print(f"  largest     {info.largest[0]}×{info.largest[1]}")
    print(f"  sha256      {info.content_hash}")


@data_app.command("fetch")
def data_fetch(
    name: str,
    to: Annotated[Path | None, typer.Option(help="A folder; else the user's cache.")] = None,
) -> None:
    """Download a collection from its public repository, whole and checked, or not at all."""
    fetched = corpus.fetch(name, to, progress=sys.stderr.isatty())
    print(f"{fetched.path}: {'downloaded' if fetched.downloaded else 'already there'}")
    for split in fetched.splits:
        print(f"  {split.line}")


@data_app.command("export")
def data_export(
    name: str,
    to: Annotated[Path, typer.Option(help="A folder for arrow, a file for parquet.")],
    format: Annotated[str, typer.Option(help="arrow or parquet.")] = "arrow",
) -> None:
    """Write a collection, or a file of tasks, as a Hugging Face dataset."""
    if format not in ("arrow", "parquet"):
        raise InputError(f"format {format!r}, expected arrow or parquet")
    print(f"{corpus.export(corpus.load(name), to, format)}: written")


# --- pictures and releases ------------------------------------------------------------------------------------------


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="A task id, or a file of one task.")],
    out: Annotated[Path, typer.Option(help="The picture: .png, .pdf or .svg.")] = Path("task.png"),
    challenges: Annotated[Path | None, typer.Option(help="Where the task is; else every collection found.")] = None,
    solutions: Annotated[Path | None, typer.Option(help="…_solutions.json, for the true outputs.")] = None,
    submission: Annotated[Path | None, typer.Option(help="Draw the attempts in it.")] = None,
) -> None:
    """Draw a task: demonstrations, test, and attempts if given, in ARC's colours."""
    from arckit.show import draw_task

    found = _find_task(task, challenges, solutions)
    attempts = None
    if submission is not None:
        entries = read_submission(submission).get(found.id)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{submission}: no attempts at task {found.id}")
        attempts = [[entry[name] for name in ATTEMPTS if name in entry] for entry in entries]
    draw_task(found, out, attempts)
    print(f"{out}: task {found.id}")


def _find_task(name: str, challenges: Path | None, solutions: Path | None):
    if challenges is not None:
        return read_tasks(challenges, solutions)[name]
    if solutions is not None:
        raise InputError(f"{solutions}: solutions without --challenges, expected both")
    if Path(name).exists():
        return read_tasks(name)[0]
    for listing in corpus.list_collections():
        if listing.found is not None and name in (tasks := corpus.read(listing.found)):
            return tasks[name]
    raise InputError(f"no task {name!r} in any collection found; `arckit data list` shows them")


@release_app.command("import")
def release_import(
    checkpoint: Path,
    identifiers: Annotated[Path, typer.Option(help="The reference's identifiers.json: the rows' names.")],
    config: Annotated[Path, typer.Option(help="The reference's configuration as JSON.")],
    out: Annotated[Path, typer.Option(help="The release's folder.")],
) -> None:
    """Turn a public reference checkpoint into a release that remembers n, T, N_sup and every row's name."""
    from arckit.model.release import import_reference, save_release

    values = read_json(config)
    if not isinstance(values, dict):
        raise InputError(f"{config}: expected an object, the reference's configuration")
    release = import_reference(checkpoint, identifiers, values, {"imported_from": checkpoint.name})
    save_release(release, out)
    model = release.config
    print(f"{out}: n = {model.n}, T = {model.T}, N_sup = {model.N_sup}, D = {model.D}, {len(release.row_names)} rows")


@release_app.command("info")
def release_info(folder: Path) -> None:
    """Say what a release is, and check that its files belong together."""
    from arckit.model.release import load_release

    release = load_release(folder)
    parameters = sum(tensor.numel() for tensor in release.weights.values())
    print(f"{folder}: {parameters:,} weights, {len(release.row_names):,} rows")
    for name, value in [*dataclasses.asdict(release.config).items(), *release.about.items()]:
        print(f"  {name:<12} {value}")


# --- what several commands need -------------------------------------------------------------------------------------


def _deadline(time_limit: float | None, ends_at: float | None) -> Deadline:
    """From a limit that counts from the start of this process, or an absolute end."""
    start = process_start()
    if ends_at is not None and time_limit is not None:
        raise InputError("both a time limit and an end, expected one of them")
    if ends_at is not None:
        time_limit = ends_at - start
    if time_limit is None:
        return Deadline.never()
    return Deadline.after(time_limit, start=start)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_solved(solved: Solved, tasks: TaskSet, out: Path) -> None:
    print(f"{out}: {solved}")
    if tasks.outputs_known:
        print(_score_text(score_submission(solved.submission, tasks)))
        fallback = score_submission(solved.fallback, tasks)
        print(f"the fallback alone: {_score_text(fallback)}")


def _score_text(score: Score) -> str:
    return (
        f"task mean {score.task_mean:.2%}, outputs {score.outputs_correct} of {score.outputs}, "
        f"tasks solved {score.tasks_solved} of {score.tasks}"
    )
