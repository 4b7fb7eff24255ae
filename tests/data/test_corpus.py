import hashlib
import io
import json
import random
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from arckit.data import corpus
from arckit.data.task import TaskSet, read_tasks
from arckit.errors import InputError


def task(*cells, solved=True):
    test = {"input": [[*cells, 0]]} | ({"output": [[0, *cells]]} if solved else {})
    return {"train": [{"input": [list(cells)], "output": [[*cells], [*cells]]}], "test": [test]}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_kaggle(folder, split, tasks, solutions=True):
    plain = {i: t | {"test": [{"input": p["input"]} for p in t["test"]]} for i, t in tasks.items()}
    write(folder / f"arc-agi_{split}_challenges.json", plain)
    if solutions:
        outputs = {i: [p["output"] for p in t["test"]] for i, t in tasks.items()}
        write(folder / f"arc-agi_{split}_solutions.json", outputs)


def write_folder(folder, tasks):
    for task_id, value in tasks.items():
        write(folder / f"{task_id}.json", value)


ONE = {"0000000a": task(1), "0000000b": task(2)}
TWO = {"0000000c": task(3), "0000000d": task(4)}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No data of this machine's own is found by accident."""
    monkeypatch.delenv("ARCKIT_DATA", raising=False)
    monkeypatch.setattr(corpus, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def kaggle(tmp_path):
    return tmp_path / "input"


# Finding.


@pytest.mark.parametrize(("name", "kind"), [("tasks.parquet", "parquet"), ("tasks", "arrow")])
def test_what_was_exported_is_loaded_by_its_path(tmp_path, name, kind):
    tasks = corpus.load("starter/evaluation")
    corpus.export(tasks, tmp_path / name, kind)
    assert corpus.load(str(tmp_path / name)).content_hash() == tasks.content_hash()


def test_a_challenges_file_is_loaded_by_its_path_with_the_solutions_beside_it():
    path = corpus.STARTER / "arc-agi_evaluation_challenges.json"
    assert corpus.load(str(path)).content_hash() == corpus.load("starter/evaluation").content_hash()


def test_kaggles_files_are_found_with_their_solutions(kaggle):
    write_kaggle(kaggle / "arc-prize-2025", "evaluation", ONE)
    found = corpus.find("arc-agi-2/evaluation", kaggle=kaggle)
    assert (found.where, found.layout, found.name) == ("Kaggle", "kaggle", "arc-agi-2/evaluation")
    tasks = corpus.load("arc-agi-2/evaluation", kaggle=kaggle)
    assert tasks.name == "arc-agi-2/evaluation"
    assert tasks.ids == ("0000000a", "0000000b")
    assert all(pair.output is not None for task in tasks for pair in task.tests)


def test_without_a_solutions_file_outputs_are_unknown(kaggle):
    write_kaggle(kaggle / "arc-prize-2026", "test", ONE, solutions=False)
    tasks = corpus.load("arc-agi-2/test", kaggle=kaggle)
    assert all(pair.output is None for task in tasks for pair in task.tests)


@pytest.mark.parametrize(
    "mount",
    [
        "arc-prize-2025",
        "competitions/arc-prize-2025",
        "datasets/somebody/arc-agi-2",
        "datasets/somebody/my-data/ARC_AGI_2-main/combined",
    ],
)
def test_every_kind_of_mount_is_looked_into(kaggle, mount):
    write_kaggle(kaggle / mount, "training", ONE)
    assert corpus.find("arc-agi-2/training", kaggle=kaggle).path.parent == kaggle / mount


@pytest.mark.parametrize(
    ("folder", "collection"),
    [
        ("arc-agi-1", "arc-agi-1"),
        ("ARC_AGI_1", "arc-agi-1"),
        ("arc-prize-2024", "arc-agi-1"),
        ("arc-agi-2", "arc-agi-2"),
        ("ARC-AGI-2-f3283f727488ad98fe575ea6a5ac981e4a188e49", "arc-agi-2"),
        ("arc-prize-2025", "arc-agi-2"),
        ("arc-agi-1/arc-prize-2025", "arc-agi-2"),
    ],
)
@pytest.mark.parametrize("layout", ["kaggle", "folder"])
def test_the_nearest_folder_name_tells_collections_apart(kaggle, folder, collection, layout):
    if layout == "kaggle":
        write_kaggle(kaggle / folder, "training", ONE)
    else:
        write_folder(kaggle / folder / "data" / "training", ONE)
    assert corpus.find(f"{collection}/training", kaggle=kaggle).layout == layout
    listed = [line.name for line in corpus.list_collections(kaggle) if line.found]
    assert [name for name in listed if not name.startswith("starter")] == [f"{collection}/training"]


@pytest.mark.parametrize(
    ("split", "count", "collection"),
    [("training", 400, "arc-agi-1"), ("training", 1000, "arc-agi-2"), ("evaluation", 120, "arc-agi-2")],
)
@pytest.mark.parametrize("layout", ["kaggle", "folder"])
def test_where_names_say_nothing_the_number_of_tasks_tells(kaggle, split, count, collection, layout):
    many = {f"{index:08x}": task(1) for index in range(count)}
    # "399…" is a commit of ARC-AGI, not a version of it.
    folder = kaggle / "ARC-AGI-399030444e0ab0cc8b4e199870fb20b863846f34"
    if layout == "kaggle":
        write_kaggle(folder, split, many)
    else:
        write_folder(folder / "data" / split, many)
    assert corpus.find(f"{collection}/{split}", kaggle=kaggle).layout == layout


def test_a_commit_that_begins_like_a_version_is_no_version(tmp_path):
    for name in ("ARC-AGI-2e45aa", "ARC-AGI-10c2bf", "arc-agi-2025", "search-agi"):
        assert corpus._by_name(tmp_path / name, tmp_path) == ""


def test_names_above_the_root_and_its_parent_say_nothing(tmp_path):
    root = tmp_path / "arc-agi-2" / "work" / "data"
    write_kaggle(root, "training", ONE)
    with pytest.raises(InputError):
        corpus.find("arc-agi-2/training", kaggle=root)


def test_concept_arc_is_read_without_its_minimal_tasks(kaggle):
    folder = kaggle / "ConceptARC-0e67" / "corpus"
    for concept in ("Copy", "AboveBelow"):
        write_folder(folder / concept, {f"{concept}{index}": task(index) for index in (1, 2)})
        write(folder / concept / f"{concept}Minimal.json", task(3))
    write(folder / "Copy" / "OriginalARCEvalSet" / "x.json", "not a task")
    tasks = corpus.load("concept-arc/concept", kaggle=kaggle)
    assert tasks.ids == ("AboveBelow1", "AboveBelow2", "Copy1", "Copy2")


def test_places_are_looked_into_in_their_order(tmp_path, kaggle, monkeypatch):
    name = "arc-agi-1/training"
    write_kaggle(tmp_path / "cache" / "arc-agi-1", "training", ONE)
    assert corpus.find(name, kaggle=kaggle).where == "cache"
    write_kaggle(kaggle / "arc-agi-1", "training", ONE)
    assert corpus.find(name, kaggle=kaggle).where == "Kaggle"
    write_kaggle(tmp_path / "mine" / "arc-agi-1", "training", ONE)
    monkeypatch.setenv("ARCKIT_DATA", str(tmp_path / "mine"))
    assert corpus.find(name, kaggle=kaggle).where == "ARCKIT_DATA"
    write_kaggle(tmp_path / "given" / "arc-agi-1", "training", ONE)
    found = corpus.find(name, tmp_path / "given", kaggle)
    assert (found.where, found.path.parent.parent) == ("path", tmp_path / "given")


def test_combined_files_come_before_folders_of_task_files(kaggle):
    write_folder(kaggle / "ARC-AGI-2" / "data" / "evaluation", TWO)
    write_kaggle(kaggle / "competitions" / "deeper" / "arc-prize-2025", "evaluation", ONE)
    assert corpus.find("arc-agi-2/evaluation", kaggle=kaggle).layout == "kaggle"


def test_the_starter_set_is_always_there(kaggle):
    for split in ("training", "evaluation"):
        assert corpus.find(f"starter/{split}", kaggle=kaggle).where == "starter"
        assert corpus.info(f"starter/{split}", kaggle=kaggle).version == "comes with arckit"


def test_a_path_may_be_a_file_or_a_folder_of_tasks_whatever_they_are_called(tmp_path):
    write_kaggle(tmp_path / "any", "evaluation", ONE)
    file = tmp_path / "any" / "arc-agi_evaluation_challenges.json"
    for path in (file, tmp_path / "any", tmp_path):
        tasks = corpus.load("arc-agi-1/evaluation", path)
        assert tasks[0].tests[0].output is not None
    write_folder(tmp_path / "mine", {"my task": task(1)})
    assert corpus.load("arc-agi-1/evaluation", tmp_path / "mine").ids == ("my task",)


def test_a_path_that_holds_another_collection_is_refused(tmp_path):
    write_kaggle(tmp_path / "arc-prize-2025", "training", ONE)
    with pytest.raises(InputError, match=r"no arc-agi-1/training in this folder, found arc-agi-2/training"):
        corpus.find("arc-agi-1/training", tmp_path / "arc-prize-2025")


def test_not_found_says_where_it_looked_and_what_gets_it(tmp_path, kaggle, monkeypatch):
    with pytest.raises(InputError) as caught:
        corpus.find("arc-agi-1/training", kaggle=kaggle)
    message = str(caught.value)
    for part in (
        "ARCKIT_DATA (not set)",
        str(kaggle),
        str(tmp_path / "cache"),
        "arckit data fetch arc-agi-1",
    ):
        assert part in message
    assert "fetch" not in next(line.line for line in corpus.list_collections(kaggle) if line.name == "arc-agi-2/test")
    monkeypatch.setenv("ARCKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="ARCKIT_DATA: there is no folder"):
        corpus.list_collections(kaggle)


@pytest.mark.parametrize("name", ["arc-agi-3/training", "arc-agi-1", "arc-agi-1/test", "", "/"])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(InputError, match="there are arc-agi-1/training, "):
        corpus.find(name)


def test_the_search_stops_at_a_bounded_depth(kaggle):
    write_kaggle(kaggle.joinpath(*"abcdefgh", "arc-agi-1"), "training", ONE)
    with pytest.raises(InputError, match="not found"):
        corpus.find("arc-agi-1/training", kaggle=kaggle)


def test_a_damaged_file_that_nobody_named_is_passed_over(kaggle):
    write(kaggle / "somebody" / "arc-agi_training_challenges.json", "no tasks")
    (kaggle / "somebody" / "arc-agi_evaluation_challenges.json").write_text("{")
    assert not any(line.found for line in corpus.list_collections(kaggle) if "starter" not in line.name)


def test_info_counts_what_is_there(kaggle):
    tasks = ONE | {"0000000c": task(*range(9), solved=False)}
    write_folder(kaggle / "arc-agi-1" / "data" / "training", tasks)
    info = corpus.info("arc-agi-1/training", kaggle=kaggle)
    assert (info.tasks, info.demonstrations, info.test_inputs, info.known_outputs) == (3, 3, 3, 2)
    assert info.largest == (2, 9)
    assert info.version == "unknown version"


def test_the_fingerprint_does_not_depend_on_the_order_of_tasks(tmp_path):
    write_folder(tmp_path / "a", ONE)
    tasks = read_tasks(tmp_path / "a")
    turned = TaskSet(tasks.tasks[::-1])
    assert tasks.content_hash() != turned.content_hash()
    assert corpus.fingerprint(tasks) == corpus.fingerprint(turned)
    assert corpus.fingerprint(tasks) != corpus.fingerprint(tasks.without_solutions())


@pytest.mark.parametrize(
    ("name", "folder", "counts", "version"),
    [
        ("arc-agi-1/training", "arc-agi-1", (400, 416, 416), "ARC-AGI-1 as corrected in 2024"),
        ("arc-agi-1/evaluation", "arc-agi-1", (400, 419, 419), "ARC-AGI-1 as corrected in 2024"),
        ("arc-agi-2/evaluation", "arc-prize-2025", (120, 172, 172), "ARC Prize 2025 and 2026"),
        ("arc-agi-2/evaluation", "ARC-AGI-2", (120, 167, 167), "ARC-AGI-2 on GitHub"),
        ("arc-agi-2/test", "arc-prize-2025", (240, 259, 0), "ARC Prize 2025 and 2026, the placeholder"),
        ("concept-arc/concept", "concept-arc", (160, 480, 480), "ConceptARC, without minimal tasks"),
    ],
)
def test_real_data_is_known_by_its_content(arc_data, name, folder, counts, version):
    if not (arc_data / folder).is_dir():
        pytest.skip(f"no {folder} there")
    info = corpus.info(name, arc_data / folder)
    assert (info.tasks, info.test_inputs, info.known_outputs) == counts
    assert info.version == version


# Fetching, from a server on loopback.


class Handler(BaseHTTPRequestHandler):
    def __init__(self, answers, requests, *arguments):
        self.answers, self.requests = answers, requests
        super().__init__(*arguments)

    def do_GET(self):
        self.requests.append(self.path)
        if self.path not in self.answers:
            self.send_error(404)
            return
        body, length = self.answers[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server:
    def __init__(self):
        self.answers, self.requests = {}, []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self.answers, self.requests))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def offer(self, collection, body, length=None):
        path = corpus.SOURCES[collection].url("")
        self.answers[path] = body, len(body) if length is None else length


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def archive(files):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as members:
        for name, value in files.items():
            members.writestr(name, value if isinstance(value, str) else json.dumps(value))
    return body.getvalue()


def github(top="ARC-AGI-3990304"):
    files = {f"{top}/README.md": "read me", f"{top}/LICENSE": "Apache", f"{top}/apps/x.json": "{}"}
    files |= {f"{top}/data/training/{i}.json": t for i, t in ONE.items()}
    return files | {f"{top}/data/evaluation/{i}.json": t for i, t in TWO.items()}


@pytest.fixture
def expected(tmp_path, monkeypatch):
    """ARC-AGI-1 as if it were these four tasks: training with a known hash, evaluation without one."""
    write_folder(tmp_path / "expected", ONE)
    known = corpus.fingerprint(read_tasks(tmp_path / "expected"))
    source = replace(corpus.SOURCES["arc-agi-1"], expected={"training": known, "evaluation": None})
    monkeypatch.setitem(corpus.SOURCES, "arc-agi-1", source)
    return known


def left_behind(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").glob("*"))


def test_fetch_unpacks_tasks_and_licence_where_find_looks(tmp_path, kaggle, server, expected):
    server.offer("arc-agi-1", archive(github()))
    fetched = corpus.fetch("arc-agi-1", base_url=server.url)
    assert fetched.downloaded
    assert fetched.path == tmp_path / "cache" / "arc-agi-1"
    assert left_behind(tmp_path) == ["arc-agi-1"]
    assert sorted(path.name for path in fetched.path.iterdir()) == ["LICENSE", "data"]
    assert corpus.load("arc-agi-1/training", kaggle=kaggle).ids == tuple(ONE)
    assert corpus.load("arc-agi-1/evaluation", kaggle=kaggle).ids == tuple(TWO)


def test_fetch_says_what_was_verified_and_what_was_not(server, expected):
    server.offer("arc-agi-1", archive(github()))
    training, evaluation = corpus.fetch("arc-agi-1/training", base_url=server.url).splits
    assert training.content_hash == expected
    assert training.line == f"arc-agi-1/training: 2 tasks, verified, as expected; sha256 {expected}"
    assert "2 tasks, NOT verified" in evaluation.line
    assert evaluation.content_hash in evaluation.line


def test_what_is_there_is_checked_and_not_fetched_again(server, expected):
    server.offer("arc-agi-1", archive(github()))
    first = corpus.fetch("arc-agi-1", base_url=server.url)
    second = corpus.fetch("arc-agi-1", base_url=server.url)
    assert not second.downloaded
    assert second.splits == first.splits
    assert len(server.requests) == 1
    (first.path / "data" / "training" / "0000000a.json").unlink()
    with pytest.raises(InputError, match=r"It is there already: delete .*arc-agi-1 to fetch it again"):
        corpus.fetch("arc-agi-1", base_url=server.url)


def test_other_tasks_than_expected_are_not_kept(tmp_path, server, expected):
    files = github() | {"ARC-AGI-3990304/data/training/0000000a.json": task(7)}
    server.offer("arc-agi-1", archive(files))
    with pytest.raises(InputError, match=rf"arc-agi-1/training: the tasks' sha256 is \w+, expected {expected}"):
        corpus.fetch("arc-agi-1", base_url=server.url)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("honest", [True, False])
def test_a_download_that_is_cut_off_leaves_nothing(tmp_path, server, expected, honest):
    body = archive(github())
    server.offer("arc-agi-1", body[: len(body) // 2], len(body) if honest else None)
    with pytest.raises(InputError, match="cut off"):
        corpus.fetch("arc-agi-1", base_url=server.url)
    assert left_behind(tmp_path) == []


def test_a_damaged_archive_leaves_nothing(tmp_path, server, expected):
    body = bytearray(archive(github()))
    position = body.index(b"0000000a.json") + 30  # within the packed bytes of a task
    body[position] ^= 0xFF
    server.offer("arc-agi-1", bytes(body))
    with pytest.raises(InputError, match="Nothing of it was kept"):
        corpus.fetch("arc-agi-1", base_url=server.url)
    assert left_behind(tmp_path) == []


def test_a_missing_archive_is_named(tmp_path, server):
    with pytest.raises(InputError, match=r"ConceptARC/archive/\w{40}\.zip: the server answered 404"):
        corpus.fetch("concept-arc", base_url=server.url)
    assert left_behind(tmp_path) == []


def test_without_a_network_the_message_says_what_to_do_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(InputError, match=r"no connection, .*by hand.* ARCKIT_DATA") as caught:
        corpus.fetch("arc-agi-2", base_url="http://127.0.0.1:9")
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == []


def test_an_interrupted_fetch_leaves_nothing(tmp_path, server, expected, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    server.offer("arc-agi-1", archive(github()))
    monkeypatch.setattr(corpus, "_check", interrupt)
    with pytest.raises(KeyboardInterrupt):
        corpus.fetch("arc-agi-1", base_url=server.url)
    assert left_behind(tmp_path) == []


def test_no_member_leads_out_of_the_folder(tmp_path, server, expected):
    evil = {
        name: task(1)
        for name in (
            "../outside.json",
            "/outside.json",
            "top/../../outside.json",
            "top/data/training/../../../../outside.json",
            "..\\data\\training\\0000000f.json",
            "top/data/training/sub/0000000f.json",
        )
    }
    server.offer("arc-agi-1", archive(evil | github()))
    fetched = corpus.fetch("arc-agi-1", tmp_path / "deep" / "cache", base_url=server.url)
    files = sorted(path.name for path in (tmp_path / "deep").rglob("*") if path.is_file())
    assert files == sorted(["LICENSE", *(f"{task_id}.json" for task_id in ONE | TWO)])
    assert fetched.path == tmp_path / "deep" / "cache" / "arc-agi-1"
    assert not list(tmp_path.rglob("outside.json"))


def test_an_archive_without_tasks_is_refused(tmp_path, server):
    server.offer("concept-arc", archive({"ConceptARC-0/README.md": "moved"}))
    with pytest.raises(InputError, match="Nothing of it was kept"):
        corpus.fetch("concept-arc", base_url=server.url)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("name", ["starter", "arc-agi-3", ""])
def test_what_is_not_published_cannot_be_fetched(name):
    with pytest.raises(InputError, match="cannot be fetched, expected one of arc-agi-1, arc-agi-2, concept-arc"):
        corpus.fetch(name)


def test_an_unwritable_destination_is_named(tmp_path, server, expected):
    (tmp_path / "file").write_text("")
    server.offer("arc-agi-1", archive(github()))
    with pytest.raises(InputError, match="cannot be written"):
        corpus.fetch("arc-agi-1", tmp_path / "file", base_url=server.url)


def test_real_tasks_in_githubs_layout_are_verified(arc_data, server):
    folder = arc_data / "concept-arc"
    if not folder.is_dir():
        pytest.skip("no concept-arc there")
    files = {"ConceptARC-0/LICENSE": "MIT"}
    for one in corpus.load("concept-arc/concept", folder):
        concept = one.id.rstrip("0123456789")
        files[f"ConceptARC-0/corpus/{concept}/{one.id}.json"] = one.to_json()
        files[f"ConceptARC-0/corpus/{concept}/{concept}Minimal.json"] = task(1)
    server.offer("concept-arc", archive(files))
    (split,) = corpus.fetch("concept-arc", base_url=server.url).splits
    assert split.version == "ConceptARC, without minimal tasks"


def test_every_source_is_pinned_and_every_expected_hash_is_a_known_version():
    for source in corpus.SOURCES.values():
        assert len(source.commit) == 40
        assert all(value is None or value in corpus.VERSIONS for value in source.expected.values())
    assert all(len(bytes.fromhex(value)) == hashlib.sha256().digest_size for value in corpus.VERSIONS)


# Hugging Face datasets.


@pytest.fixture
def tasks(tmp_path):
    write_folder(tmp_path / "set", ONE | {"x": task(5, 6, solved=False)})
    return read_tasks(tmp_path / "set")


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_a_dataset_reads_back_as_it_was_exported(tmp_path, tasks, format):
    path = corpus.export(tasks, tmp_path / "out" / f"tasks.{format}", format)
    found = corpus.read_dataset(path)
    assert found.content_hash() == tasks.content_hash()
    assert found.name == tasks.name
    assert found["x"].tests[0].output is None
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_datasets_columns_are_explicit(tmp_path, tasks):
    import datasets

    dataset = datasets.load_from_disk(str(corpus.export(tasks, tmp_path / "out")))
    grid = datasets.List(datasets.List(datasets.Value("uint8")))
    assert dataset.features["test"] == datasets.List({"input": grid, "output": grid})
    assert dataset.column_names == ["id", "set", "train", "test"]
    assert dataset[2]["test"][0]["output"] is None


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_an_export_replaces_nothing(tmp_path, tasks, format):
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(InputError, match="there is something there already"):
        corpus.export(tasks, target, format)
    assert target.read_text() == "mine"


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_an_export_that_fails_leaves_nothing(tmp_path, tasks, format, monkeypatch):
    import datasets

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets.Dataset, "save_to_disk", full)
    monkeypatch.setattr(datasets.Dataset, "to_parquet", full)
    with pytest.raises(InputError, match="No space left on device"):
        corpus.export(tasks, tmp_path / "out" / "x", format)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_format_is_refused(tmp_path, tasks):
    with pytest.raises(InputError, match="format 'csv', expected one of arrow, parquet"):
        corpus.export(tasks, tmp_path / "x", "csv")


def test_what_is_no_dataset_is_refused(tmp_path, tasks):
    with pytest.raises(InputError, match="there is no such dataset"):
        corpus.read_dataset(tmp_path / "nothing")
    for path in (tmp_path / "set", tmp_path / "set" / "x.json"):
        with pytest.raises(InputError, match="not a dataset, or damaged"):
            corpus.read_dataset(path)
    arrow = corpus.export(tasks, tmp_path / "out")
    file = next(arrow.glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="not a dataset, or damaged"):
        corpus.read_dataset(arrow)


def pair(output):
    return [{"input": [[1]], "output": output}]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "train": pair([[1]])}, "no column test among id, train"),
        ({"id": "a", "train": pair([[10]]), "test": pair(None)}, "train 0: output: cell"),
        ({"id": "a", "train": pair(None), "test": pair(None)}, "demonstration 0: no output"),
        ({"id": "a", "train": pair([[1]]), "test": pair([])}, "test 0: output: found an empty list"),
        (
            {"id": "a", "train": pair([[1]]), "test": [{"input": [[1]]}]},
            "test 0: found an object with 1 keys",
        ),
        ({"id": "a", "train": [], "test": pair(None)}, "train: found a list of 0, expected a list of pairs"),
        ({"id": "a", "train": "x", "test": "y"}, "train: found the text 'x', expected a list of pairs"),
        ({"id": 5, "train": "x", "test": "y"}, "id: found the number 5, expected text"),
    ],
)
def test_a_dataset_that_holds_no_tasks_is_refused(tmp_path, row, message):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=message):
        corpus.read_dataset(tmp_path / "x.parquet")


