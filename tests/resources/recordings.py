"""Short recordings for tests: sound, silence, and every way in which a file can be
broken.
"""

from pathlib import Path

import numpy as np
import soundfile


def tone(seconds: float = 0.3, sampling_rate: int = 16000, seed: int = 0) -> np.ndarray:
    """A hum with noise, (num_samples,) float64 below full scale; another seed gives
    other samples.
    """
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    pitch = 100 + 200 * generator.random()
    return 0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * generator.standard_normal(len(time))


def write(
    path: Path, seconds: float = 0.3, sampling_rate: int = 16000, seed: int = 0, channels: int = 1
) -> Path:
    """Writes `tone` to a wav or flac file, 16 bit; a second channel carries other
    samples.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    signal = np.stack(
        [tone(seconds, sampling_rate, seed + 1000 * channel) for channel in range(channels)], axis=1
    )
    # Whole numbers: libsndfile rounds floats differently for wav and flac.
    soundfile.write(
        path, np.round(signal * 32767).astype(np.int16), sampling_rate, subtype="PCM_16"
    )
    return path


def write_silent(path: Path, seconds: float = 0.3, sampling_rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * sampling_rate)), sampling_rate, subtype="PCM_16")
    return path


def write_without_samples(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(0), 16000, subtype="PCM_16")
    return path


def write_empty(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def write_corrupt(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(range(256)) * 8)
    return path


def write_truncated(path: Path, seconds: float = 0.3) -> Path:
    """A wav file whose header declares twice the samples that follow."""
    whole = write(path, seconds).read_bytes()
    path.write_bytes(whole[: 44 + (len(whole) - 44) // 2])
    return path


def write_clip(
    path: Path,
    seconds: float = 0.5,
    sampling_rate: int = 44100,
    channels: int = 2,
    seed: int = 0,
    index_first: bool = False,
) -> Path:
    """An mp4 clip with a few grey frames and AAC sound; with no channels it is a silent
    film.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        layout = {0: None, 1: "mono", 2: "stereo"}[channels]
        sound = container.add_stream("aac", rate=sampling_rate, layout=layout) if layout else None
        for index in range(max(1, round(10 * seconds))):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 128, np.uint8), format="rgb24")
            frame.pts = index
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        if sound is not None:
            signal = tone(seconds, sampling_rate, seed).astype(np.float32)
            for first in range(0, len(signal), 1024):
                block = av.AudioFrame.from_ndarray(
                    np.tile(signal[first : first + 1024], (channels, 1)),
                    format="fltp",
                    layout=layout,
                )
                block.sample_rate, block.pts = sampling_rate, first
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def babble(
    seconds: float = 2.0, sampling_rate: int = 16000, said: int = 0, take: int = 0
) -> np.ndarray:
    """Sounds like speech: a voice through resonances that move from syllable to
    syllable; float32. `said` chooses these, `take` when they come and how the pitch
    moves: another take of the same is another recording.
    """
    syllables, spoken = np.random.default_rng(said), np.random.default_rng([said, take])
    count = round(seconds * sampling_rate)
    time = np.arange(count) / sampling_rate
    number = round(seconds / 0.15) + 1
    marks = np.linspace(0, seconds, number)
    marks[1:-1] += spoken.uniform(-0.05, 0.05, number - 2)
    pitch = np.interp(time, marks, 120 * 2 ** spoken.uniform(0, 0.8, number))
    phase = 2 * np.pi * np.cumsum(pitch) / sampling_rate
    resonances = syllables.uniform([250, 800, 1800], [800, 1800, 3000], (number, 3))
    level = np.interp(time, marks, syllables.uniform(0.1, 1, number))
    moving = [np.interp(time, marks, own) for own in resonances.T]
    voice = np.zeros(count)
    for harmonic in range(1, 25):
        distances = [(harmonic * pitch - center) / 120 for center in moving]
        gain = sum(1 / (1 + distance**2) for distance in distances)
        voice += gain * np.sin(harmonic * phase) * (harmonic * pitch < 3500)
    noise = 0.001 * spoken.standard_normal(count)
    return np.asarray(0.05 * level * voice + noise, dtype=np.float32)
