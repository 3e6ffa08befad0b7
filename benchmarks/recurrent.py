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
SHORTEST, LONGEST = 200, 400  # frames: RAVDESS at 10 ms
TURNS = 3
TOLERANCE = 1e-4


def measure(turns: int = TURNS) -> list[dict[str, Any]]:
    """One row per reference."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure(turns)
    finally:
        torch.set_num_threads(threads)


def _measure(turns: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    layer = BiLSTM(BINS, HIDDEN)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (BATCH,))
    lengths[0] = LONGEST
    x = torch.randn(BATCH, LONGEST, BINS) * length_mask(lengths, LONGEST)[..., None]
    slope = torch.randn(BATCH, LONGEST, 2 * HIDDEN) * length_mask(lengths, LONGEST)[..., None]

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
    ours, expected = forms["ours"](), forms["torch.nn.LSTM, packed"]()
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
            run()
            times[name].append(time.process_time() - began)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for name in ("torch.nn.LSTM, packed", "torch.nn.LSTM, padded"):
        ratios = [other / own for own, other in zip(times["ours"], times[name], strict=True)]
        rows.append(
            {
                "component": "frame-level BLSTM, forward and backward",
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
    """The matrix products of both directions, forward and backward, over padded steps,
    one after the other.
    """
    steps = int(lengths.max())
    inputs, gates = torch.randn(steps * BATCH, BINS), torch.randn(steps * BATCH, 4 * HIDDEN)
    states = torch.randn(steps * BATCH, HIDDEN)
    into, back = torch.randn(BINS, 4 * HIDDEN), torch.randn(HIDDEN, 4 * HIDDEN)
    state, gate = torch.randn(BATCH, HIDDEN), torch.randn(BATCH, 4 * HIDDEN)
    turned = back.t().contiguous()
    for_gates, for_state = torch.empty(BATCH, 4 * HIDDEN), torch.empty(BATCH, HIDDEN)

    def run() -> None:
        for _ in range(2):
            torch.mm(inputs, into)
            for _ in range(steps):
                torch.mm(state, back, out=for_gates)
            for _ in range(steps):
                torch.mm(gate, turned, out=for_state)
            # Gradients of the weights.
            torch.mm(inputs.t(), gates)
            torch.mm(states.t(), gates)

    def without_gradients() -> None:
        with torch.no_grad():
            run()

    return without_gradients


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
