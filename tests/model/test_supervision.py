"""Seats and carry: who sits where, for how many steps, and that nothing drawn is thrown away."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from arckit.config import ModelConfig
from arckit.data.canvas import PAD
from arckit.data.stream import Stream
from arckit.data.task import Pair, Task
from arckit.data.view import draw_views
from arckit.model.loss import IGNORED
from arckit.model.supervision import Seats
from arckit.model.trm import TinyRecursiveModel

CONFIG = ModelConfig(D=8, heads=2, layers=1, n=1, T=1, N_sup=4, prefix=1, D_emb=8, side=5)
N_SUP, SEATS, CPU = CONFIG.N_sup, 8, torch.device("cpu")
MODEL = TinyRecursiveModel(CONFIG)


def tasks() -> list[Task]:
    rng = np.random.default_rng(0)
    grids = [[rng.integers(0, 10, (3, 2), dtype=np.uint8) for _ in range(2)] for _ in range(15)]
    return [Task(f"t{i}", tuple(Pair(*pair) for pair in grids[5 * i : 5 * i + 5]), ()) for i in range(3)]


class Recorded(Stream):
    """A stream that remembers what it was asked for."""

    def __init__(self, seats: int = SEATS):
        super().__init__(draw_views(tasks(), 10, seed=0), CONFIG.canvas, seats, seed=0)
        self.asked: list[tuple[int, int]] = []

    def example(self, seat: int, k: int):
        self.asked.append((seat, k))
        return super().example(seat, k)


def chance(seat: int, step: int) -> float:
    """A q for tests of fate, of both signs, the same whoever owns the seat."""
    return float(np.random.default_rng([seat, step]).normal() - 0.3)


class Process:
    """One process's seats, driven as the learner drives them, by a pretence of a model.

    The pretence thinks cell by cell, so that it is exact whatever the batch; q is given from outside.
    """

    def __init__(self, q, explore: float = 0.0, first: int = 0, count: int = SEATS, of: int = SEATS, model=MODEL):
        self.stream, self.q = Recorded(of), q
        self.seats = Seats(model, self.stream, first, count, explore, CPU, torch.float32)
        self.steps = 0
        self.free = np.ones(count, bool)  # as the host has heard
        self.sat: list[list[int]] = [[] for _ in range(count)]  # seat → the supervision steps of each of its examples

    def step(self) -> None:
        seats = self.seats
        seats.sit_down()
        for seat, newly in enumerate(self.free):
            if newly:
                self.sat[seat].append(0)
            self.sat[seat][-1] += 1
        x = torch.cat([seats.rows.view(-1, 1), seats.tokens.sum(1)], 1).unsqueeze(-1) / 100  # (B, L, 1)
        y, z = seats.state
        z = torch.tanh(x + y + z)
        q = torch.tensor([self.q(seats.first + seat, self.steps) for seat in range(seats.count)])
        seats.get_up((torch.tanh(y + z), z), q, self.steps)
        self.steps += 1
        seats.have_sat_down(self.free)
        self.free = seats.free.numpy().copy()

    def run(self, steps: int) -> "Process":
        for _ in range(steps):
            self.step()
        return self

    @property
    def finished(self) -> list[int]:
        """Supervision steps of every example that has got up."""
        return [n for seat, sat in enumerate(self.sat) for n in (sat if self.free[seat] else sat[:-1])]

    @property
    def everything(self) -> dict[str, torch.Tensor]:
        seats = self.seats
        tensors = {name: getattr(seats, name) for name in ("y", "z", "steps", "free", "tokens", "rows")}
        tensors |= {"waiting_tokens": seats.waiting_tokens, "waiting_rows": seats.waiting_rows}
        tensors |= {"seated": torch.from_numpy(seats.seated), "rows_on_host": torch.from_numpy(seats.rows_on_host)}
        return {name: tensor.clone() for name, tensor in tensors.items()}


def never(seat: int, step: int) -> float:
    return -5.0


def always(seat: int, step: int) -> float:
    return 5.0


def assert_equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=0, rtol=0, msg=name)


# --- how long one sits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("explore", [0.0, 1.0])
def test_an_example_never_thought_right_sits_for_all_its_steps_and_no_longer(explore):
    process = Process(never, explore).run(3 * N_SUP)
    assert process.finished == [N_SUP] * 3 * SEATS
    assert process.free.all()


def test_an_example_thought_right_gets_up_after_one_step():
    assert Process(always).run(5).finished == [1] * 5 * SEATS


@pytest.mark.parametrize("q", [0.0, float("nan"), -1e-9])
def test_only_a_q_above_zero_frees_a_seat(q):
    assert Process(lambda seat, step: q).run(N_SUP).finished == [N_SUP] * SEATS


def test_an_example_gets_up_after_the_first_step_that_it_is_thought_right_in():
    process = Process(lambda seat, step: 1.0 if step == seat % 3 else -1.0).run(3)
    assert [sat[0] for sat in process.sat] == [seat % 3 + 1 for seat in range(SEATS)]


def test_a_seat_is_free_for_nobody_but_its_own_example():
    process = Process(lambda seat, step: 1.0 if seat == 3 else -1.0).run(2)
    assert process.seats.seated.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_whoever_explores_stays_for_a_random_minimum_of_two_steps_up_to_all():
    finished = Counter(Process(always, explore=1.0).run(60).finished)
    assert set(finished) == set(range(2, N_SUP + 1))


@pytest.mark.parametrize("explore", [0.1, 0.5])
def test_one_explores_with_the_chance_given(explore):
    finished = Process(always, explore=explore).run(120).finished
    assert np.mean([steps == 1 for steps in finished]) == pytest.approx(1 - explore, abs=0.06)


def test_where_one_step_is_all_nobody_stays_for_a_second():
    one_step = TinyRecursiveModel(ModelConfig(D=8, heads=2, layers=1, n=1, T=1, N_sup=1, prefix=1, D_emb=8, side=5))
    assert Process(never, explore=1.0, model=one_step).run(4).finished == [1] * 4 * SEATS


def test_a_high_bias_of_q_frees_the_seats_of_a_real_model():
    model = TinyRecursiveModel(CONFIG)
    for bias, seated in ((5.0, 3), (-5.0, 0)):
        with torch.no_grad():
            model.q_head.bias[0] = bias
        seats = Seats(model, Recorded(), 0, SEATS, 0.0, CPU, torch.float32)
        free = np.ones(SEATS, bool)
        for step in range(N_SUP):
            seats.sit_down()
            rows = torch.zeros(SEATS, CONFIG.D_emb)
            state, _, q = model(seats.inputs, rows, seats.state)
            seats.get_up(state, q, step)
            seats.have_sat_down(free)
            free = seats.free.numpy().copy()
            assert not seats.y.requires_grad, "the next step learns nothing about this one"
            assert not seats.z.requires_grad
        assert seats.seated.tolist() == [seated] * SEATS


# --- what is on a seat ----------------------------------------------------------------------------------------------


def test_the_newly_seated_begin_at_the_start_and_the_others_go_on_with_what_they_had():
    process = Process(chance, explore=0.3)
    begun = carried = 0
    seats = process.seats
    for _ in range(20):
        free, before = seats.free.clone(), [tensor.clone() for tensor in seats.state]
        steps = seats.steps.clone()
        seats.sit_down()
        for now, was, start in zip(seats.state, before, MODEL.initial_state(SEATS), strict=True):
            assert torch.equal(now[free], start[free])
            assert torch.equal(now[~free], was[~free])
            assert not torch.equal(now[~free], start[~free]) or free.all()
        assert (seats.steps[free] == 0).all()
        assert torch.equal(seats.steps[~free], steps[~free])
        begun, carried = begun + int(free.sum()), carried + int((~free).sum())
        process.step()  # sits down once more, where sitting down changes nothing
    assert begun > 2 * SEATS
    assert carried > 2 * SEATS


def test_what_sits_is_the_example_that_the_stream_gives_for_the_seat():
    process, plain = Process(chance, explore=0.3), Recorded()
    for _ in range(15):
        process.step()
        seats = process.seats
        for seat in range(SEATS):
            example = plain.example(seat, int(seats.seated[seat]))
            assert np.array_equal(seats.inputs[seat].numpy(), example.inputs)
            assert seats.rows[seat] == example.row == seats.rows_on_host[seat]
            labels = np.where(example.labels == PAD, IGNORED, example.labels.astype(np.int64))
            assert np.array_equal(seats.labels[seat].numpy(), labels)
    assert seats.seated.min() > 2


def test_the_host_hears_one_step_later_and_what_the_device_does_is_the_same():
    """The learner queues a step before it hears of the last: what sits must not wait for the host."""
    late, seats = Process(chance, explore=0.3), Process(chance, explore=0.3).seats
    free = np.ones(SEATS, bool)
    for step in range(12):
        late.step()
        seats.sit_down()
        device = seats.tokens.clone(), seats.rows.clone()
        seats.have_sat_down(free)  # puts new examples in the waiting places, and touches nobody who sits
        assert torch.equal(seats.tokens, device[0])
        assert torch.equal(seats.rows, device[1])
        assert torch.equal(late.seats.tokens, device[0])
        q = torch.tensor([chance(seat, step) for seat in range(SEATS)])
        seats.get_up(seats.state, q, step)
        free = seats.free.numpy().copy()


# --- no example is skipped, repeated or thrown away -----------------------------------------------------------------


@pytest.mark.parametrize(("q", "explore"), [(never, 0.0), (always, 0.0), (always, 1.0), (chance, 0.1)])
def test_each_seats_examples_are_drawn_in_order_and_each_once(q, explore):
    process = Process(q, explore).run(25)
    for seat in range(SEATS):
        ks = [k for asked, k in process.stream.asked if asked == seat]
        assert ks == list(range(len(ks)))
        assert len(ks) == len(process.sat[seat]) + 1, "those who sat, and the one who waits"
        assert process.seats.seated[seat] == len(process.sat[seat]) - 1


def test_examples_are_drawn_for_free_seats_only():
    """The reference draws a whole batch every step and throws away those for which there is no seat: 15 of 16."""
    process = Process(never).run(10 * N_SUP)
    sat_down = sum(map(len, process.sat))
    assert sat_down == 10 * SEATS, "not one a step"
    assert len(process.stream.asked) == SEATS + sat_down


def test_with_chance_too_no_more_is_drawn_than_sits_down_and_waits():
    process = Process(chance, explore=0.1).run(50)
    sat_down = sum(map(len, process.sat))
    assert SEATS * 50 / N_SUP < sat_down < SEATS * 50
    assert len(process.stream.asked) == SEATS + sat_down


# --- processes and checkpoints --------------------------------------------------------------------------------------


def split(parts: list[int], q=chance, explore: float = 0.3) -> list[Process]:
    firsts = np.cumsum([0, *parts[:-1]])
    return [Process(q, explore, int(first), count) for first, count in zip(firsts, parts, strict=True)]


def together(processes: list[Process]) -> dict[str, torch.Tensor]:
    parts = [process.everything for process in processes]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def saved(processes: list[Process]) -> dict[str, torch.Tensor]:
    """What a checkpoint holds: of all seats, whoever owns them."""
    parts = [process.seats.state_dict() for process in processes]
    return copy.deepcopy({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


@pytest.mark.parametrize("parts", [[4, 4], [2, 2, 2, 2]])
def test_a_seats_fate_does_not_depend_on_how_many_processes_share_the_seats(parts):
    one, several = split([SEATS]), split(parts)
    for _ in range(20):
        for process in one + several:
            process.step()
        assert_equal(together(one), together(several))
    asked = sorted(which for process in several for which in process.stream.asked)
    assert asked == sorted(one[0].stream.asked)
    assert len({len(sat) for sat in one[0].sat}) > 1, "fates differ"


@pytest.mark.parametrize("before", [0, 1, 7])
@pytest.mark.parametrize(("parts", "others"), [([8], [8]), ([8], [4, 4]), ([4, 4], [8]), ([4, 4], [2, 2, 2, 2])])
def test_whoever_goes_on_from_a_saved_state_sits_as_if_nothing_had_happened(before, parts, others):
    first, resumed = split(parts), split(others)
    for process in first:
        process.run(before)
    state = saved(first)
    for process in resumed:
        process.run(3)  # another history, to be forgotten
        process.seats.load_state_dict(state)
        process.steps = before
        process.free = process.seats.free.numpy().copy()
        process.sat = [[0] for _ in process.sat]
    if before:
        assert_equal(together(first), together(resumed))
    for _ in range(9):
        for process in first + resumed:
            process.step()
        assert_equal(together(first), together(resumed))


def test_going_on_draws_again_only_who_sits_and_who_waits():
    process = Process(chance, explore=0.3).run(7)
    state, seated = saved([process]), process.seats.seated.copy()
    process.stream.asked.clear()
    process.seats.load_state_dict(state)
    asked = process.stream.asked
    assert sorted(asked) == sorted((seat, int(k) + ahead) for seat, k in enumerate(seated) for ahead in (0, 1))


def test_a_saved_state_stays_as_it_is_while_the_seats_go_on():
    process = Process(chance, explore=0.3).run(3)
    state = process.seats.state_dict()
    before = copy.deepcopy(state)
    process.run(6)
    assert_equal(state, before)
