"""Collections: where public tasks are looked for, which version they are, how they are fetched and passed on.

A name is `collection/split`, as in `arc-agi-1/evaluation`. Looked for in this order, the first find counts:
a path that the caller gives, the environment variable ARCKIT_DATA, Kaggle's mounts, the user's cache (which
`fetch` fills). The starter set lies in the package.
"""

import hashlib
import os
import re
import sys
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from arckit.data.grid import as_grid, describe
from arckit.data.task import Pair, Task, TaskSet, read_json, read_tasks
from arckit.errors import InputError

if TYPE_CHECKING:
    import datasets

COLLECTIONS = MappingProxyType(
    {
        "arc-agi-1": ("training", "evaluation"),
        "arc-agi-2": ("training", "evaluation", "test"),
        "concept-arc": ("concept",),
        "starter": ("training", "evaluation"),
    }
)
"""Every collection that has a name, and its splits."""

KAGGLE = Path("/kaggle/input")
STARTER = Path(__file__).parent / "starter"

Layout = Literal["kaggle", "folder"]
Format = Literal["arrow", "parquet"]


@dataclass(frozen=True)
class Found:
    """One split of one collection, and where it lies.

    Attributes:
        where: what led there: "path", "ARCKIT_DATA", "Kaggle", "cache" or "starter".
        layout: "kaggle" for combined files, "folder" for one file a task, as on GitHub.
        path: the challenges file, or the folder.
        solutions: the solutions file, where there is one; a folder's task files hold their own test outputs.
    """

    collection: str
    split: str
    where: str
    layout: Layout
    path: Path
    solutions: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.collection}/{self.split}"


@dataclass(frozen=True)
class Listing:
    """A line of `arckit data list`: a name, and where it was found or how to get it."""

    name: str
    found: Found | None

    @property
    def line(self) -> str:
        if self.found:
            return f"{self.name}: {self.found.where}, {self.found.path}"
        return f"{self.name}: not found: {_remedy(self.name)}"


@dataclass(frozen=True)
class Info:
    """What a split holds.

    Attributes:
        known_outputs: test inputs whose output is known, of `test_inputs`.
        largest: height and width of the grid with most cells, inputs and outputs alike.
        content_hash: `fingerprint` of the tasks.
        version: which published version has that content, or "unknown version".
    """

    found: Found
    tasks: int
    demonstrations: int
    test_inputs: int
    known_outputs: int
    largest: tuple[int, int]
    content_hash: str
    version: str


@dataclass(frozen=True)
class Checked:
    """A fetched split; `version` names the known content that it equals, if it does."""

    name: str
    tasks: int
    content_hash: str
    version: str | None

    @property
    def line(self) -> str:
        state = f"verified, {self.version}" if self.version else "NOT verified, no known hash to compare with"
        return f"{self.name}: {self.tasks} tasks, {state}; sha256 {self.content_hash}"


@dataclass(frozen=True)
class Fetched:
    """What `fetch` left in `path`; `downloaded` is False where it was there already."""

    collection: str
    path: Path
    url: str
    downloaded: bool
    splits: tuple[Checked, ...]


@dataclass(frozen=True)
class Source:
    """Where a collection is published, and which files of its archive are tasks.

    Attributes:
        expected: by split, the fingerprint that the tasks have to have; None where we know none.
    """

    repository: str
    commit: str
    members: str
    expected: Mapping[str, str | None]

    def url(self, base: str) -> str:
        return f"{base.rstrip('/')}/{self.repository}/archive/{self.commit}.zip"


