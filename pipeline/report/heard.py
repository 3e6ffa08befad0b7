"""report/recordings/: one file of data for each tested utterance, and its sound, which
the pages of all experiments on the corpus share.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import alignment, audio
from pipeline.report import sound
from pipeline.schema import Utterance, WordSpan
from pipeline.tables import replacing, write_text


@dataclass(frozen=True)
class Alignment:
    """What a chain of aligners said of an utterance: its spans, or why there are none.

    check: the tolerances of params.yaml that its spans were checked with.
    """

    name: str
    spans: Sequence[WordSpan]
    check: Mapping[str, Any]
    rejected: str = ""


@dataclass(frozen=True)
class Recording:
    """A tested utterance as the pages show it.

    experiments: by name what was predicted: truth, predicted, probabilities. silent:
    why its sound stays out of the page, empty where it does not.
    """

    utterance: Utterance
    alignments: Sequence[Alignment]
    experiments: Mapping[str, Mapping[str, Any]]
    silent: str


def key(utterance_id: str) -> str:
    """The name of an utterance's files, whatever its id is made of."""
    return hashlib.sha256(utterance_id.encode()).hexdigest()[:16]


def write_data(path: Path, name: str, values: Mapping[str, Any]) -> None:
    """A script that hands JSON to the page, which may read nothing else from a disk."""
    said = json.dumps(values, separators=(",", ":"), allow_nan=False)
    write_text(path, f"serflow({json.dumps(name)},{said});\n")


def write(recording: Recording, folder: Path) -> None:
    """<key>.js, and <key>.ogg unless the sound stays out."""
    utterance = recording.utterance
    name = key(utterance.utterance_id)
    shares = [item["probabilities"] for item in recording.experiments.values()]
    values: dict[str, Any] = {
        "transcript": utterance.transcript,
        "language": utterance.language,
        "words": list(utterance.words),
        "classes": list(dict.fromkeys(label for item in shares for label in item)),
        "experiments": dict(recording.experiments),
        "audio": None,
        "silent": recording.silent,
    }
    spoken = utterance.audio_path is not None
    if not spoken:
        values["silent"] = "The corpus has no recording of it."
    else:
        try:
            waveform = audio.load(utterance, sound.RATE)
        except audio.AudioError as error:
            values["silent"] = f"The recording cannot be used: {error}"
            spoken = False
        else:
            values |= sound.drawn(waveform)
            if not recording.silent:
                values["audio"] = f"{name}.ogg"
                with replacing(folder / f"{name}.ogg") as temporary:
                    temporary.write_bytes(sound.vorbis(waveform))
    values["alignments"] = dict(_alignments(recording, spoken, values))
    write_data(folder / f"{name}.js", f"recording/{name}", values)


def _alignments(
    recording: Recording, spoken: bool, values: dict[str, Any]
) -> Iterable[tuple[str, dict[str, Any]]]:
    for item in recording.alignments:
        if item.rejected or not spoken:
            yield item.name, {"words": None, "said": item.rejected or "there is no sound"}
            continue
        reasons, voice = alignment.examine(recording.utterance, item.spans, item.check)
        values["voice"] = [round(time, 3) for time in voice]
        words = [
            [span.word, round(span.start, 4), round(span.end, 4), span.confidence]
            for span in item.spans
        ]
        yield item.name, {"words": words, "said": _said(item.spans, reasons, voice)}


def _said(spans: Sequence[WordSpan], reasons: Sequence[str], voice: tuple[float, float]) -> str:
    """Who placed the words, how they lie to the voice, what the check finds."""
    first = _late(spans[0].start - voice[0], "the voice begins")
    last = _late(spans[-1].end - voice[1], "it ends")
    aligners = ", ".join(dict.fromkeys(span.aligner for span in spans))
    said = f"placed by {aligners}; the first word starts {first}, the last one ends {last}; "
    said += "the check finds " + ("; ".join(reasons) if reasons else "nothing wrong")
    known = [(span.confidence, span.word) for span in spans if span.confidence is not None]
    if known:
        confidence, word = min(known)
        said += f"; least sure of “{word}”, {confidence:.2f}"
    return said + "."


def _late(seconds: float, of: str) -> str:
    return f"{1000 * abs(seconds):.0f} ms {'after' if seconds >= 0 else 'before'} {of}"
