"""Predictions: test inputs under many views, and the answers turned back into candidates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from arckit.answers.vote import Candidate
from arckit.data.canvas import decode, encode
from arckit.data.view import Views
from arckit.model.trm import TinyRecursiveModel


@dataclass(frozen=True)
class Question:
    """One test input under one view: the task's and the test input's index, and the view's row."""

    task: int
    test: int
    row: int


def all_questions(views: Views, votes: int) -> list[Question]:
    """Every test input under up to `votes` views, in rounds: each input once, small ones first, then each again."""
    inputs = [(task, test) for task, of in enumerate(views.tasks) for test in range(len(of.tests))]
    inputs.sort(key=lambda at: (views.tasks[at[0]].tests[at[1]].input.size, at))
    return [
        Question(task, test, views.rows_of(task)[turn])
        for turn in range(votes)
        for task, test in inputs
        if turn < len(views.rows_of(task))
    ]


def batches(questions: Sequence[Question], size: int) -> Iterator[Sequence[Question]]:
    """Cut into batches of 1, 2, 4, … up to `size`: the first answers come soon, on slow hardware too."""
    start, now = 0, 1
    while start < len(questions):
        yield questions[start : start + now]
        start, now = start + now, min(2 * now, size)


@torch.inference_mode()
def answer(
    model: TinyRecursiveModel, rows: Tensor, views: Views, questions: Sequence[Question], dtype: torch.dtype
) -> list[Candidate]:
    """Answer a batch of questions: N_sup supervision steps each, as the reference does at evaluation.

    Args:
        rows: (R, D_emb) the views' rows, on the model's device. dtype: the precision to compute in.

    Returns:
        A candidate for every question whose answer reads as a grid, turned back; fewer than questions if some do not.
    """
    canvas, device = model.config.canvas, rows.device
    tokens = np.stack([encode(_augmented_input(views, question), canvas) for question in questions])
    inputs = torch.from_numpy(tokens).to(device)  # (B, cells)
    looked_up = rows[torch.tensor([question.row for question in questions], device=device)]
    state = model.initial_state(len(questions), dtype=dtype)
    logits = q = None
    for _ in range(model.config.N_sup):
        state, logits, q = model(inputs, looked_up, state)
    assert logits is not None
    assert q is not None
    answers, confidences = logits.argmax(-1).to(torch.uint8).cpu().numpy(), q.cpu().tolist()
    candidates = []
    for question, read, confidence in zip(questions, answers, confidences, strict=True):
        grid = decode(read, canvas)
        if grid is not None:
            task = views.tasks[question.task]
            turned_back = views.augmentation(question.row).invert(grid)
            name = views.name(question.row)
            candidates.append(Candidate(task.id, question.test, turned_back, confidence, name))
    return candidates


def _augmented_input(views: Views, question: Question) -> np.ndarray:
    pair = views.tasks[question.task].tests[question.test]
    return views.augmentation(question.row).apply(pair.input)