# Fingerprints of whole splits, with and without test outputs.
VERSIONS = {
    # With the corrections made on GitHub up to June 2024 (task 20818e16 among them).
    "e7fa9f0af5539236030f75500441afb00fc07305d89cc739f9e936547b45df31": "ARC-AGI-1 as corrected in 2024",
    "78226469c32c057c481b35c9fd9e123476b2c170c492f41dca9e2c146a0471a9": "ARC-AGI-1 as corrected in 2024",
    "37ed9cb2176931b39ea4a66b332b8a269e8a425a4982b2e4eefeca36294ce38b": "ARC-AGI-1 as corrected in 2024",
    "e10ddd7bff671ea985c0ddc848ed0a93e2c5ffc955326789ac035203e97a8c48": "ARC-AGI-1 as corrected in 2024",
    "91712a9bdb5e84910ce43cd4312ac206c0d0f2af707a25a18ed5aa06c2bf66fd": "ARC Prize 2025 and 2026",
    "09bfbe7ba53b3bf8953acc8442ab6ed2486390f5e59a24e95eeb2c15e8eb6c88": "ARC Prize 2025 and 2026",
    "1041590f19a9b9374c4e4aca2787f6fb2df98ad13627b808f249b85018c864ab": "ARC Prize 2025 and 2026",
    "da60633b55aff5dd0715ee3930462c08d08a060541e95228ff77c9df788c4565": "ARC Prize 2025 and 2026",
    "a6e877f06df847b1fe702425c80fcc482784b686b8473209ec926f3fc8cb610e": (
        "ARC Prize 2025 and 2026, the placeholder"  # training tasks; the scored rerun has others
    ),
    # Six tasks differ from Kaggle's: mostly in how many test inputs they have.
    "48176c403887d104792bcf628ca3a8ebb6a7ae123e61574b1cf58581c43b2ef6": "ARC-AGI-2 on GitHub",
    "e65e3dd6d468c950cea430da3bbfc33f4e1787ef77e479f5bec1556e04e79cc9": "ARC-AGI-2 on GitHub",
    "2333bb1d33c4b9ef39c6d9b15427a648a6753d01a125f603fd93d038caf43476": "ConceptARC, without minimal tasks",
    "0735a19d6f6dfa5348f3d254e38e5e214df00307c71f03b43974df467c0d441f": "ConceptARC, without minimal tasks",
}

# GitHub makes these archives when asked and does not promise their bytes, so that an archive's own sha256
# cannot be pinned. The commit is, and the sha256 of the tasks in it wherever a copy was at hand to take it
# from. The copies of ARC-AGI-1 and ConceptARC were combined files, not checkouts of these commits, and nobody
# has yet run `fetch` against GitHub itself.
SOURCES = {
    "arc-agi-1": Source(
        "fchollet/ARC-AGI",
        "399030444e0ab0cc8b4e199870fb20b863846f34",
        r"data/(?:training|evaluation)/[0-9a-f]{8}\.json",
        {
            "training": "e7fa9f0af5539236030f75500441afb00fc07305d89cc739f9e936547b45df31",
            "evaluation": "37ed9cb2176931b39ea4a66b332b8a269e8a425a4982b2e4eefeca36294ce38b",
        },
    ),
    "arc-agi-2": Source(
        "arcprize/ARC-AGI-2",
        "f3283f727488ad98fe575ea6a5ac981e4a188e49",
        r"data/(?:training|evaluation)/[0-9a-f]{8}\.json",
        {
            "training": None,  # Kaggle's is known, GitHub's may differ from it as in evaluation
            "evaluation": "48176c403887d104792bcf628ca3a8ebb6a7ae123e61574b1cf58581c43b2ef6",
        },
    ),
    "concept-arc": Source(
        "victorvikram/ConceptARC",
        "0e67da6af879e4bad3d7cd3c196e8d551b445725",
        # Without `<Concept>Minimal.json`, which only screened human solvers.
        r"corpus/(?P<concept>[A-Za-z0-9]+)/(?P=concept)[0-9]+\.json",
        {"concept": "2333bb1d33c4b9ef39c6d9b15427a648a6753d01a125f603fd93d038caf43476"},
    ),
}


def list_collections(kaggle: Path = KAGGLE) -> list[Listing]:
    """Every split that has a name, found or not: the lines of `arckit data list`."""
    first: dict[str, Found] = {}
    for where, root in _places(kaggle):
        for found in _scan(root, where):
            first.setdefault(found.name, found)
    names = [f"{collection}/{split}" for collection, splits in COLLECTIONS.items() for split in splits]
    return [Listing(name, first.get(name)) for name in names]


def find(name: str, path: str | Path | None = None, kaggle: Path = KAGGLE) -> Found:
    """Find a split by its name.

    Args:
        name: `collection/split`.
        path: look here and nowhere else: a challenges file, a folder of task files, or a folder somewhere
            above either.

    Raises:
        InputError: no such name, or not found; the message says where it was looked for and what gets it.
    """
    collection, split = _parse(name)
    if path is not None:
        return _find_under(Path(path), collection, split)
    places = _places(kaggle)
    for where, root in places:
        for found in _scan(root, where):
            if found.name == name:
                return found
    looked = ", ".join(f"{where} ({root})" for where, root in places)
    unset = "" if "ARCKIT_DATA" in os.environ else "ARCKIT_DATA (not set), "
    raise InputError(f"{name}: not found in {unset}{looked}. Get it: {_remedy(name)}")


