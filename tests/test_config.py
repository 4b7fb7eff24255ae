"""Settings and recipes: complete, checked, and read without torch."""

import dataclasses
import json
import subprocess
import sys

import pytest

from arckit.config import ModelConfig, Recipe, SolvingConfig, TrainingConfig, from_json
from arckit.errors import InputError
from arckit.model.trm import TinyRecursiveModel
from arckit.recipes import RECIPES, recipe

KINDS = (ModelConfig, TrainingConfig, SolvingConfig)


def as_json(config) -> dict:
    """What a file would hold: tuples come back from it as lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


@pytest.mark.parametrize("name", RECIPES)
def test_every_configuration_reads_back_from_json_as_it_was(name):
    chosen = recipe(name)
    for config in (chosen.model, chosen.training, chosen.test_time, chosen.solving):
        assert from_json(type(config), as_json(config), "here") == config


@pytest.mark.parametrize(("kind", "name"), [(kind, field.name) for kind in KINDS for field in dataclasses.fields(kind)])
def test_a_missing_name_is_an_error_that_names_it_and_never_a_default(kind, name):
    values = as_json(kind())
    del values[name]
    with pytest.raises(InputError, match=rf"config\.json: {kind.__name__} without {name}$"):
        from_json(kind, values, "config.json")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_an_error_that_names_it(kind):
    with pytest.raises(InputError, match=rf"config\.json: {kind.__name__} with unknown L_cycles$"):
        from_json(kind, as_json(kind()) | {"L_cycles": 4}, "config.json")


WHOLE = ("D", "heads", "layers", "n", "T", "N_sup", "prefix", "D_emb", "side", "vocabulary")


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [0, -1, 1.0, "4", True, None])
def test_a_size_that_is_no_whole_number_from_1_is_refused_by_name_and_value(name, value):
    with pytest.raises(InputError) as error:
        ModelConfig(**{name: value})
    assert f"{name} = {value!r}, expected a whole number of at least 1" in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"D": 30, "heads": 4}, "D = 30 over 4 heads, expected an even number for each head"),
        ({"D": 12, "heads": 4, "D_emb": 12}, "D = 12 over 4 heads, expected an even number for each head"),
        ({"D": 32, "heads": 2, "prefix": 2, "D_emb": 65}, "D_emb = 65 does not fit into 2 positions of 32"),
        ({"mixing": "convolution"}, 'mixing = \'convolution\', expected "attention" or "mlp"'),
        ({"expansion": 0.0}, "expansion = 0.0, expected a number above 0"),
        ({"expansion": float("nan")}, "expansion = nan, expected a number above 0"),
        ({"expansion": "4"}, "expansion = '4', expected a number above 0"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused_with_its_numbers(wrong, said):
    with pytest.raises(InputError) as error:
        ModelConfig(**wrong)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (TrainingConfig, "batch", 0, "at least 1"),
        (TrainingConfig, "batch", 1.5, "whole number"),
        (TrainingConfig, "batch", "768", "whole number"),
        (TrainingConfig, "views", -1, "at least 1"),
        (TrainingConfig, "lr", -1e-4, "at least 0"),
        (TrainingConfig, "lr", float("nan"), "at least 0"),
        (TrainingConfig, "lr", "1e-4", "at least 0"),
        (TrainingConfig, "row_lr", -1.0, "at least 0"),
        (TrainingConfig, "warmup", -1, "at least 0"),
        (TrainingConfig, "weight_decay", -0.1, "at least 0"),
        (TrainingConfig, "row_weight_decay", -0.1, "at least 0"),
        (TrainingConfig, "seed", -1, "at least 0"),
        (TrainingConfig, "seed", 0.5, "whole number"),
        (TrainingConfig, "ema", 1.5, "0 to 1"),
        (TrainingConfig, "explore", -0.1, "0 to 1"),
        (TrainingConfig, "shift", "false", "true or false"),
        (TrainingConfig, "betas", [0.9, 1.0], "two numbers"),
        (TrainingConfig, "betas", 0.9, "two numbers"),
        (TrainingConfig, "precision", "float64", "bfloat16"),
        (SolvingConfig, "views", 0, "at least 1"),
        (SolvingConfig, "batch", 0, "at least 1"),
        (SolvingConfig, "batch", 2.5, "at least 1"),
        (SolvingConfig, "learning_share", 1.0, "0 up to"),
        (SolvingConfig, "learning_share", -0.1, "0 up to"),
        (SolvingConfig, "learning_share", "half", "0 up to"),
    ],
)
def test_a_wrong_value_is_refused_with_the_file_the_name_the_value_and_what_was_expected(kind, name, value, expected):
    with pytest.raises(InputError) as error:
        from_json(kind, as_json(kind()) | {name: value}, "config.json")
    message = str(error.value)
    assert message.startswith("config.json: ")
    shown = tuple(value) if isinstance(value, list) else value
    assert f"{name} = {shown!r}" in message
    assert expected in message


def test_a_configuration_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().n = 4  # type: ignore[misc]


# --- recipes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_complete_and_bears_its_name(name):
    chosen = recipe(name)
    assert isinstance(chosen, Recipe)
    assert chosen.name == name
    assert chosen.learn_from
    for field, kind in (
        ("model", ModelConfig),
        ("training", TrainingConfig),
        ("test_time", TrainingConfig),
        ("solving", SolvingConfig),
    ):
        assert isinstance(getattr(chosen, field), kind)
    assert chosen.solving.views <= chosen.test_time.views, "a view that votes has learned a row"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_collections_that_are_known(name):
    from arckit.data.corpus import list_collections

    known = {listing.name for listing in list_collections()}
    assert known >= {*recipe(name).learn_from, *recipe(name).demonstrations_of}


def test_an_unknown_recipe_is_named_and_so_are_those_that_are_known():
    with pytest.raises(InputError) as error:
        recipe("arc3")
    assert "'arc3'" in str(error.value)
    for name in RECIPES:
        assert name in str(error.value)


def test_the_default_sizes_have_as_many_parameters_as_published():
    model = TinyRecursiveModel(ModelConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 6_829_058


@pytest.mark.parametrize("name", ["arc1", "arc2"])
def test_the_published_recipes_have_the_published_sizes_and_think_four_times(name):
    """The reference's scores depend on n: a model trained with n = 4 is worth little at the default n = 6."""
    chosen = recipe(name)
    assert chosen.model == ModelConfig(
        D=512, heads=8, layers=2, expansion=4.0, n=4, T=3, N_sup=16, prefix=16, D_emb=512, side=30, vocabulary=12
    )
    assert chosen.training == TrainingConfig(
        batch=768,
        views=1001,
        lr=1e-4,
        row_lr=1e-2,
        warmup=2000,
        weight_decay=0.1,
        row_weight_decay=0.1,
        betas=(0.9, 0.95),
        ema=0.999,
        explore=0.1,
        shift=True,
    )
    assert not any(part.endswith("evaluation") for part in chosen.learn_from), "evaluation answers are never learned"


def test_settings_and_recipes_are_read_without_torch():
    program = (
        "import arckit.config, arckit.recipes as r, sys; [r.recipe(name) for name in r.RECIPES]; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "arckit.recipes" in loaded.split()
    assert not {"torch", "accelerate", "safetensors", "datasets"} & set(loaded.split())
