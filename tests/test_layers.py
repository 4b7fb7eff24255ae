"""The way of the data is the list of files: who may import whom, read off the source itself."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arckit"

# Each imports only from itself and from those before it. What is not named here (recipes, show, kaggle, cli,
# the package itself) stands on top and may import them all.
LAYERS = ("errors", "data", "answers", "config", "model", "training", "solving")
TOP = len(LAYERS)

TORCH = ("torch", "accelerate", "safetensors.torch")  # torch, and what imports it
LAZY = ("datasets", "pooch", "matplotlib", "typer")  # slow to import, or not there on Kaggle


@dataclass(frozen=True)
class Import:
    file: Path
    line: int
    name: str  # with its dots, what is imported included: "arckit.data.task.Task"
    at_once: bool  # when the module itself is imported, not when a function runs or types are checked

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.name}"

    def is_of(self, *packages: str) -> bool:
        return any(f"{self.name}.".startswith(f"{package}.") for package in packages)


def layer(parts: tuple[str, ...]) -> int:
    """The place in LAYERS of a dotted name or of a path, split, that starts with the package."""
    name = parts[1].removesuffix(".py") if len(parts) > 1 else ""
    return LAYERS.index(name) if name in LAYERS else TOP


def layer_of_file(file: Path) -> int:
    return layer(file.relative_to(PACKAGE.parent).parts)


def imports_in(file: Path) -> Iterator[Import]:
    """Every import in a file, at any depth, relative ones spelt out."""
    package = file.parent.relative_to(PACKAGE.parent).parts

    def walk(node: ast.AST, at_once: bool) -> Iterator[Import]:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(file, node.lineno, alias.name, at_once)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package[: len(package) - level + 1] if level else ()
                for alias in names:
                    name = ".".join(filter(None, (*start, module, alias.name)))
                    yield Import(file, node.lineno, name, at_once)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                at_once = False
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                at_once = False
        for child in ast.iter_child_nodes(node):
            yield from walk(child, at_once)

    return walk(ast.parse(file.read_text(encoding="utf-8")), at_once=True)


FILES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [one for file in FILES for one in imports_in(file)]


def test_every_layer_is_there_to_be_looked_at():
    assert {layer_of_file(file) for file in FILES} >= set(range(TOP))
    assert any(one.is_of("arckit.data") for one in IMPORTS)


def test_no_layer_imports_from_a_later_one():
    wrong = [
        one for one in IMPORTS if one.is_of("arckit") and layer(tuple(one.name.split("."))) > layer_of_file(one.file)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_nothing_before_the_model_imports_torch_not_even_inside_a_function():
    before_torch = LAYERS.index("model")
    wrong = [one for one in IMPORTS if one.is_of(*TORCH) and layer_of_file(one.file) < before_torch]
    assert not wrong, "\n".join(map(str, wrong))


def test_datasets_and_pooch_are_imported_only_when_a_function_needs_them():
    wrong = [one for one in IMPORTS if one.is_of("datasets", "pooch") and one.at_once]
    assert not wrong, "\n".join(map(str, wrong))


def test_only_pictures_import_matplotlib_before_they_need_it():
    elsewhere = [one for one in IMPORTS if one.file != PACKAGE / "show.py"]
    wrong = [one for one in elsewhere if one.is_of("matplotlib") and one.at_once]
    assert not wrong, "\n".join(map(str, wrong))


def test_only_the_command_line_knows_typer():
    wrong = [one for one in IMPORTS if one.is_of("typer", "click") and one.file != PACKAGE / "cli.py"]
    assert not wrong, "\n".join(map(str, wrong))


def test_importing_arckit_its_settings_its_data_and_its_answers_loads_nothing_heavy():
    """As above, for what our source does not show: what the packages we import import themselves."""
    program = """
import importlib, pkgutil, sys
import arckit, arckit.answers, arckit.config, arckit.data
for package in (arckit.data, arckit.answers):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        print(module.name)
print(*sys.modules)
"""
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    *modules, loaded = output.splitlines()
    assert "arckit.data.task" in modules
    assert not {*TORCH, *LAZY} & set(loaded.split())


def source_files() -> list[Path]:
    """Every text file in the repository, also one not yet added; without git, all but what runs leave."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        files = [ROOT / name for name in listed.split("\0") if name]
    else:
        made = {".venv", ".git", ".pytest_cache", ".ruff_cache", "__pycache__", "demo", "runs", "dist"}
        files = [file for file in ROOT.rglob("*") if not made.intersection(file.relative_to(ROOT).parts)]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()]


@pytest.mark.parametrize(
    ("what", "pattern", "exempt"),
    [
        # In two pieces, so that this file does not contain them.
        ("the folder beside the checkout", r"\.\." + "/shared", {".ci/run"}),
        ("a path of one machine", r"(?<![\w.~-])/" + r"(work|root|home|Users)/", set()),
    ],
    ids=["the folder beside it", "a path of one machine"],
)
def test_no_file_in_the_repository_names(what, pattern, exempt):
    files = [file for file in source_files() if file.relative_to(ROOT).as_posix() not in exempt]
    assert Path(__file__).resolve() in [file.resolve() for file in files]
    wrong = [
        f"{file.relative_to(ROOT)}:{number} names {what}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert not wrong, "\n".join(wrong)