def load(name: str, path: str | Path | None = None, kaggle: Path = KAGGLE) -> TaskSet:
    """Read a split by its name, with test outputs where they are known. See `find` for the arguments.

    What is no collection's name may be a challenges file, which takes the solutions file beside it, a folder, or what
    `export` wrote.
    """
    if path is None and name.partition("/")[0] not in COLLECTIONS and Path(name).exists():
        file = Path(name)
        if file.suffix == ".parquet" or (file / "dataset_info.json").exists():
            return read_dataset(file)
        return read_tasks(file, _solutions_beside(file))
    return read(find(name, path, kaggle))


def read(found: Found) -> TaskSet:
    """Read a split that was found."""
    if found.layout == "folder" and found.collection == "concept-arc":
        concepts = [folder for folder in sorted(found.path.iterdir()) if _is_concept(folder)]
        tasks = tuple(task for folder in concepts for task in read_tasks(folder))
        tasks = tuple(task for task in tasks if not task.id.endswith("Minimal"))
    else:
        tasks = read_tasks(found.path, found.solutions).tasks
    return TaskSet(tasks, found.name)


def info(name: str, path: str | Path | None = None, kaggle: Path = KAGGLE) -> Info:
    """Say what a split holds and which version it is. See `find` for the arguments."""
    found = find(name, path, kaggle)
    tasks = read(found)
    pairs = [pair for task in tasks for pair in task.demonstrations + task.tests]
    grids = [grid for pair in pairs for grid in (pair.input, pair.output) if grid is not None]
    height, width = max((grid.shape for grid in grids), key=lambda shape: (shape[0] * shape[1], shape))
    content_hash = fingerprint(tasks)
    version = "comes with arckit" if found.where == "starter" else VERSIONS.get(content_hash, "unknown version")
    return Info(
        found,
        len(tasks),
        sum(len(task.demonstrations) for task in tasks),
        sum(len(task.tests) for task in tasks),
        sum(pair.output is not None for task in tasks for pair in task.tests),
        (height, width),
        content_hash,
        version,
    )


def fingerprint(tasks: TaskSet) -> str:
    """The content hash of the tasks in the order of their ids: combined files have orders of their own."""
    return replace(tasks, tasks=tuple(sorted(tasks, key=lambda task: task.id))).content_hash()


