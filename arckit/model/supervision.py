"""Seats and carry: who sits where, for how many supervision steps, and who gets up.

A seat keeps an example and its (y, z) from one supervision step to the next. When the example is done the seat is
free, and the seat's next example, already waiting beside it on the device, sits down with fresh y and z. The device
decides; the host hears of it one step later, without making the device wait, and puts a new example in the waiting
place. So examples are drawn for free seats only: the reference draws a batch a step and throws most of it away.
"""

import numpy as np
import torch
from torch import Tensor

from arckit.data.canvas import PAD
from arckit.data.stream import Stream
from arckit.model.loss import IGNORED
from arckit.model.trm import State, TinyRecursiveModel


class Seats:
    """The seats of one process.

    Args:
        stream: gives seat s's k-th example.
        first: this process's first seat among all. count: its seats, B.
    """

    def __init__(
        self,
        model: TinyRecursiveModel,
        stream: Stream,
        first: int,
        count: int,
        explore: float,
        device: torch.device,
        dtype: torch.dtype,
    ):
        self.model, self.stream, self.first, self.count = model, stream, first, count
        self.N_sup, self.explore, self.device = model.config.N_sup, explore, device
        cells = stream.canvas.cells
        self.start = model.initial_state(1, cells, dtype)
        self.y, self.z = (start.expand(count, -1, -1).clone() for start in self.start)  # (B, L, D)
        self.steps = torch.zeros(count, dtype=torch.int32, device=device)
        self.free = torch.ones(count, dtype=torch.bool, device=device)
        # One pair of token planes (inputs, labels) and one row a seat; the same for the example that waits.
        self.tokens = torch.zeros(count, 2, cells, dtype=torch.uint8, device=device)
        self.rows = torch.zeros(count, dtype=torch.int64, device=device)
        self.waiting_tokens, self.waiting_rows = self.tokens.clone(), self.rows.clone()
        # On the host: which example sits (−1: none yet), its row, and what is known to wait.
        self.seated = np.full(count, -1, np.int64)
        self.rows_on_host = np.zeros(count, np.int64)
        self._waiting_rows_on_host = np.zeros(count, np.int64)
        self._draw(np.arange(count))

    @property
    def inputs(self) -> Tensor:
        """(B, cells) tokens."""
        return self.tokens[:, 0]

    @property
    def labels(self) -> Tensor:
        """(B, cells) tokens, IGNORED where the answer is PAD."""
        labels = self.tokens[:, 1].long()
        return labels.masked_fill(labels == PAD, IGNORED)

    @property
    def state(self) -> State:
        return self.y, self.z

    def sit_down(self) -> None:
        """Let the waiting example take its seat wherever the seat is free, on the device."""
        free, wide = self.free, self.free.view(-1, 1, 1)
        self.tokens = torch.where(wide, self.waiting_tokens, self.tokens)
        self.rows = torch.where(free, self.waiting_rows, self.rows)
        self.y, self.z = (torch.where(wide, start, now) for start, now in zip(self.start, self.state, strict=True))
        self.steps = torch.where(free, 0, self.steps)

    def have_sat_down(self, free: np.ndarray) -> None:
        """Hear which seats the last `sit_down` filled, and put each one's next example in its waiting place."""
        taken = np.flatnonzero(free)
        self.seated[taken] += 1
        self.rows_on_host[taken] = self._waiting_rows_on_host[taken]
        self._draw(taken)

    def get_up(self, state: State, q: Tensor, step: int) -> None:
        """Keep the new (y, z), and free the seats whose example is done.

        Done is: N_sup steps, or q > 0; except that with probability `explore`, drawn anew each step, an example has
        to stay for a random minimum of 2..N_sup steps. Source: the reference.
        """
        self.y, self.z = state[0].detach(), state[1].detach()
        self.steps = self.steps + 1
        done = (self.steps >= self.N_sup) | (q.detach() > 0)
        self.free = done & (self.steps >= self._minimum_steps(step))

    def _minimum_steps(self, step: int) -> Tensor:
        # Drawn for all seats of all processes, so that no number of processes changes a seat's fate.
        rng = np.random.default_rng([self.stream.seed, 2, step])
        explores = rng.random(self.stream.seats) < self.explore
        minimum = explores * rng.integers(2, max(self.N_sup, 2) + 1, self.stream.seats)
        mine = minimum[self.first : self.first + self.count].clip(max=self.N_sup)
        return to_device(mine.astype(np.int32), self.device)

    def _draw(self, seats: np.ndarray) -> None:
        if not len(seats):
            return
        examples = [self.stream.example(self.first + int(seat), int(self.seated[seat]) + 1) for seat in seats]
        rows = np.array([example.row for example in examples], np.int64)
        self._waiting_rows_on_host[seats] = rows
        where = to_device(seats, self.device)
        tokens = np.stack([np.stack([example.inputs, example.labels]) for example in examples])
        self.waiting_tokens.index_copy_(0, where, to_device(tokens, self.device))
        self.waiting_rows.index_copy_(0, where, to_device(rows, self.device))

    def state_dict(self) -> dict[str, Tensor]:
        """What cannot be drawn again: the carry, and which example sits on each seat; first dimension seats."""
        return {
            "y": self.y,
            "z": self.z,
            "steps": self.steps,
            "free": self.free,
            "seated": torch.from_numpy(self.seated.copy()).to(self.device),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Sit as in `state`; `state` is of all seats, and this process takes its own."""
        mine = {name: value[self.first : self.first + self.count] for name, value in state.items()}
        self.y, self.z = mine["y"].to(self.y), mine["z"].to(self.z)
        self.steps, self.free = mine["steps"].to(self.device), mine["free"].to(self.device)
        seated, everyone = mine["seated"].cpu().numpy(), np.arange(self.count)
        self.seated = np.maximum(seated, 0) - 1
        self._draw(everyone)  # the example that sits …
        self.tokens, self.rows = self.waiting_tokens.clone(), self.waiting_rows.clone()
        self.rows_on_host = self._waiting_rows_on_host.copy()
        self.seated = seated.copy()
        self._draw(everyone)  # … and the one that waits


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Copy to the device without waiting for it."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.clone()
