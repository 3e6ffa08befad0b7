"""The bidirectional LSTM over frames of LSTM_Attn_a against torch's own, packed and
padded, forward and backward on one core.

    python benchmarks/recurrent.py

The packed one is the definition, to whose states and gradients ours are compared in the
same run. The padded one runs over padding too, and its backward direction begins there:
it is no reference for numbers, only for time. The floor are the matrix products of an
LSTM alone: those of every step, which cannot be joined, and those over all steps.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pipeline.batch import length_mask
from pipeline.blocks.recurrent import BiLSTM

BATCH, BINS, HIDDEN = 32, 40, 256
# Frames of 10 ms from an even draw: RAVDESS, and turns of dialogue such as IEMOCAP's,
# 4.5 s in the mean and few of them long.
LENGTHS: dict[str, Callable[[Tensor], Tensor]] = {
    "200 to 400 frames": lambda drawn: 200 + 200 * drawn,
    "turns of dialogue": lambda drawn: (
        (5.89 + 0.65 * torch.special.ndtri(drawn)).exp().clamp(60, 1000)
    ),
}
TURNS = 3
TOLERANCE = 1e-4


def measure(turns: int = TURNS) -> list[dict[str, Any]]:
    """A row for each reference and kind of lengths."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for name in LENGTHS for row in _measure(name, turns)]
    finally:
        torch.set_num_threads(threads)


def _measure(kind: str, turns: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    layer = BiLSTM(BINS, HIDDEN)
    lengths = LENGTHS[kind](torch.rand(BATCH)).long()
    mask = length_mask(lengths, int(lengths.max()))[..., None]
    x = torch.randn(*mask.shape[:2], BINS) * mask
    slope = torch.randn(*mask.shape[:2], 2 * HIDDEN) * mask

    def step(states: Callable[[], Tensor]) -> list[Tensor]:
        layer.zero_grad(set_to_none=True)
        found = states()
        (found * slope).sum().backward()  # type: ignore[no-untyped-call]
        gradients = [value.grad for value in layer.parameters() if value.grad is not None]
        return [found.detach(), *gradients]

    forms: dict[str, Callable[[], Any]] = {
        "ours": lambda: step(lambda: layer(x, lengths)),
        "torch.nn.LSTM, packed": lambda: step(lambda: layer.plain(x, lengths)),
        "torch.nn.LSTM, padded": lambda: step(lambda: layer.lstm(x)[0]),
        "floor": products(lengths),
    }
    ours, began = forms["ours"](), time.process_time()
    expected = forms["torch.nn.LSTM, packed"]()
    # Once: it takes a minute.
    packed = time.process_time() - began
    difference = max(
        float((own - other).abs().max() / other.abs().max())
        for own, other in zip(ours, expected, strict=True)
    )
    if difference > TOLERANCE:
        raise AssertionError(f"difference {difference:.1e}, expected at most {TOLERANCE:.0e}")
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(turns):
        for name, run in forms.items():
            began = time.process_time()
            if "packed" not in name:
                run()
            times[name].append(packed if "packed" in name else time.process_time() - began)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for name in ("torch.nn.LSTM, packed", "torch.nn.LSTM, padded"):
        ratios = [other / own for own, other in zip(times["ours"], times[name], strict=True)]
        rows.append(
            {
                "component": f"frame-level BLSTM, {kind}",
                "reference": name,
                "seconds": seconds["ours"],
                "reference_seconds": seconds[name],
                "ratio": statistics.median(ratios),
                "ratio_lowest": min(ratios),
                "ratio_highest": max(ratios),
                "floor": "its matrix products",
                "floor_seconds": seconds["floor"],
                "largest_difference": difference if "packed" in name else None,
                "difference_in": "share of the largest value",
            }
        )
    return rows


def products(lengths: Tensor) -> Callable[[], None]:
    """The matrix products of both directions, forward and backward, over the sequences
    that have not ended, one after the other.
    """
    steps, rows = int(lengths.max()), int(lengths.sum())
    counts = [int((lengths > step).sum()) for step in range(steps)]
    inputs, gates = torch.randn(rows, BINS), torch.randn(rows, 4 * HIDDEN)
    states = torch.randn(rows, HIDDEN)
    into, back = torch.randn(BINS, 4 * HIDDEN), torch.randn(HIDDEN, 4 * HIDDEN)
    state, gate = torch.randn(BATCH, HIDDEN), torch.randn(BATCH, 4 * HIDDEN)
    turned = back.t().contiguous()
    for_gates, for_state = torch.empty(BATCH, 4 * HIDDEN), torch.empty(BATCH, HIDDEN)

    def run() -> None:
        for _ in range(2):
            torch.mm(inputs, into)
            for count in counts:
                torch.mm(state[:count], back, out=for_gates[:count])
            for count in counts:
                torch.mm(gate[:count], turned, out=for_state[:count])
            # Gradients of the weights.
            torch.mm(inputs.t(), gates)
            torch.mm(states.t(), gates)

    def without_gradients() -> None:
        with torch.no_grad():
            run()

    return without_gradients


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