def cache_folder() -> Path:
    """Where `fetch` puts collections: the platform's folder for what can be fetched again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "arckit" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "arckit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arckit"


def fetch(
    name: str,
    destination: str | Path | None = None,
    base_url: str = "https://github.com",
    progress: bool = False,
) -> Fetched:
    """Download a collection from its public repository: whole and checked, or not at all.

    The archive of one commit is loaded into a temporary folder, its tasks are unpacked and read, and their
    sha256 is compared where one is known; then the folder is renamed into place.

    Args:
        name: a collection; a split's name means its whole collection.
        destination: a folder to put the collection's folder in; None means the cache, where `find` looks.
        progress: show a bar.

    Raises:
        InputError: it is not published, cannot be reached, is cut off, damaged, or holds other tasks than
            expected; nothing of it is left behind.
    """
    collection = name.partition("/")[0]
    if collection not in SOURCES:
        raise InputError(f"{name}: cannot be fetched, expected one of {', '.join(SOURCES)}")
    source = SOURCES[collection]
    url = source.url(base_url)
    parent = cache_folder() if destination is None else Path(destination)
    target = parent / collection
    if target.exists():
        try:
            return Fetched(collection, target, url, False, _check(collection, source, target))
        except InputError as error:
            raise InputError(f"{error}. It is there already: delete {target} to fetch it again") from None
    with _whole(target) as temporary:
        archive = temporary / "archive.zip"
        _download(url, archive, progress)
        unpacked = temporary / collection
        try:
            _unpack(archive, unpacked, source)
            splits = _check(collection, source, unpacked)
        except InputError as error:
            raise InputError(f"{url}: {error}. Nothing of it was kept") from None
        os.replace(unpacked, target)
    return Fetched(collection, target, url, True, splits)


def export(tasks: TaskSet, destination: str | Path, format: Format = "arrow") -> Path:
    """Write tasks as a Hugging Face dataset: whole, or not at all.

    One row a task, with the JSON's own names: `id`, `set`, `train` and `test`, both lists of `input` and
    `output`. An unknown test output is null.

    Args:
        destination: a folder for "arrow", a file for "parquet"; there must be nothing there yet.

    Raises:
        InputError: there is something there, or it cannot be written.
    """
    if format not in get_args(Format):
        raise InputError(f"format {format!r}, expected one of {', '.join(get_args(Format))}")
    target = Path(destination)
    if target.exists():
        raise InputError(f"{target}: there is something there already; delete it, or choose another name")
    rows = [{"id": task.id, "set": tasks.name} | _with_all_keys(task.to_json()) for task in tasks]
    with _whole(target) as temporary, _quiet_datasets() as datasets:
        dataset = datasets.Dataset.from_list(rows, features=_features())
        written = temporary / "dataset"
        if format == "arrow":
            dataset.save_to_disk(str(written))
        else:
            dataset.to_parquet(str(written))
        os.replace(written, target)
    return target


def read_dataset(path: str | Path) -> TaskSet:
    """Read back what `export` wrote, or a dataset with the same columns; every grid is checked.

    Raises:
        InputError: it is not there, cannot be read, lacks a column, or holds something that is not a task.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such dataset")
    with _quiet_datasets() as datasets:
        try:
            if path.is_dir():
                dataset = datasets.load_from_disk(str(path))
            else:
                import pyarrow.parquet  # which datasets stands on; its own reader leaves a copy in a cache

                dataset = datasets.Dataset(pyarrow.parquet.read_table(path))
            if not isinstance(dataset, datasets.Dataset):
                raise InputError(f"{path}: several splits, expected one: {', '.join(dataset)}")
            dataset.data.table.validate(full=True)  # unchecked offsets of a damaged file would end the process
            rows = dataset.with_format(None).to_list()
        except InputError:
            raise
        except Exception as error:  # whatever two libraries raise for bytes that they did not write
            raise InputError(f"{path}: not a dataset, or damaged: {_first_line(error)}") from None
    missing = {"id", "train", "test"} - set(dataset.column_names)
    if missing:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))} among {', '.join(dataset.column_names)}")
    if not rows:
        raise InputError(f"{path}: found no tasks, expected at least one")
    name = rows[0].get("set")
    return TaskSet(tuple(_task(row, str(path)) for row in rows), name if isinstance(name, str) else path.stem)


# Where things lie.

_MAX_DEPTH = 7  # /kaggle/input/datasets/<owner>/<slug>/<repository>/data/training, and one to spare
_MAX_FOLDERS = 5_000  # a mounted image collection must not cost minutes
_MAX_ENTRIES = 10_000


def _places(kaggle: Path) -> list[tuple[str, Path]]:
    places = [("Kaggle", kaggle), ("cache", cache_folder()), ("starter", STARTER)]
    if "ARCKIT_DATA" in os.environ:
        root = Path(os.environ["ARCKIT_DATA"])
        if not root.is_dir():
            raise InputError(f"ARCKIT_DATA: there is no folder {str(root)!r}")
        places.insert(0, ("ARCKIT_DATA", root))
    return places


def _parse(name: str) -> tuple[str, str]:
    collection, _, split = name.partition("/")
    if split not in COLLECTIONS.get(collection, ()):
        names = ", ".join(f"{c}/{s}" for c, splits in COLLECTIONS.items() for s in splits)
        raise InputError(f"{name!r} is not a collection/split; there are {names}")
    return collection, split


def _remedy(name: str) -> str:
    collection, _, split = name.partition("/")
    if collection in SOURCES and split in SOURCES[collection].expected:
        return f"arckit data fetch {collection}"
    if collection == "starter":
        return "this installation of arckit is not whole; install it again"
    return "it comes with the competition's folder: point ARCKIT_DATA at that"


