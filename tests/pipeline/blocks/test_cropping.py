"""Sequences cut and padded to fixed sizes."""

import torch

from pipeline.blocks.cropping import crop, fit, trim


def test_crop_cuts_and_fit_pads() -> None:
    x, lengths = torch.ones(2, 5, 3), torch.tensor([5, 2])
    cut, kept = crop(x, lengths, 4)
    assert cut.shape == (2, 4, 3) and kept.tolist() == [4, 2]
    fitted = fit(x, lengths, 8)
    assert fitted.shape == (2, 8, 3)
    assert fitted.sum((1, 2)).tolist() == [15.0, 6.0]
    assert fit(x, lengths, 3).sum((1, 2)).tolist() == [9.0, 6.0]


def test_trim_takes_steps_away_at_both_ends_of_each_sequence() -> None:
    x = torch.arange(1.0, 13.0).view(2, 6, 1)
    trimmed, lengths = trim(x, torch.tensor([6, 4]), 2, 1)
    assert lengths.tolist() == [3, 1]
    assert trimmed[..., 0].tolist() == [[3, 4, 5, 0, 0, 0], [9, 0, 0, 0, 0, 0]]
    whole, lengths = trim(x, torch.tensor([3, 0]), 2, 1)
    assert lengths.tolist() == [3, 0]
    assert whole[..., 0].tolist() == [[1, 2, 3, 0, 0, 0], [0] * 6]
