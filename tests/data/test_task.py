import json

import pytest

from arckit.data.task import Pair, Task, TaskSet, read_tasks, with_solutions, write_kaggle
from arckit.errors import InputError

PAIR = {"input": [[1, 2]], "output": [[2, 1]]}
TASK = {"train": [PAIR, PAIR], "test": [{"input": [[3, 4]]}, {"input": [[5]]}]}


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.fixture
def challenges(tmp_path):
    return write(tmp_path / "arc-agi_evaluation_challenges.json", {"b": TASK, "a": TASK, "c": TASK})


@pytest.fixture
def tasks(challenges):
    return read_tasks(challenges)


def test_an_unknown_output_is_none(tasks):
    assert [pair.output for pair in tasks["a"].tests] == [None, None]


def test_tasks_keep_the_files_order_and_are_reached_by_id_index_and_slice(tasks):
    assert tasks.name == "arc-agi_evaluation"
    assert tasks.ids == ("b", "a", "c")
    assert tasks[0] is tasks["b"]
    assert tasks[-1].id == "c"
    assert tasks[1:].ids == ("a", "c")
    assert [task.id for task in tasks] == ["b", "a", "c"]
    assert "a" in tasks
    assert "z" not in tasks


def test_filter_and_select_give_task_sets(tasks):
    assert tasks.filter(lambda task: task.id != "a").ids == ("b", "c")
    assert tasks.select(["c", "b"]).ids == ("c", "b")
    assert tasks.select(["c"])["c"] is tasks["c"]


def test_an_unknown_id_is_named(tasks):
    with pytest.raises(InputError, match="no task 'z' among its 3 tasks"):
        tasks["z"]


def test_a_task_set_holds_each_id_once(tasks):
    with pytest.raises(InputError, match="task b is there twice"):
        TaskSet((tasks[0], tasks[0]))


def test_a_key_given_twice_is_refused(tmp_path):
    one = json.dumps(TASK)
    with pytest.raises(InputError, match="'a' is there twice"):
        read_tasks(write(tmp_path / "x.json", f'{{"a": {one}, "a": {one}}}'))


