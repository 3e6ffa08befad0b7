"""Powers of frames eight at a time against NumPy's transform."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.acoustic import _fourier as fourier
from pipeline.acoustic import _lanes as lanes
from pipeline.acoustic import _spectrum_loops as loops

ROOT = Path(__file__).parents[3]


def powers(
    signal: NDArray[np.float32], length: int, shift: int, num_fft: int, first: int = 0
) -> NDArray[np.float64]:
    num_frames = 1 + (len(signal) - length) // shift - first
    result = np.empty((num_frames, num_fft // 2 + 1))
    window, room = np.hanning(length), fourier.workspace(length, shift, num_fft)
    loops.powers(signal, first, shift, window, fourier.plan(num_fft), room, result)
    return result


@pytest.mark.parametrize(
    ("length", "shift", "num_fft"),
    [
        (2, 1, 2), (3, 7, 4), (6, 2, 6), (10, 3, 10), (12, 12, 12), (16, 5, 16), (30, 31, 30),
        (400, 160, 400), (400, 160, 512), (480, 160, 480), (1200, 480, 1200), (3200, 1600, 3200),
    ],
)  # fmt: skip
def test_powers_are_numpy_s(length: int, shift: int, num_fft: int) -> None:
    generator = np.random.default_rng(length)
    signal = generator.standard_normal(length + 21 * shift + 1).astype(np.float32)
    framed = np.lib.stride_tricks.sliding_window_view(signal, length)[::shift]
    expected = np.abs(np.fft.rfft(framed * np.hanning(length), num_fft)) ** 2
    found = powers(signal, length, shift, num_fft)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * max(expected.max(), 1e-9))


def test_a_frame_has_the_same_bytes_wherever_it_stands() -> None:
    signal = np.random.default_rng(1).standard_normal(160 * 500).astype(np.float32)
    whole = powers(signal, 400, 160, 512)
    for first in (0, 1, 7, 208, 490):
        alone = powers(signal[first * 160 :][:400], 400, 160, 512)
        np.testing.assert_array_equal(alone[0], whole[first])
    np.testing.assert_array_equal(powers(signal, 400, 160, 512, first=3), whole[3:])


def test_factors_lie_on_the_circle() -> None:
    steps = np.arange(4096)
    found = fourier._circle(steps, 2048)
    exact = np.exp(-2j * np.arccos(np.longdouble(-1)) * steps.astype(np.longdouble) / 2048)
    assert np.abs(found - exact).max() < 1.2e-16
    assert found[512] == -1j and found[1024] == -1 and found[1536] == 1j and found[2048] == 1


@pytest.mark.parametrize("num_fft", [1, 7, 14, 341, 1102])
def test_lengths_of_other_factors_have_no_plan(num_fft: int) -> None:
    assert fourier.plan(num_fft) is None


def test_machine_code_is_kept_under_the_hash_of_all_that_is_compiled(tmp_path: Path) -> None:
    """numba itself would keep a function whose callees have changed."""
    for path in (ROOT / "pipeline" / "acoustic").glob("*.py"):
        if path.name in ("_lanes.py", "_fourier.py") or path.name.endswith("_loops.py"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    before = lanes.code(tmp_path)
    assert before == lanes.code(lanes.HERE)
    changed = tmp_path / "_fourier.py"
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert lanes.code(tmp_path) != before


def test_without_a_place_for_machine_code_it_is_compiled_anew() -> None:
    program = (
        "import numba\n"
        "from pipeline.acoustic import _short_term_loops as loops\n"
        "print(loops._ends(3, 105), numba.config.CACHE_DIR)\n"
    )
    nowhere = {
        "NUMBA_CACHE_DIR": os.devnull,
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | nowhere,
    )  # fmt: skip
    assert run.stdout.split() == ["(30,", "40)", os.devnull], run.stderr
