"""Releases: what comes back is what was given, whole or not at all, and rows belong to names."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from arckit.config import ModelConfig
from arckit.data.task import Pair, Task
from arckit.data.view import draw_views
from arckit.errors import InputError
from arckit.model import release as module
from arckit.model.release import Release, load_release, read_config, save_release
from arckit.model.trm import TinyRecursiveModel
from arckit.training.ema import EMA

CONFIG = ModelConfig(D=16, heads=2, layers=1, n=4, T=5, N_sup=7, prefix=2, D_emb=20, side=4)
NAMES = ["aaaa", "aaaa|||t3|||0987654321", "bbbb", "bbbb|||t0|||0213456789"]


def release_of(seed: int = 0, config: ModelConfig = CONFIG, names=NAMES, about=None) -> Release:
    weights = TinyRecursiveModel(config, seed).state_dict()
    rows = torch.randn(len(names), config.D_emb, generator=torch.Generator().manual_seed(seed)) if names else None
    mean = torch.full((config.D_emb,), 0.5) if rows is None else rows.mean(0)
    return Release(config, weights, mean, names, rows, about or {"recipe": "smoke", "steps": 12})


def assert_same(one: Release, two: Release) -> None:
    assert one.config == two.config
    assert one.weights.keys() == two.weights.keys()
    for name, tensor in one.weights.items():
        torch.testing.assert_close(two.weights[name], tensor, atol=0, rtol=0, msg=name)
    assert torch.equal(one.mean_row, two.mean_row)
    assert list(one.row_names) == list(two.row_names)
    assert (one.rows is None) == (two.rows is None)
    if one.rows is not None:
        assert torch.equal(one.rows, two.rows)
    assert dict(one.about) == dict(two.about)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A saved release, alone in its parent folder."""
    return save_release(release_of(), tmp_path / "release")


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [NAMES, []], ids=["rows", "no rows"])
def test_what_is_saved_comes_back_bit_for_bit(names, tmp_path):
    given = release_of(names=names, about={"recipe": "smoke", "data": ["starter/training"], "hash": "×"})
    save_release(given, tmp_path / "deep" / "er" / "release")
    back = load_release(tmp_path / "deep" / "er" / "release")
    assert_same(given, back)
    files = {path.name for path in (tmp_path / "deep" / "er" / "release").iterdir()}
    assert files == {"config.json", "weights.safetensors"} | ({"rows.safetensors", "rows.txt"} if names else set())
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["release"]


def test_a_model_that_comes_back_answers_the_same(folder):
    given, back = release_of().model(), load_release(folder).model()
    inputs, rows = torch.arange(16).remainder(12).view(1, 16), torch.ones(1, 20)
    with torch.no_grad():
        one, two = (model(inputs, rows, model.initial_state(1)) for model in (given, back))
    assert torch.equal(one[1], two[1])
    assert torch.equal(one[2], two[2])


def test_n_and_t_and_n_sup_are_remembered_with_the_weights(folder):
    """The reference leaves them to the command line: a model trained with n = 4 and run at 6 solves next to nothing."""
    stored = json.loads((folder / "config.json").read_text())["model"]
    assert (stored["n"], stored["T"], stored["N_sup"]) == (4, 5, 7)
    config, about = read_config(folder)
    assert config == CONFIG
    assert about == {"recipe": "smoke", "steps": 12}
    assert load_release(folder).model().config == CONFIG


@pytest.mark.parametrize("name", ["n", "T", "N_sup"])
def test_a_release_that_does_not_say_its_depth_is_refused(name, folder):
    values = json.loads((folder / "config.json").read_text())
    del values["model"][name]
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=rf"config\.json: ModelConfig without {name}$"):
        load_release(folder)


def test_names_of_any_script_come_back(tmp_path):
    names = ["tâche", "課題", "a b"]
    assert load_release(save_release(release_of(names=names), tmp_path / "release")).row_names == names


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_an_older_release_is_replaced_whole(folder):
    newer = release_of(seed=1, names=[])
    save_release(newer, folder)
    assert_same(load_release(folder), newer)
    assert not (folder / "rows.txt").exists(), "nothing of the old one is left"
    assert [path.name for path in folder.parent.iterdir()] == ["release"]


def break_saving_rows(monkeypatch, error):
    def save(tensors, path):
        if "rows" in tensors:
            Path(path).write_bytes(b"half")
            raise error
        save_file(tensors, path)

    monkeypatch.setattr(module, "save_file", save)