def _find_under(path: Path, collection: str, split: str) -> Found:
    name = f"{collection}/{split}"
    if path.is_file():
        return Found(collection, split, "path", "kaggle", path, _solutions_beside(path))
    if not path.is_dir():
        raise InputError(f"{path}: there is no such file or folder")
    others: list[Found] = []
    for found in _scan(path, "path"):
        if found.split == split and found.collection in (
            collection,
            "",
        ):  # what nobody can tell, the caller can
            return replace(found, collection=collection)
        others.append(found)
    if not others and any(path.glob("*.json")):
        return Found(collection, split, "path", "folder", path)
    holds = ", ".join(sorted({f"{found.collection or 'unknown'}/{found.split}" for found in others}))
    raise InputError(f"{path}: no {name} in this folder, found {holds or 'no tasks'}")


def _scan(root: Path, where: str) -> list[Found]:
    """Everything known under a folder; combined files first, for they are what a leaderboard scores."""
    founds: list[Found] = []
    waiting = deque([(root, 0)])
    for _ in range(_MAX_FOLDERS):
        if not waiting:
            break
        folder, depth = waiting.popleft()
        here, children = _look(folder, root, where)
        founds += here
        if depth < _MAX_DEPTH and not any(found.layout == "folder" for found in here):
            waiting.extend((child, depth + 1) for child in children)
    return sorted(founds, key=lambda found: found.layout != "kaggle")  # stable: shallow ones stay first


def _look(folder: Path, root: Path, where: str) -> tuple[list[Found], list[Path]]:
    """What lies in one folder itself, and which folders to look into next."""
    try:
        with os.scandir(folder) as entries:
            names = {entry.name: entry.is_dir() for entry in entries}
    except OSError:
        return [], []  # not there, or not ours to read: no tasks for us
    if len(names) > _MAX_ENTRIES:
        return [], []
    files = sorted(name for name, is_folder in names.items() if not is_folder)
    children = [folder / name for name, is_folder in sorted(names.items()) if is_folder and not name.startswith(".")]
    if any(_is_concept(child) for child in children):
        return [Found("concept-arc", "concept", where, "folder", folder)], children
    if folder.name in ("training", "evaluation"):
        count = sum(bool(re.fullmatch(r"[0-9a-f]{8}\.json", name)) for name in files)
        if count:
            collection = _by_name(folder, root) or _BY_COUNT.get((folder.name, count), "")
            return [Found(collection, folder.name, where, "folder", folder)], children
    matches = [re.fullmatch(r"arc-agi_([a-z]+)_challenges\.json", name) for name in files]
    splits = [match[1] for match in matches if match]
    if not splits:
        return [], children
    collection = "starter" if folder == STARTER else _by_name(folder, root) or _by_content(folder, splits)
    founds = []
    for split in splits:
        owner = "concept-arc" if split == "concept" else collection
        if not owner or split in COLLECTIONS[owner]:
            path = folder / f"arc-agi_{split}_challenges.json"
            founds.append(Found(owner, split, where, "kaggle", path, _solutions_beside(path)))
    return founds, children


def _is_concept(folder: Path) -> bool:
    return (folder / f"{folder.name}1.json").is_file()


def _solutions_beside(path: Path) -> Path | None:
    if not path.name.endswith("_challenges.json"):
        return None
    solutions = path.with_name(path.name.removesuffix("_challenges.json") + "_solutions.json")
    return solutions if solutions.is_file() else None


_BY_COUNT = {
    ("training", 400): "arc-agi-1",
    ("training", 1000): "arc-agi-2",
    ("evaluation", 400): "arc-agi-1",
    ("evaluation", 120): "arc-agi-2",
}


def _by_name(folder: Path, root: Path) -> str:
    """Which ARC-AGI a folder is by its own name or one above it, the nearest first; "" where none says.

    Both share file names, so that folder names are all there is to go by without reading. Names above the
    root and its parent say nothing: somebody's project may be called anything.
    """
    inside = folder.relative_to(root).parts
    for part in (*reversed(inside), root.name, root.parent.name):
        part = part.lower()
        if match := re.search(r"arc[-_ ]?agi[-_ ]?([12])(?![0-9a-z])", part):
            return f"arc-agi-{match[1]}"
        if match := re.search(r"arc[-_ ]?prize[-_ ]?(2024|2025|2026)", part):
            return "arc-agi-1" if match[1] == "2024" else "arc-agi-2"
    return ""