def test_reading_and_writing_datasets_leaves_no_cache(tmp_path, tasks, monkeypatch):
    import datasets

    cache = tmp_path / "hf"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    corpus.read_dataset(corpus.export(tasks, tmp_path / "x.parquet", "parquet"))
    assert not cache.exists()


def test_importing_the_module_imports_no_library_of_its_functions():
    code = "import sys, arckit.data.corpus; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pooch", "datasets", "pyarrow", "requests", "torch"} & set(done.stdout.split())


def test_the_cache_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert corpus.cache_folder() == tmp_path / "arckit"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert corpus.cache_folder() == tmp_path / "arckit" / "Cache"


def damaged(data, seed):
    rng = random.Random(seed)
    if seed % 3 == 0:
        return data[: rng.randrange(len(data))]
    data = bytearray(data)
    for _ in range(seed % 5 + 1):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def test_damaged_archives_and_datasets_are_refused_or_are_whole(tmp_path, tasks):
    arrow = corpus.export(tasks, tmp_path / "arrow")
    parquet = corpus.export(tasks, tmp_path / "x.parquet", "parquet")
    (tmp_path / "x.zip").write_bytes(archive(github()))

    def unpack():
        corpus._unpack(tmp_path / "x.zip", tmp_path / "unpacked", corpus.SOURCES["arc-agi-1"])

    reads = [(file, partial(corpus.read_dataset, arrow)) for file in sorted(arrow.iterdir())]
    reads += [(parquet, partial(corpus.read_dataset, parquet)), (tmp_path / "x.zip", unpack)]
    refused = 0
    for file, read in reads:
        whole = file.read_bytes()
        for seed in range(30):
            file.unlink()  # not overwritten: the last reading may still have it mapped into memory
            file.write_bytes(damaged(whole, seed))
            try:
                read()
            except InputError:  # anything else fails the test
                refused += 1
        file.unlink()
        file.write_bytes(whole)
        read()
    assert refused > 60
