"""What can be heard and seen of one recording, small enough for a page: its sound as
Ogg Vorbis, waveform, log mel picture, pitch and energy.
"""

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import lookup

RATE = 16000  # Hz, of what is heard and drawn
STEP = 0.02  # s, between values of pitch and energy
PIECES = 400  # of the waveform
SHADES = 32  # of the log mel picture
RANGE = 9.0  # natural log of the energy that the picture shows below its loudest: 39 dB
QUIET = 35.0  # dB below the loudest step, under which no pitch is looked for
PITCH = (60.0, 500.0)  # Hz
PERIODIC = 0.5  # least correlation of a voiced step with itself a period later
COMPRESSION = 0.7  # of Vorbis, 0 to 1: speech stays clear
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def drawn(waveform: NDArray[np.float32]) -> dict[str, Any]:
    """What a page draws of a waveform (num_samples,) at RATE.

    waveform: lowest and highest sample of PIECES pieces, in hundredths of the largest.
    mel: a PNG as data URI and its times, 40 bands of 25 ms every 10 ms, low ones below.
    pitch: Hz every STEP, None where there is no voice. energy: dB every STEP, 0 is full
    scale.
    """
    energy = _energy(waveform)
    return {
        "duration": round(len(waveform) / RATE, 4),
        "step": STEP,
        "waveform": _envelope(waveform),
        "mel": _mel_picture(waveform),
        "energy": [round(float(value)) for value in energy],
        "pitch": _pitch(waveform, energy),
    }


def vorbis(waveform: NDArray[np.float32]) -> bytes:
    """Ogg Vorbis of a waveform at RATE; the same samples give the same bytes."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(
        file,
        np.clip(waveform, -1, 1),
        RATE,
        format="OGG",
        subtype="VORBIS",
        compression_level=COMPRESSION,
    )
    return _with_serial_number(file.getvalue(), 0)


def _with_serial_number(pages: bytes, number: int) -> bytes:
    """Ogg pages with this serial number, for which libsndfile draws lots (RFC 3533)."""
    written, position = bytearray(pages), 0
    while position < len(written):
        segments = written[position + 26]
        lengths = written[position + 27 : position + 27 + segments]
        end = position + 27 + segments + sum(lengths)
        struct.pack_into("<I", written, position + 14, number)
        struct.pack_into("<I", written, position + 22, 0)
        struct.pack_into("<I", written, position + 22, _checksum(bytes(written[position:end])))
        position = end
    return bytes(written)


def _checksum(page: bytes) -> int:
    """Ogg's CRC: zlib's polynomial with the bits of every byte in the other order, from
    0 and not inverted.
    """
    turned = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(turned.to_bytes(4, "little").translate(REVERSED), "big")


def _envelope(waveform: NDArray[np.float32]) -> list[list[int]]:
    pieces = np.array_split(waveform, min(len(waveform), PIECES))
    largest = max(float(np.abs(waveform).max()), 1e-9)
    return [
        [round(100 * float(piece.min()) / largest), round(100 * float(piece.max()) / largest)]
        for piece in pieces
    ]


def _mel_picture(waveform: NDArray[np.float32]) -> dict[str, Any] | None:
    """The picture and the seconds from `start` to `end` that it shows; None for a
    waveform shorter than one frame.
    """
    from matplotlib import colormaps
    from PIL import Image

    fbank = lookup.component("acoustic", "fbank")
    config = fbank.Config(sampling_rate=RATE)
    if len(waveform) < config.frame_length * RATE:
        return None
    timing = fbank.timing(config)
    values = fbank.extract(waveform, RATE, config).T[::-1]
    start = timing.first_center - timing.frame_shift / 2
    end = start + values.shape[1] * timing.frame_shift
    loudness = np.clip((values - values.max()) / RANGE + 1, 0, 1)
    shades = np.round(loudness * (SHADES - 1)).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(shades), mode="P")
    colours = colormaps["magma"](np.linspace(0, 1, SHADES))[:, :3]
    picture.putpalette(np.round(255 * colours).astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    content = base64.b64encode(file.getvalue()).decode()
    times = {"start": round(start, 5), "end": round(end, 5)}
    return {**times, "picture": f"data:image/png;base64,{content}"}


def _energy(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """dB of every STEP, 0 for a mean square of 1."""
    size = round(STEP * RATE)
    padded = np.pad(waveform.astype(np.float64), (0, -len(waveform) % size))
    power = np.square(padded.reshape(-1, size)).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-10)))


def _pitch(waveform: NDArray[np.float32], energy: NDArray[np.float64]) -> list[int | None]:
    """YIN (de Cheveigné and Kawahara, 2002) by librosa, where the sound is loud enough
    and repeats itself after the period found, without leaps out of the voice's range
    (0.75 times the first to 2 times the third quartile; Hirst, 2011, has 1.5 to 2.5).
    """
    import librosa

    hop, length = round(STEP * RATE), 1024
    frequencies = librosa.yin(
        waveform, fmin=PITCH[0], fmax=PITCH[1], sr=RATE, frame_length=length, hop_length=hop
    )
    padded = np.pad(waveform.astype(np.float64), (length // 2, length))
    loud = energy > energy.max() - QUIET
    found: list[int | None] = []
    for index, audible in enumerate(loud):
        period = round(RATE / frequencies[min(index, len(frequencies) - 1)])
        frame = padded[index * hop : index * hop + length]
        now, later = frame[: length - period], frame[period:]
        product = float(np.sqrt(np.dot(now, now) * np.dot(later, later)))
        voiced = audible and float(np.dot(now, later)) > PERIODIC * product
        found.append(round(RATE / period) if voiced else None)
    heard = [value for value in found if value is not None]
    if not heard:
        return found
    first, third = np.percentile(heard, [25, 75])
    return [
        value if value is not None and 0.75 * first <= value <= 2 * third else None
        for value in found
    ]
