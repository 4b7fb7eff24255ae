"""Complete, named configurations. A recipe is a function that returns one; to change it, `dataclasses.replace` it."""

from collections.abc import Sequence
from dataclasses import replace

from arckit.config import ModelConfig, Recipe, SolvingConfig, TrainingConfig
from arckit.data.corpus import load
from arckit.data.starter.make import MAX_SIDE
from arckit.data.task import TaskSet
from arckit.errors import InputError


def smoke() -> Recipe:
    """Runs in seconds and learns next to nothing: to see that everything works."""
    model = ModelConfig(D=32, heads=2, n=2, T=2, N_sup=3, prefix=2, D_emb=64, side=MAX_SIDE)
    training = TrainingConfig(batch=16, views=8, lr=1e-3, warmup=10, ema=0.9)
    return Recipe("smoke", ("starter/training",), (), model, training, training, SolvingConfig(views=4, batch=16))


def starter() -> Recipe:
    """The starter set on two cores: what `arckit demo` runs.

    So little compute that every step has to show new examples: one supervision step each (with 2 far fewer tasks were
    solved after as many seconds; one seed, and 16 were not tried), few views, small batches, large rates, no shifts.
    Chosen by how many of the starter evaluation tasks it solves, so its score on those flatters it.
    """
    model = ModelConfig(D=64, heads=2, n=2, T=1, N_sup=1, prefix=4, D_emb=256, side=MAX_SIDE)
    training = TrainingConfig(batch=16, views=8, lr=2e-3, warmup=50, ema=0.995, shift=False)
    return Recipe(
        "starter",
        ("starter/training",),
        (),
        model,
        training,
        training,
        SolvingConfig(views=8, batch=64, learning_share=0.9),
    )


def cpu() -> Recipe:
    """Real tasks from scratch on a few CPU cores: as `starter`, on whatever canvas they need."""
    small = starter()
    model = replace(small.model, side=ModelConfig.side)
    solving = replace(small.solving, batch=32, learning_share=0.7)
    return replace(small, name="cpu", learn_from=("arc-agi-1/training",), model=model, solving=solving)


def arc1() -> Recipe:
    """ARC-AGI-1 as published: n = 4, batch 768, 1000 augmentations a task, evaluation demonstrations included."""
    return _published("arc1", "arc-agi-1")


def arc2() -> Recipe:
    """ARC-AGI-2 as published."""
    return _published("arc2", "arc-agi-2")


def _published(name: str, collection: str) -> Recipe:
    return Recipe(
        name,
        (f"{collection}/training", "concept-arc/concept"),
        (f"{collection}/evaluation",),
        ModelConfig(n=4),
        TrainingConfig(),
        # At test time as a team did on Kaggle that reached 10.0 on the leaderboard: 128 views, batch 128.
        TrainingConfig(batch=128, views=128, warmup=200),
        SolvingConfig(views=128),
    )


RECIPES = {recipe.__name__: recipe for recipe in (smoke, starter, cpu, arc1, arc2)}


def recipe(name: str) -> Recipe:
    """The recipe of this name."""
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}, expected one of {', '.join(RECIPES)}")
    return RECIPES[name]()


def training_tasks(learn_from: Sequence[str], demonstrations_of: Sequence[str] = ()) -> TaskSet:
    """Collections (or files) as one set to train on, the latter without their test outputs."""
    parts = [*map(load, learn_from), *(load(name).without_solutions() for name in demonstrations_of)]
    name = " + ".join([*learn_from, *(f"demonstrations of {name}" for name in demonstrations_of)])
    return TaskSet(tuple(task for part in parts for task in part), name)
