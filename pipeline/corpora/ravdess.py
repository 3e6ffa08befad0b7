"""RAVDESS: 24 actors speak two sentences in eight emotions (speech part, audio only).

Citation: S. R. Livingstone, F. A. Russo. The Ryerson Audio-Visual Database of Emotional
Speech and Song (RAVDESS). PLoS ONE 13(5), 2018.
https://doi.org/10.1371/journal.pone.0196391

Layout: `Actor_01/03-01-05-02-01-02-01.wav` (wav or flac), or the same files without
folders. The name says modality-channel-emotion-intensity-statement-repetition-actor.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import _listing as listing
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import checked
from pipeline.schema import Rejection, Utterance

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
SPEAKERS = tuple(f"Actor_{number:02d}" for number in range(1, 25))
LICENCE = Licence(
    "CC BY-NC-SA 4.0 (non-commercial)",
    "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    redistribution=True,
)
TOTALS = Totals(
    part="speaker",
    parts=SPEAKERS,
    counts=(
        Count("utterances", 1440),
        # Neutral has no strong intensity, so half as many.
        *per_value(
            "emotion",
            {emotion: 96 if emotion == "neutral" else 192 for emotion in EMOTIONS.values()},
        ),
        *per_value("speaker", dict.fromkeys(SPEAKERS, 60)),
    ),
)
SAMPLING_RATE = 48000
NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")


@checked
class Config:
    """RAVDESS has nothing to configure."""


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the speech recordings below `root`, sorted by name; the sung ones are
    rejected, not hidden.

    `ratings["intensity"]` is 1 (normal) or 2 (strong). Raises ConfigurationError where
    no recording is found.
    """
    listing.require_folder(root, "the RAVDESS folder that holds Actor_01 … Actor_24")
    actors = sorted(
        {
            path
            for pattern in ("Actor_*", "*/Actor_*")
            for path in root.glob(pattern)
            if path.is_dir()
        }
    )
    places = [root, *actors]
    paths = [path for place in places for path in listing.files(place, listing.AUDIO_SUFFIXES)]
    # One copy of the corpus on the web holds every actor twice, once in a folder of its
    # own: shorter paths first.
    paths.sort(key=lambda path: (path.stem, len(path.parts), path.as_posix()))
    layout = "modality-channel-emotion-intensity-statement-repetition-actor"
    for item in listing.named(paths, root, NAME, layout, "Actor_NN/03-01-EE-II-SS-RR-NN.wav"):
        yield item if isinstance(item, Rejection) else _utterance(*item)


def _utterance(path: Path, match: re.Match[str]) -> Utterance | Rejection:
    _, channel, emotion, intensity, statement, _, actor = match.groups()
    if channel == "02":
        return Rejection(path.stem, "prepare", "song, not speech", str(path))
    if EMOTIONS[emotion] == "neutral" and intensity == "02":
        detail = f"{path}: neutral with strong intensity, expected intensity 01"
        return Rejection(path.stem, "prepare", "impossible file name", detail)
    speaker = f"Actor_{actor}"
    if path.parent.name.startswith("Actor_") and path.parent.name != speaker:
        detail = f"{path}: the name says {speaker}"
        return Rejection(path.stem, "prepare", "folder and file name disagree", detail)
    return Utterance(
        utterance_id=path.stem,
        corpus="ravdess",
        emotion=EMOTIONS[emotion],
        audio_path=path.as_posix(),
        transcript=STATEMENTS[statement],
        language="en",
        speaker=speaker,
        sex="male" if int(actor) % 2 else "female",
        style="scripted",
        ratings={"intensity": float(intensity)},
    )