def test_solutions_go_to_their_test_inputs(tmp_path, challenges):
    outputs = {task_id: [[[7]], [[8, 8]]] for task_id in "abc"}
    tasks = read_tasks(challenges, write(tmp_path / "solutions.json", outputs))
    known = [pair.output for pair in tasks["a"].tests]
    assert [grid.tolist() for grid in known if grid is not None] == [[[7]], [[8, 8]]]
    assert len(tasks["a"].known_pairs) == 4
    assert all(pair.output is None for task in tasks.without_solutions() for pair in task.tests)


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        ({"a": [[[7]], [[8]]]}, "task b: not in this file of 1 tasks"),
        ({"b": [[[7]]]}, "task b: found 1 outputs, expected 2"),
        ({"b": {"0": [[7]]}}, "task b: found an object with 1 keys, expected a list of output grids"),
        ({"b": [[[7]], None]}, "task b: test output 1: found null"),
        ([], "found a list of 0, expected lists of output grids by task id"),
    ],
)
def test_solutions_that_do_not_match_are_refused(tmp_path, tasks, solutions, message):
    path = write(tmp_path / "s.json", solutions)
    with pytest.raises(InputError, match=f"s.json: {message}"):
        with_solutions(tasks, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON, or cut off"),
        ('{"a": {"train"', "not JSON, or cut off"),
        ("[" * 200_000, "nested too deeply"),
        ([TASK], "found a list of 1, expected tasks by id"),
        ({}, "found no tasks"),
        ({"a": []}, 'task a: found a list of 0, expected an object with "train" and "test"'),
        ({"a": {"train": [PAIR]}}, 'task a: no "test"'),
        ({"a": {"train": {}, "test": []}}, 'task a: "train": found an object with 0 keys'),
        ({"a": {"train": [], "test": [PAIR]}}, 'task a: "train" is empty'),
        ({"a": {"train": [PAIR], "test": []}}, 'task a: "test" is empty'),
        ({"a": {"train": [1], "test": [PAIR]}}, "task a: demonstration 0: found the number 1"),
        ({"a": {"train": [{"input": [[1]]}], "test": [PAIR]}}, 'task a: demonstration 0: no "output"'),
        ({"a": {"train": [PAIR | {"output": None}], "test": [PAIR]}}, "demonstration 0: output: found null"),
        ({"a": {"train": [PAIR], "test": [{}]}}, 'task a: test 0: no "input"'),
        ({"a": {"train": [PAIR], "test": [{"input": [[1, 2], [3]]}]}}, "test 0: input: ragged"),
    ],
)
def test_what_holds_no_tasks_is_refused(tmp_path, content, message):
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(InputError, match=f"bad.json: .*{message}|bad.json: {message}"):
        read_tasks(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: there is no such file"):
        read_tasks(tmp_path / "none.json")


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "x.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_tasks(tmp_path / "x.json")


def test_a_folder_of_task_files_is_read_in_order_of_names(tmp_path):
    for name in ("b", "a"):
        write(tmp_path / f"{name}.json", {"train": [PAIR], "test": [PAIR], "name": name})
    tasks = read_tasks(tmp_path)
    assert tasks.ids == ("a", "b")
    assert tasks[0].tests[0].output is not None
    with pytest.raises(InputError, match="holds its own test outputs"):
        read_tasks(tmp_path, tmp_path / "solutions.json")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no \.json file"):
        read_tasks(tmp_path)


def test_a_single_task_file_is_a_task_set_of_one(tmp_path):
    assert read_tasks(write(tmp_path / "abc.json", TASK)).ids == ("abc",)


def test_kaggles_layout_reads_back_as_it_was_written(tmp_path, tasks):
    solved = tasks.filter(lambda task: task.id != "c")
    solved = TaskSet(
        tuple(Task(t.id, t.demonstrations, tuple(Pair(p.input, p.input) for p in t.tests)) for t in solved)
    )
    write_kaggle(solved, tmp_path / "c.json", tmp_path / "s.json")
    assert read_tasks(tmp_path / "c.json", tmp_path / "s.json").content_hash() == solved.content_hash()
    assert read_tasks(tmp_path / "c.json").content_hash() == solved.without_solutions().content_hash()


def test_solutions_are_not_written_where_one_is_unknown(tmp_path, tasks):
    with pytest.raises(InputError, match="task b has a test output that is not known"):
        write_kaggle(tasks, tmp_path / "c.json", tmp_path / "s.json")
    assert not (tmp_path / "s.json").exists()


def test_the_content_hash_sees_ids_grids_order_and_unknown_outputs(tmp_path, tasks):
    def hash_of(**changes):
        return read_tasks(write(tmp_path / "x.json", {"a": TASK | changes})).content_hash()

    other = {"input": [[1, 2]], "output": [[2, 2]]}
    hashes = [
        hash_of(),
        hash_of(train=[PAIR]),
        hash_of(train=[PAIR, other]),
        hash_of(test=TASK["test"][::-1]),
        hash_of(test=[TASK["test"][0] | {"output": [[1]]}, TASK["test"][1]]),
        read_tasks(write(tmp_path / "x.json", {"b": TASK})).content_hash(),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hash_of() == hashes[0]
    assert tasks[:2].content_hash() != tasks.select(["a", "b"]).content_hash()


def test_the_real_files_hold_what_their_readme_says(arc_data):
    folder = arc_data / "arc-agi-1"
    if not folder.is_dir():
        pytest.skip("no arc-agi-1 there")
    tasks = read_tasks(folder / "arc-agi_evaluation_challenges.json", folder / "arc-agi_evaluation_solutions.json")
    assert (len(tasks), sum(len(task.tests) for task in tasks)) == (400, 419)
