"""Every setting there is, as frozen values. No torch here: a parent process reads recipes before torch is there.

A recipe (`arckit/recipes.py`) is one complete `Recipe`; whoever wants another number writes
`dataclasses.replace`. Unknown names are errors, because dataclasses make them so.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from arckit.data.canvas import VOCABULARY, Canvas
from arckit.errors import InputError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ModelConfig:
    """A Tiny Recursive Model, in the paper's letters.

    Attributes:
        D: width of every vector. heads: attention heads, D/heads each.
        layers: blocks in the one network. expansion: inner width of SwiGLU over D, before rounding.
        n: latent steps in one latent recursion (reference: L_cycles).
        T: latent recursions in one deep recursion, the last with gradients (reference: H_cycles).
        N_sup: supervision steps at most on one example (reference: halt_max_steps).
        prefix: positions before the cells that hold the view's embedding row. D_emb: numbers in a row.
        side: cells along the full canvas. vocabulary: tokens.
        mixing: how positions see each other: attention with RoPE, or a SwiGLU across positions ("mlp",
            better on Sudoku, bound to one length).
    """

    D: int = 512
    heads: int = 8
    layers: int = 2
    expansion: float = 4.0
    n: int = 6
    T: int = 3
    N_sup: int = 16
    prefix: int = 16
    D_emb: int = 512
    side: int = 30
    vocabulary: int = VOCABULARY
    mixing: Literal["attention", "mlp"] = "attention"

    def __post_init__(self) -> None:
        sizes = ("D", "heads", "layers", "n", "T", "N_sup", "prefix", "D_emb", "side", "vocabulary")
        _check(self, sizes, lambda v: _whole(v, 1), "a whole number of at least 1")
        _check(self, ("expansion",), lambda v: _number(v) and v > 0, "a number above 0")
        if self.D % self.heads or self.D // self.heads % 2:
            raise InputError(f"D = {self.D} over {self.heads} heads, expected an even number for each head")
        if self.D_emb > self.prefix * self.D:
            raise InputError(f"D_emb = {self.D_emb} does not fit into {self.prefix} positions of {self.D}")
        if self.mixing not in ("attention", "mlp"):
            raise InputError(f'mixing = {self.mixing!r}, expected "attention" or "mlp"')

    @property
    def canvas(self) -> Canvas:
        return Canvas(self.side)

    @property
    def length(self) -> int:
        """L: positions on the whole canvas, prefix included."""
        return self.prefix + self.side**2


@dataclass(frozen=True)
class TrainingConfig:
    """How weights are learned.

    Attributes:
        batch: seats over all processes. views: augmentations of a task, each with an embedding row.
        lr, row_lr: rates of the trunk (AdamATan2) and of the rows (sign-SGD); both warm up over `warmup` steps.
        weight_decay, row_weight_decay: decoupled. betas: AdamATan2's.
        ema: decay of the averaged weights. explore: chance, drawn anew each supervision step, that a seat
            must stay for a random 2..N_sup steps. shift: whether pairs are moved about on the canvas.
        precision: "auto" takes what the hardware really does.
    """

    batch: int = 768
    views: int = 1001
    lr: float = 1e-4
    row_lr: float = 1e-2
    warmup: int = 2000
    weight_decay: float = 0.1
    row_weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    ema: float = 0.999
    explore: float = 0.1
    shift: bool = True
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, ("batch", "views"), lambda v: _whole(v, 1), "a whole number of at least 1")
        _check(self, ("warmup", "seed"), lambda v: _whole(v, 0), "a whole number of at least 0")
        rates = ("lr", "row_lr", "weight_decay", "row_weight_decay")
        _check(self, rates, lambda v: _number(v) and v >= 0, "a number of at least 0")
        _check(self, ("ema", "explore"), lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1")
        _check(self, ("betas",), _are_betas, "two numbers from 0 up to, but not, 1")
        _check(self, ("shift",), lambda v: type(v) is bool, "true or false")
        precisions = ("auto", "float32", "bfloat16", "float16")
        _check(self, ("precision",), lambda v: v in precisions, "auto, float32, bfloat16 or float16")


@dataclass(frozen=True)
class SolvingConfig:
    """How a model answers.

    Attributes:
        views: augmentations of a task that vote, of those it has rows for.
        batch: views answered at once in each process.
        learning_share: part of the time left after start-up that test-time training gets.
    """

    views: int = 128
    batch: int = 64
    learning_share: float = 0.7

    def __post_init__(self) -> None:
        _check(self, ("views", "batch"), lambda v: _whole(v, 1), "a whole number of at least 1")
        _check(self, ("learning_share",), lambda v: _number(v) and 0 <= v < 1, "0 up to, but not, 1")


@dataclass(frozen=True)
class Recipe:
    """A complete, named configuration.

    Attributes:
        learn_from: collections to train on, with all their pairs (`arckit data list` names them).
        demonstrations_of: collections of which only the demonstrations are trained on.
        model, training: the model and how it is trained.
        test_time: how it goes on learning on the tasks it has to solve. solving: how it answers.
    """

    name: str
    learn_from: tuple[str, ...]
    demonstrations_of: tuple[str, ...]
    model: ModelConfig
    training: TrainingConfig
    test_time: TrainingConfig
    solving: SolvingConfig


Config = TypeVar("Config", ModelConfig, TrainingConfig, SolvingConfig)


def from_json(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Read a configuration back from JSON; a name that is missing or unknown is an error, never a default."""
    expected = {field.name for field in dataclasses.fields(kind)}
    if missing := sorted(expected - values.keys()):
        raise InputError(f"{where}: {kind.__name__} without {', '.join(missing)}")
    if unknown := sorted(values.keys() - expected):
        raise InputError(f"{where}: {kind.__name__} with unknown {', '.join(unknown)}")
    try:
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return kind(**plain)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check(config: object, names: tuple[str, ...], holds: Callable[[Any], bool], expected: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not holds(value):
            raise InputError(f"{name} = {value!r}, expected {expected}")


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least  # not True, which is an int too


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_betas(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(_number(v) and 0 <= v < 1 for v in value)
