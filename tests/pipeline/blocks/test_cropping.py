"""Sequences cut and padded to fixed sizes."""

import torch

from pipeline.blocks.cropping import crop, fit


def test_crop_cuts_and_fit_pads() -> None:
    x, lengths = torch.ones(2, 5, 3), torch.tensor([5, 2])
    cut, kept = crop(x, lengths, 4)
    assert cut.shape == (2, 4, 3) and kept.tolist() == [4, 2]
    fitted = fit(x, lengths, 8)
    assert fitted.shape == (2, 8, 3)
    assert fitted.sum((1, 2)).tolist() == [15.0, 6.0]
    assert fit(x, lengths, 3).sum((1, 2)).tolist() == [9.0, 6.0]