def break_moving_in(monkeypatch, error):
    def rename(source, target):
        if Path(source).name.startswith(".release."):  # the new one, not the old one that makes room
            monkeypatch.undo()
            raise error
        real(source, target)

    real = os.rename
    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("break_it", [break_saving_rows, break_moving_in])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "^C"])
@pytest.mark.parametrize("older", [True, False], ids=["older", "none"])
def test_what_cannot_be_saved_leaves_the_old_release_and_nothing_else(break_it, error, older, tmp_path, monkeypatch):
    folder = tmp_path / "release"
    if older:
        save_release(release_of(), folder)
    break_it(monkeypatch, error)
    with pytest.raises((InputError, KeyboardInterrupt)) as raised:
        save_release(release_of(seed=1), folder)
    if isinstance(error, OSError):
        assert str(folder) in str(raised.value)
        assert "No space left" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == (["release"] if older else [])
    if older:
        assert_same(load_release(folder), release_of())


def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.release: cannot be written"):
        save_release(release_of(), tmp_path / "file" / "release")


HOLDS = {
    "notes": {"notes.txt": "mine"},
    "another project's model": {"config.json": '{"architectures": ["LlamaForCausalLM"]}', "model.safetensors": "mine"},
    "a config that is no JSON": {"config.json": "mine"},
}


@pytest.mark.parametrize("holds", HOLDS.values(), ids=HOLDS)
def test_a_folder_that_holds_something_else_is_not_replaced(holds, tmp_path):
    folder = tmp_path / "release"
    folder.mkdir()
    for name, text in holds.items():
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=r"release: holds something other than a release"):
        save_release(release_of(), folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == holds
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_a_file_is_not_replaced_either(tmp_path):
    (tmp_path / "release").write_text("mine")
    with pytest.raises(InputError, match=r"release: holds something other than a release"):
        save_release(release_of(), tmp_path / "release")
    assert (tmp_path / "release").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "release").mkdir()
    save_release(release_of(), tmp_path / "release")
    assert_same(load_release(tmp_path / "release"), release_of())


# --- rows belong to names -------------------------------------------------------------------------------------------


def test_rows_are_found_by_name_whatever_their_order():
    release = release_of()
    assert release.rows is not None
    shuffled = [2, 0, 3, 1]
    other = Release(CONFIG, release.weights, release.mean_row, [NAMES[i] for i in shuffled], release.rows[shuffled])
    for names in (NAMES, NAMES[::-1], NAMES[1:3]):
        expected = torch.stack([release.rows[NAMES.index(name)] for name in names])
        assert torch.equal(release.rows_named(names), expected)
        assert torch.equal(other.rows_named(names), expected)


def test_rows_of_other_tasks_are_not_used_because_there_are_as_many():
    """The reference takes a table of the same size as it is, whichever tasks it was trained on."""
    others = ["cccc", "cccc|||t1|||0213456789", "dddd", "dddd|||t0|||0213456789"]
    release = release_of()
    with pytest.raises(InputError, match=r"no embedding row for 4 of 4 views, cccc first"):
        release.rows_named(others)
    assert torch.equal(release.rows_begun(others), release.mean_row.expand(4, -1))


@pytest.mark.parametrize("names", [[*NAMES, "cccc"], ["cccc", *NAMES[:2]]])
def test_rows_of_another_number_are_not_replaced_by_their_mean_without_a_word(names):
    """The reference replaces a table of another size by its mean, and says nothing."""
    release = release_of()
    with pytest.raises(InputError, match=rf"no embedding row for 1 of {len(names)} views, cccc first"):
        release.rows_named(names)


def test_only_new_views_begin_at_the_mean_row():
    release = release_of()
    assert release.rows is not None
    begun = release.rows_begun(["new", NAMES[2], "other", NAMES[0]])
    expected = torch.stack([release.mean_row, release.rows[2], release.mean_row, release.rows[0]])
    assert torch.equal(begun, expected)
    begun.add_(1)
    assert torch.equal(release.rows_begun(["new"])[0], release.mean_row), "learning does not change the release"
    assert torch.equal(release.rows, release_of().rows)


def test_without_rows_every_view_begins_at_the_mean_row():
    release = release_of(names=[])
    assert torch.equal(release.rows_begun(["aaaa", "bbbb"]), release.mean_row.expand(2, -1))
    with pytest.raises(InputError, match=r"no embedding row for 1 of 1 views"):
        release.rows_named(["aaaa"])


