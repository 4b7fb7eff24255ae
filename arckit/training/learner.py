"""The learner: everything that learning changes, and the one step that changes it."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from arckit.config import TrainingConfig
from arckit.data.stream import Stream
from arckit.data.view import Views
from arckit.errors import InputError, NotFinite
from arckit.model.embedding import EmbeddingRows
from arckit.model.loss import supervision_losses
from arckit.model.release import Release
from arckit.model.supervision import Seats
from arckit.model.trm import TinyRecursiveModel
from arckit.training.ema import EMA
from arckit.training.optim import AdamATan2, warm_up

OVERFLOWS = {torch.float16: 30, torch.bfloat16: 5, torch.float32: 5}
"""Steps in a row with overflowing gradients that stop a run; float16 finds its loss scale by overflowing. A loss that
is not finite stops it at once."""


@dataclass(frozen=True)
class StepRecord:
    """What one optimiser step had to say, over all processes; a line of `metrics.jsonl`.

    Attributes:
        step: from 1. loss: mean over seats of answer loss + half the halting loss.
        answer_loss, halting_loss: its parts. cell_accuracy: of labelled cells, mean over seats.
        finished: examples that got up; exact_accuracy: of those, answered right in every cell (None if none did);
        supervision_steps: how many steps those took on average.
        seconds: spent on learning so far, over all resumed runs.
    """

    step: int
    loss: float
    answer_loss: float
    halting_loss: float
    cell_accuracy: float
    finished: int
    exact_accuracy: float | None
    supervision_steps: float | None
    seconds: float


class Learner:
    """Everything that learning changes, and the step that changes it.

    Args:
        model: begins where its weights are; moved to the device.
        rows: (R, D_emb) where the rows begin, one a view; taken over.
        views: only pairs with a known output are learned from.
    """

    def __init__(
        self,
        model: TinyRecursiveModel,
        rows: Tensor,
        views: Views,
        config: TrainingConfig,
        accelerator: Accelerator,
    ):
        assert len(rows) == len(views), "one row a view"
        if config.batch % accelerator.num_processes:
            raise InputError(f"batch = {config.batch} over {accelerator.num_processes} processes, expected a multiple")
        self.config, self.views, self.accelerator = config, views, accelerator
        device = accelerator.device
        self.dtype = compute_dtype(config.precision, device)
        self.model = model.to(device)
        self.rows = EmbeddingRows(rows.to(device))
        self.optimizer = AdamATan2(model.parameters(), config.lr, config.betas, config.weight_decay)
        self.ema = EMA(model, config.ema)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)
        stream = Stream(views, model.config.canvas, config.batch, config.seed, config.shift)
        count = config.batch // accelerator.num_processes
        self.seats = Seats(model, stream, accelerator.process_index * count, count, config.explore, device, self.dtype)
        self.updates = torch.zeros((), device=device)  # that were not skipped; warm-up and bias go by it
        self.steps = 0  # queued on the device
        self.seconds_before = 0.0
        self._began = time.monotonic()
        self._skipped = 0
        self._reports: list[_Report] = []
        self._free = np.ones(count, bool)  # seats that the next step fills, as far as the host has heard

    @property
    def seconds(self) -> float:
        """Spent on learning so far, over all resumed runs."""
        return self.seconds_before + time.monotonic() - self._began

    def step(self, stop: bool = False, save: bool = False) -> list["Heard"]:
        """Queue one optimiser step, and hear of the one before it.

        The host is never more than one step ahead, and the device never waits for it.

        Args:
            stop, save: wishes of this process. Whether any process had one comes back with this step's record, to
                all processes at the same step.
        """
        self._queue(stop, save)
        heard = [self._hear() for _ in range(len(self._reports) - 1)]
        self.seats.have_sat_down(self._free)
        return heard

    def finish(self) -> list["Heard"]:
        """Hear of every queued step; afterwards host and device know the same."""
        return [self._hear() for _ in range(len(self._reports))]

    def _queue(self, stop: bool, save: bool) -> None:
        seats, config = self.seats, self.config
        seats.sit_down()
        rows = self.rows.look_up(seats.rows)
        state, logits, q = self.model(seats.inputs, rows, seats.state)
        losses = supervision_losses(logits, q, seats.labels)
        self.scaler.scale(losses.total.sum() / config.batch).backward()
        seats.get_up(state, q, self.steps)

        done = seats.free
        sums = torch.stack(
            [
                losses.answer.sum(),
                losses.halting.sum(),
                losses.cells.sum(),
                done.sum(),
                (losses.exact & done).sum(),
                (seats.steps * done).sum(),
                *(torch.full((), float(wish), device=done.device) for wish in (stop, save)),
            ]
        ).detach()
        assert rows.grad is not None
        sums = self._reduce(sums)
        indices, row_gradients = self._gather(seats.rows), self._gather(rows.grad)

        finite = self._all_finite(sums, row_gradients)
        updates = self.updates + 1
        warm = warm_up(updates, config.warmup)
        self.optimizer.step(updates, warm, finite)
        self.rows.step(indices, row_gradients, config.row_lr * warm, config.row_weight_decay, finite)
        self.ema.update(self.model, finite)
        self.updates = torch.where(finite, updates, self.updates)
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self._reports.append(_Report(self.steps, sums, finite, losses.total.detach(), done))

    def _reduce(self, sums: Tensor) -> Tensor:
        """Sum the trunk's gradients and these numbers over all processes, in one message."""
        if self.accelerator.num_processes == 1:
            return sums
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([sums, *(gradient.reshape(-1) for gradient in gradients)])
        flat = self.accelerator.reduce(flat, "sum")
        assert isinstance(flat, Tensor)
        parts = flat.split([len(sums), *(gradient.numel() for gradient in gradients)])
        for gradient, part in zip(gradients, parts[1:], strict=True):
            gradient.copy_(part.view_as(gradient))
        return parts[0]

    def _gather(self, tensor: Tensor) -> Tensor:
        """Put every process's part together, in the order of the seats."""
        gathered = self.accelerator.gather(tensor) if self.accelerator.num_processes > 1 else tensor
        assert isinstance(gathered, Tensor)
        return gathered

    def _all_finite(self, sums: Tensor, row_gradients: Tensor) -> Tensor:
        """Undo the loss scaling, and say on the device whether everything is a number, as a scalar bool tensor."""
        rows_finite = row_gradients.isfinite().all()
        # The scaler looks at the trunk's gradients alone: an overflow in the rows has to show there.
        bias = self.model.q_head.bias
        assert bias is not None
        assert bias.grad is not None
        bias.grad.add_(torch.where(rows_finite, 0.0, torch.inf))
        self.scaler.unscale_(self.optimizer)
        checks = [p.grad.isfinite().all() for p in self.model.parameters() if p.grad is not None]
        if self.scaler.is_enabled():
            self.scaler.update()
        return torch.stack([rows_finite, sums.isfinite().all(), *checks]).all()

    def _hear(self) -> "Heard":
        report = self._reports.pop(0)
        heard = report.hear(self.config.batch, self.seconds)
        self._free = heard.free
        self._skipped = 0 if heard.finite else self._skipped + 1
        if not heard.loss_finite or self._skipped >= OVERFLOWS[self.dtype]:  # known to all processes alike
            self._stop_not_finite(heard)
        return heard

    def _stop_not_finite(self, heard: "Heard") -> None:
        rows = self.seats.rows_on_host[heard.broken]
        tasks = sorted({self.views.tasks[self.views.task_of(int(row))].id for row in rows})
        what = "the loss is" if tasks or not heard.loss_finite else f"gradients of {self._skipped} steps in a row are"
        where = f" on tasks {', '.join(tasks[:8])}" if tasks else ""
        raise NotFinite(
            f"step {heard.record.step}: {what} not finite{where}; nothing of it has reached weights, rows or averages"
        )

    def release(self, about: Mapping[str, Any]) -> Release:
        """What has been learned, to give away: averaged weights, rows and their names."""
        with self.ema.applied(self.model):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
        rows = self.rows.table.detach().cpu()
        return Release(self.model.config, weights, rows.mean(0), list(self.views.names()), rows, about)

    def fingerprint(self) -> dict[str, str]:
        """What a checkpoint has to share with a run that goes on from it."""
        views = hashlib.sha256()
        for array in (self.views.first, self.views.symmetry, self.views.permutation):
            views.update(array.tobytes())
        for task in self.views.tasks:
            views.update(json.dumps([task.id, task.to_json()]).encode())
        return {
            "model": repr(self.model.config),
            "training": repr(self.config),
            "precision": str(self.dtype),
            "tasks and views": views.hexdigest(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on. All processes have to call it; call `finish` before."""
        assert not self._reports
        seats = {name: self._gather(value.contiguous()) for name, value in self.seats.state_dict().items()}
        return {
            "fingerprint": self.fingerprint(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.average,
            "rows": self.rows.table,
            "scaler": self.scaler.state_dict(),
            "seats": seats,
            "updates": self.updates,
            "steps": self.steps,
            "skipped": self._skipped,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            InputError: it is of another model, training, precision, or of other tasks and views.
        """
        ours = self.fingerprint()
        theirs = state.get("fingerprint", {})
        for name, value in ours.items():
            if theirs.get(name) != value:
                raise InputError(f"the checkpoint is of another {name}: found {theirs.get(name)}, expected {value}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.average = {name: value.to(self.updates.device) for name, value in state["ema"].items()}
        self.rows.table.copy_(state["rows"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.seats.load_state_dict(state["seats"])
        self.updates = state["updates"].to(self.updates.device)
        self.steps = state["steps"]
        self._skipped = state["skipped"]
        self._free = self.seats.free.cpu().numpy()
        self.seconds_before, self._began = state["seconds"], time.monotonic()


@dataclass(frozen=True, eq=False)
class Heard:
    """One step's report, on the host."""

    record: StepRecord
    finite: bool
    loss_finite: bool
    broken: np.ndarray  # (B,) bool: seats of this process whose loss is not finite
    free: np.ndarray  # (B,) bool: seats whose example is done
    stop: bool
    save: bool


class _Report:
    """One step's numbers on their way from the device to the host, without making either wait."""

    def __init__(self, step: int, sums: Tensor, finite: Tensor, loss: Tensor, free: Tensor):
        self.step, self.length, self.seats = step, len(sums), len(loss)
        packed = torch.cat([sums.float(), finite.float().view(1), loss.float(), free.float()])
        self.event = None
        if packed.is_cuda:
            self.values = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
            self.values.copy_(packed, non_blocking=True)
            self.event = torch.cuda.Event()
            self.event.record()
        else:
            self.values = packed

    def hear(self, batch: int, seconds: float) -> Heard:
        if self.event is not None:
            self.event.synchronize()
        sums, finite, loss, free = self.values.split([self.length, 1, self.seats, self.seats])
        answer, halting, cells, done, exact, steps, stop, save = sums.tolist()
        record = StepRecord(
            step=self.step,
            loss=(answer + 0.5 * halting) / batch,
            answer_loss=answer / batch,
            halting_loss=halting / batch,
            cell_accuracy=cells / batch,
            finished=int(done),
            exact_accuracy=exact / done if done else None,
            supervision_steps=steps / done if done else None,
            seconds=round(seconds, 3),
        )
        return Heard(
            record,
            finite=bool(finite.item()),
            loss_finite=record.loss - record.loss == 0,
            broken=~loss.isfinite().numpy(),
            free=free.numpy() > 0,
            stop=stop > 0,
            save=save > 0,
        )


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The precision that the hardware really does: bfloat16 from compute capability 8.0 on, else float16 on CUDA
    (a T4 says that it supports bfloat16, and emulates it), float32 on CPU."""
    if precision != "auto":
        return getattr(torch, precision)
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
