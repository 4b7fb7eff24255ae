"""Embedding rows and the sign-SGD that moves those of a batch."""

import pytest
import torch

from arckit.model.embedding import EmbeddingRows

R, D = 40, 6
YES, NO = torch.tensor(True), torch.tensor(False)


def table(seed: int = 0) -> torch.Tensor:
    return torch.randn(R, D, generator=torch.Generator().manual_seed(seed))


def batch(size: int = 32, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows drawn from half the table, so that many come twice or more."""
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(size, D, generator=generator) * 10.0 ** torch.randint(-8, 3, (size, D), generator=generator)
    return torch.randint(0, R // 2, (size,), generator=generator), gradients


def plain_loop(rows: torch.Tensor, indices: torch.Tensor, gradients: torch.Tensor, lr: float, decay: float):
    rows, sums = rows.clone(), {}
    for index, gradient in zip(indices.tolist(), gradients, strict=True):
        sums[index] = sums.get(index, torch.zeros(D)) + gradient
    for index, total in sums.items():
        rows[index] = rows[index] * (1 - lr * decay) - lr * torch.sign(total)
    return rows


@pytest.mark.parametrize("decay", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_step_equals_a_plain_loop_over_the_rows_of_the_batch(seed, decay):
    rows, (indices, gradients) = EmbeddingRows(table()), batch(seed=seed)
    assert len(set(indices.tolist())) < len(indices) - 8, "rows come more than once"
    rows.step(indices, gradients, torch.tensor(0.01), decay, YES)
    torch.testing.assert_close(rows.table, plain_loop(table(), indices, gradients, 0.01, decay), atol=1e-7, rtol=1e-6)


def test_gradients_of_a_row_that_occurs_twice_are_summed_before_the_sign_is_taken():
    rows = EmbeddingRows(torch.zeros(3, 2))
    gradients = torch.tensor([[3.0, 1.0], [1.0, 1.0], [-1.0, -2.0], [-1.0, 1.0]])
    rows.step(torch.tensor([2, 0, 2, 2]), gradients, torch.tensor(0.5), 0.1, YES)
    # Row 2: 3 − 1 − 1 = 1, and 1 − 2 + 1 = 0; sign by sign it would be −0.5 and 0.5 to add.
    assert rows.table.tolist() == [[-0.5, -0.5], [0.0, 0.0], [-0.5, 0.0]]


def test_a_row_that_is_not_in_the_batch_stays_as_it_is_bit_for_bit():
    rows, (indices, gradients) = EmbeddingRows(table()), batch()
    rows.step(indices, gradients, torch.tensor(0.01), 1.0, YES)
    touched = torch.zeros(R, dtype=torch.bool)
    touched[indices] = True
    assert torch.equal(rows.table[~touched], table()[~touched])
    assert (rows.table[touched] != table()[touched]).any(1).all()


def test_nothing_moves_when_a_step_is_not_finite():
    rows, (indices, gradients) = EmbeddingRows(table()), batch()
    gradients[3] = torch.nan
    gradients[4] = torch.inf
    rows.step(indices, gradients, torch.tensor(0.01), 0.1, NO)
    assert torch.equal(rows.table, table())


def test_the_order_of_the_batch_does_not_matter():
    """Two processes gather what one has had at once, in another order."""
    indices, gradients = batch()
    order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(2))
    one, two = EmbeddingRows(table()), EmbeddingRows(table())
    one.step(indices, gradients, torch.tensor(0.01), 0.1, YES)
    two.step(indices[order], gradients[order], torch.tensor(0.01), 0.1, YES)
    torch.testing.assert_close(one.table, two.table, atol=0, rtol=0)


def test_every_entry_moves_by_the_rate_whatever_the_gradients_size():
    rows, (indices, gradients) = EmbeddingRows(torch.zeros(R, D)), batch()
    rows.step(indices, gradients, torch.tensor(0.25), 0.0, YES)
    assert (rows.table[indices].abs() == 0.25).all()


def test_rows_are_looked_up_as_a_leaf_and_the_table_itself_has_no_gradient():
    rows, (indices, _) = EmbeddingRows(table()), batch()
    found = rows.look_up(indices)
    assert torch.equal(found, table()[indices])
    (found * torch.arange(1.0, 33).unsqueeze(1)).sum().backward()
    assert found.is_leaf
    assert found.grad is not None
    assert torch.equal(found.grad[:, 0], torch.arange(1.0, 33)), "an occurrence has a gradient of its own"
    assert rows.table.grad is None
    assert not rows.table.requires_grad


def test_the_table_is_taken_over_and_no_second_one_is_made():
    own, (indices, gradients) = table(), batch()
    rows = EmbeddingRows(own)
    rows.step(indices, gradients, torch.tensor(0.01), 0.1, YES)
    assert rows.table is own
    assert len(rows.table) == R
    assert [name for name, value in vars(rows).items() if isinstance(value, torch.Tensor)] == ["table"]