def test_rows_follow_their_tasks_into_another_order_of_tasks(tmp_path):
    """As fault 6, from end to end: views drawn for tasks in another order find their own rows in a saved release."""
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tasks = [Task(task_id, (Pair(grid, grid),), (Pair(grid),)) for task_id in ("aaaa", "bbbb", "cccc")]
    views, turned = draw_views(tasks, 6, seed=0), draw_views(tasks[::-1], 6, seed=0)
    saved = load_release(save_release(release_of(names=list(views.names())), tmp_path / "release"))
    rows = saved.rows_named(list(turned.names()))
    assert saved.rows is not None
    for row in range(len(turned)):
        original = list(views.names()).index(turned.name(row))
        assert torch.equal(rows[row], saved.rows[original])
    assert not torch.equal(rows, saved.rows)


# --- damaged releases -----------------------------------------------------------------------------------------------


def rewrite(path: Path, change) -> None:
    save_file(change(load_file(path)), path)


def without(*names: str):
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edit_config(change):
    def edit(path: Path) -> None:
        values = json.loads(path.read_text())
        path.write_text(json.dumps(change(values)))

    return edit


DAMAGE = {
    "weights cut off": ("weights.safetensors", cut, "damaged"),
    "weights that are text": ("weights.safetensors", lambda p: p.write_text("weights"), "damaged"),
    "empty weights": ("weights.safetensors", lambda p: p.write_bytes(b""), "damaged"),
    "no weights": ("weights.safetensors", Path.unlink, "no such file"),
    "no mean row": ("weights.safetensors", lambda p: rewrite(p, without("mean_row")), "no mean_row"),
    "rows cut off": ("rows.safetensors", cut, "damaged"),
    "no rows": ("rows.safetensors", Path.unlink, "no such file"),
    "rows by another name": (
        "rows.safetensors",
        lambda p: rewrite(p, lambda t: {"table": t["rows"]}),
        "no tensor named rows",
    ),
    "no names": ("rows.txt", Path.unlink, "cannot be read"),
    "names that are no text": ("rows.txt", lambda p: p.write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "no configuration": ("config.json", Path.unlink, "no such file"),
    "configuration cut off": ("config.json", lambda p: p.write_text(p.read_text()[:30]), "not JSON"),
    "configuration of something else": ("config.json", lambda p: p.write_text('{"a": 1}'), "not the configuration"),
    "another format": ("config.json", edit_config(lambda v: v | {"format": 2}), "not the configuration"),
    "a text for a size": (
        "config.json",
        edit_config(lambda v: v | {"model": v["model"] | {"D": "16"}}),
        "D = '16', expected a whole number",
    ),
    "a text for the expansion": (
        "config.json",
        edit_config(lambda v: v | {"model": v["model"] | {"expansion": "4"}}),
        "expansion = '4', expected a number",
    ),
    "an origin that is no object": ("config.json", edit_config(lambda v: v | {"about": [1]}), "about"),
}


@pytest.mark.parametrize(("file", "damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_release_is_an_error_that_names_the_file_and_what_is_wrong(file, damage, said, folder):
    damage(folder / file)
    with pytest.raises(InputError) as error:
        load_release(folder)
    assert str(folder / file) in str(error.value)
    assert said in str(error.value)


def other_sizes(config: ModelConfig):
    def change(folder: Path) -> None:
        edit_config(lambda v: v | {"model": dataclasses.asdict(config)})(folder / "config.json")

    return change


def rewrite_rows(change):
    return lambda folder: rewrite(folder / "rows.safetensors", lambda t: {"rows": change(t["rows"]).contiguous()})


def rewrite_weights(change):
    return lambda folder: rewrite(folder / "weights.safetensors", change)


MISMATCH = {
    "fewer names than rows": (lambda f: (f / "rows.txt").write_text("aaaa\nbbbb\n"), "4 rows but 2 names"),
    "a name twice": (lambda f: (f / "rows.txt").write_text("a\nb\nc\na\n"), "twice"),
    "rows of another width": (rewrite_rows(lambda r: r[:, :-1]), "rows of (4, 19), expected (rows, 20)"),
    "rows in one line": (rewrite_rows(lambda r: r[0, :4]), "rows of ("),
    "no row but a number": (rewrite_rows(lambda r: r[0, 0]), "rows of ("),
    "a mean row of another width": (rewrite_weights(lambda t: t | {"mean_row": torch.zeros(3)}), "mean row of (3,)"),
    "another D": (other_sizes(dataclasses.replace(CONFIG, D=32)), "another architecture:"),
    "another layer": (other_sizes(dataclasses.replace(CONFIG, layers=2)), "another architecture: without blocks.1."),
    "mixing by MLP": (other_sizes(dataclasses.replace(CONFIG, mixing="mlp")), "another architecture: without"),
    "a weight less": (
        rewrite_weights(without("z_start")),
        "another architecture: without z_start",
    ),
    "a weight more": (
        rewrite_weights(lambda t: t | {"extra": torch.zeros(1)}),
        "another architecture: unknown extra",
    ),
    "a weight turned": (
        rewrite_weights(lambda t: t | {"output_head.weight": t["output_head.weight"].T.contiguous()}),
        "another architecture: output_head.weight of (16, 12), expected (12, 16)",
    ),
}


@pytest.mark.parametrize(("damage", "said"), MISMATCH.values(), ids=MISMATCH)
def test_files_that_do_not_belong_together_are_an_error_that_names_the_folder_and_what_is_wrong(damage, said, folder):
    damage(folder)
    with pytest.raises(InputError) as error:
        load_release(folder)
    assert str(folder) in str(error.value)
    assert said in str(error.value)


def test_a_folder_that_is_not_there_is_an_error_with_its_path(tmp_path):
    for path in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match=f"{path.name}: there is no such release folder"):
            load_release(path)


@pytest.mark.parametrize(("names", "rows"), [(["a"], None), ([], torch.zeros(1, 20)), (["a", "a"], torch.zeros(2, 20))])
def test_a_release_is_not_made_with_rows_and_names_that_do_not_match(names, rows):
    with pytest.raises(InputError):
        Release(CONFIG, {}, torch.zeros(20), names, rows)


# --- averaged weights -----------------------------------------------------------------------------------------------


def test_averages_are_swapped_in_and_out_again_and_no_table_is_copied():
    model = TinyRecursiveModel(CONFIG)
    ema = EMA(model, decay=0.9)
    assert ema.average.keys() == dict(model.named_parameters()).keys(), "of the trunk only: rows have no average"
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    ema.update(model, torch.tensor(True))
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    averages = {name: tensor.clone() for name, tensor in ema.average.items()}
    pointers = {p.data_ptr() for p in model.parameters()} | {t.data_ptr() for t in ema.average.values()}
    for name, average in averages.items():
        torch.testing.assert_close(average, weights[name] - 0.9)  # 0.9 · (w − 1) + 0.1 · w
    with ema.applied(model):
        assert all(torch.equal(p, averages[name]) for name, p in model.named_parameters())
        assert {p.data_ptr() for p in model.parameters()} <= pointers, "nothing is copied"
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    assert all(torch.equal(ema.average[name], average) for name, average in averages.items())


def test_averages_are_swapped_out_also_when_something_fails():
    model = TinyRecursiveModel(CONFIG)
    ema = EMA(model, decay=0.9)
    with torch.no_grad():
        model.output_head.weight.zero_()
    with pytest.raises(RuntimeError, match="half way"), ema.applied(model):  # noqa: PT012
        assert model.output_head.weight.any()
        raise RuntimeError("half way")
    assert not model.output_head.weight.any()
    assert ema.average["output_head.weight"].any()


def test_averages_stand_still_bit_for_bit_when_a_step_is_not_finite():
    model = TinyRecursiveModel(CONFIG)
    ema = EMA(model, decay=0.9)
    before = {name: tensor.clone() for name, tensor in ema.average.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    ema.update(model, torch.tensor(False))
    assert all(torch.equal(ema.average[name], tensor) for name, tensor in before.items())


def test_training_goes_on_with_its_own_weights_after_averages_were_applied():
    """What changes weights in place must find the weights, not the averages."""
    model = TinyRecursiveModel(CONFIG)
    ema = EMA(model, decay=0.0)
    held = list(model.parameters())  # as an optimiser holds them
    with ema.applied(model):
        pass
    with torch.no_grad():
        for parameter in held:
            parameter.fill_(3)
    assert all((parameter == 3).all() for parameter in model.parameters())
    assert not any((average == 3).all() for average in ema.average.values())
