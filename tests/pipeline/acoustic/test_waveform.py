import numpy as np

from pipeline.acoustic import waveform


def test_samples_come_through_untouched_and_apart() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 500).astype(np.float32)
    features = waveform.extract(samples, 16000, waveform.Config())
    np.testing.assert_array_equal(features[:, 0], samples)
    features[:] = 0
    assert samples.any()


def test_ten_seconds_are_kept_unless_said_otherwise() -> None:
    assert waveform.Config().max_frames == 160000
    assert waveform.Config(max_frames=None).max_frames is None