def _by_content(folder: Path, splits: list[str]) -> str:
    """Which ARC-AGI a folder of combined files is by how many tasks it has; "" where that says nothing."""
    for split in ("training", "evaluation"):
        if split in splits:
            try:
                challenges = read_json(folder / f"arc-agi_{split}_challenges.json")
            except InputError:
                continue  # nobody asked for this file yet; whoever names its path gets the message
            if collection := _BY_COUNT.get((split, len(challenges) if isinstance(challenges, dict) else 0)):
                return collection
    return ""


# Fetching.


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target: what is renamed out of it is whole, the rest goes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside, for a rename is atomic only within a file system; with a dot, for `_scan` skips those.
        with tempfile.TemporaryDirectory(prefix=".arckit-", dir=target.parent) as temporary:
            yield Path(temporary)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or _first_line(error)})") from None


def _download(url: str, archive: Path, progress: bool) -> None:
    import pooch
    import requests

    instead = "try again, or download it by hand, unpack it and point ARCKIT_DATA at the folder"
    try:
        pooch.HTTPDownloader(progressbar=progress, timeout=30)(url, str(archive), None)
    except requests.HTTPError as error:
        status = "with an error" if error.response is None else error.response.status_code
        raise InputError(f"{url}: the server answered {status}; {instead}") from None
    except requests.RequestException as error:
        raise InputError(f"{url}: no connection, or cut off ({type(error).__name__}); {instead}") from None


def _unpack(archive: Path, folder: Path, source: Source) -> None:
    """Unpack task files and licence: only names of the expected shape, so that none can lead elsewhere."""
    wanted = re.compile(rf"[^/\\]+/(?P<path>{source.members}|LICENSE)")
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                if match := wanted.fullmatch(member.filename):
                    path = folder / match["path"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(members.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        raise InputError(f"not a zip archive, or cut off ({error}; sha256 {digest})") from None


def _check(collection: str, source: Source, folder: Path) -> tuple[Checked, ...]:
    """Read every split and compare its fingerprint with the expected one."""
    splits = []
    for split, expected in source.expected.items():
        tasks = load(f"{collection}/{split}", folder)
        found = fingerprint(tasks)
        if expected is not None and found != expected:
            raise InputError(
                f"{collection}/{split}: the tasks' sha256 is {found}, expected {expected}"
                f" ({VERSIONS.get(expected, source.commit)})"
            )
        version = VERSIONS.get(found, "as expected" if expected else None)
        splits.append(Checked(f"{collection}/{split}", len(tasks), found, version))
    return tuple(splits)


# Hugging Face datasets.


@contextmanager
def _quiet_datasets() -> Iterator[Any]:
    import datasets

    were_shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if were_shown:
            datasets.enable_progress_bars()


def _features() -> "datasets.Features":
    from datasets import Features, List, Value

    grid = List(List(Value("uint8")))
    pairs = List({"input": grid, "output": grid})
    return Features({"id": Value("string"), "set": Value("string"), "train": pairs, "test": pairs})


def _with_all_keys(task: dict[str, Any]) -> dict[str, Any]:
    return {key: [{"output": None} | pair for pair in pairs] for key, pairs in task.items()}


def _task(row: dict[str, Any], path: str) -> Task:
    if not isinstance(row["id"], str):
        raise InputError(f"{path}: id: found {describe(row['id'])}, expected text")
    where = f"{path}: task {row['id']}"
    demonstrations = _pairs(row["train"], f"{where}: train")
    for index, pair in enumerate(demonstrations):
        if pair.output is None:
            raise InputError(f"{where}: demonstration {index}: no output")
    return Task(row["id"], demonstrations, _pairs(row["test"], f"{where}: test"))


def _pairs(value: Any, where: str) -> tuple[Pair, ...]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: found {describe(value)}, expected a list of pairs")
    pairs = []
    for index, pair in enumerate(value):
        if not isinstance(pair, dict) or not {"input", "output"} <= pair.keys():
            raise InputError(f"{where} {index}: found {describe(pair)}, expected input and output")
        output = pair["output"]
        pairs.append(
            Pair(
                as_grid(pair["input"], f"{where} {index}: input"),
                None if output is None else as_grid(output, f"{where} {index}: output"),
            )
        )
    return tuple(pairs)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
