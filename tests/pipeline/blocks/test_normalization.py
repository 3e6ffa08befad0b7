"""Masked batch norm against torch's BatchNorm1d on the valid steps alone."""

import torch

from pipeline.blocks.normalization import MaskedBatchNorm

LENGTHS = torch.tensor([6, 2, 1])


def test_training_and_evaluation_equal_batch_norm_of_the_valid_steps() -> None:
    ours, reference = MaskedBatchNorm(4), torch.nn.BatchNorm1d(4)
    for _ in range(3):
        x = torch.randn(3, 6, 4) * 3 + 1
        inputs, copies = x.clone().requires_grad_(), x.clone().requires_grad_()
        y = ours(inputs, LENGTHS)
        rows = torch.cat([copies[row, :length] for row, length in enumerate(LENGTHS.tolist())])
        expected = reference(rows)
        valid = torch.cat([y[row, :length] for row, length in enumerate(LENGTHS.tolist())])
        torch.testing.assert_close(valid, expected)
        assert y[1, 2:].eq(0).all()
        slope = torch.randn_like(expected)
        torch.testing.assert_close(
            torch.autograd.grad(valid, inputs, slope)[0],
            torch.autograd.grad(expected, copies, slope)[0],
        )
    torch.testing.assert_close(ours.running_mean, reference.running_mean)
    torch.testing.assert_close(ours.running_var, reference.running_var)
    ours.eval(), reference.eval()
    torch.testing.assert_close(ours(x, LENGTHS)[0], reference(x[0]))
    assert ours(x, LENGTHS)[1, 2:].eq(0).all()
    torch.testing.assert_close(ours(x[0]), reference(x[0]))


def test_more_padding_changes_no_statistics() -> None:
    short, long = MaskedBatchNorm(4), MaskedBatchNorm(4)
    x = torch.randn(3, 6, 4)
    torch.testing.assert_close(
        long(torch.nn.functional.pad(x, (0, 0, 0, 50), value=7.0), LENGTHS)[:, :6],
        short(x, LENGTHS),
    )
    torch.testing.assert_close(long.running_var, short.running_var)


def test_a_single_step_leaves_the_statistics_alone() -> None:
    norm = MaskedBatchNorm(4)
    y = norm(torch.randn(1, 3, 4), torch.tensor([1]))
    assert torch.isfinite(y).all() and norm.running_mean.eq(0).all()
