"""CREMA-D: 91 actors speak twelve sentences in six emotions.

Citation: H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma.
CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset. IEEE Transactions on
Affective Computing 5(4), 2014. https://doi.org/10.1109/TAFFC.2014.2336244

Layout: `AudioWAV/1001_DFA_ANG_XX.wav`, or the files without that folder: actor,
sentence, emotion, intensity. `VideoDemographics.csv` beside that folder, where it is
there, tells the actors' sex. One file of the release is known to be silent
(`1076_MTI_SAD_XX`); prepare rejects it.
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
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
INTENSITIES = {"LO": 1.0, "MD": 2.0, "HI": 3.0}
SAMPLING_RATE = 16000
LICENCE = Licence(
    "Open Database License 1.0, contents: Database Contents License",
    "https://opendatacommons.org/licenses/odbl/1-0/",
    redistribution=True,
)
TOTALS = Totals(
    part="speaker",
    parts=tuple(str(number) for number in range(1001, 1092)),
    counts=(
        Count("utterances", 7442),
        *per_value(
            "emotion",
            {emotion: 1087 if emotion == "neutral" else 1271 for emotion in EMOTIONS.values()},
        ),
    ),
)
# One file of the release is named with a single X (1040_ITH_SAD_X).
NAME = re.compile(rf"(10\d\d)_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(XX?|LO|MD|HI)")


@checked
class Config:
    """CREMA-D has nothing to configure: the label is the emotion that the actor was
    asked for.
    """


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the recordings, sorted by name; `ratings["intensity"]` is 1 low, 2 medium,
    3 high, absent if unspecified.

    Raises ConfigurationError where no recording is found.
    """
    listing.require_folder(root, "the CREMA-D folder that holds AudioWAV")
    folder = root / "AudioWAV" if (root / "AudioWAV").is_dir() else root
    sexes = _sexes(root / "VideoDemographics.csv")
    paths = listing.files(folder, listing.AUDIO_SUFFIXES)
    layout = "ACTOR_SENTENCE_EMOTION_INTENSITY as in 1001_DFA_ANG_XX"
    for item in listing.named(paths, folder, NAME, layout, "AudioWAV/1001_DFA_ANG_XX.wav"):
        if isinstance(item, Rejection):
            yield item
            continue
        path, match = item
        speaker, sentence, emotion, intensity = match.groups()
        yield Utterance(
            utterance_id=path.stem,
            corpus="cremad",
            emotion=EMOTIONS[emotion],
            audio_path=path.as_posix(),
            transcript=SENTENCES[sentence],
            language="en",
            speaker=speaker,
            sex=sexes.get(speaker),
            style="scripted",
            ratings={"intensity": INTENSITIES[intensity]} if intensity in INTENSITIES else {},
        )


def _sexes(table: Path) -> dict[str, str]:
    """By actor; the release has the table, some copies of it do not."""
    if not table.is_file():
        return {}
    return {
        row["ActorID"]: row["Sex"].lower()
        for row in listing.read_csv(table, ("ActorID", "Sex"))
        if row["Sex"]
    }
