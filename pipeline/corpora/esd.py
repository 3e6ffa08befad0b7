"""ESD (Emotional Speech Database): English and Mandarin sentences in five emotions.

350 parallel sentences are spoken by ten English and ten Mandarin speakers.

Citation: K. Zhou, B. Sisman, R. Liu, H. Li. Emotional voice conversion: Theory,
databases and ESD. Speech Communication 137, 2022.
https://doi.org/10.1016/j.specom.2021.11.006

Layout: `0001/Angry/0001_000351.wav`, in older copies `0001/Angry/train/0001_000351.wav`
(train, evaluation, test), and the words in `0001/0001.txt`: name, text and emotion,
separated by tabs. Speakers 0001-0010 are Mandarin, 0011-0020 English. The text files
come in UTF-8, UTF-16, GB 18030 (Mandarin) and Windows-1252 (English).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import _listing as listing
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection, Utterance

EMOTIONS = {
    "Angry": "angry",
    "Happy": "happy",
    "Neutral": "neutral",
    "Sad": "sad",
    "Surprise": "surprised",
}
SUBSETS = {"train": "train", "evaluation": "valid", "test": "test"}
SPEAKERS = tuple(f"{number:04d}" for number in range(1, 21))
SAMPLING_RATE = 16000
LICENCE = Licence(
    "research use, on request to the authors",
    "https://github.com/HLTSingapore/Emotional-Speech-Data",
    redistribution=False,
)
TOTALS = Totals(
    part="speaker",
    parts=SPEAKERS,
    counts=(
        Count("utterances", 35000),
        *per_value("speaker", dict.fromkeys(SPEAKERS, 1750)),
        *(
            Count(f"{speaker} {emotion}", 350, {"speaker": (speaker,), "emotion": (emotion,)})
            for speaker in SPEAKERS
            for emotion in EMOTIONS.values()
        ),
    ),
)
NAME = re.compile(r"(\d{4})_\d{6}")


@checked
class Config:
    """ESD has nothing to configure: choose speakers or a language through the split."""


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the recordings by speaker and name; one whose line in the text file does
    not parse has no transcript.

    Raises ConfigurationError for a tree without speakers or a text file in an unknown
    encoding.
    """
    listing.require_folder(root, "the ESD folder that holds 0001 … 0020")
    speakers = [folder for folder in listing.folders(root) if folder.name in SPEAKERS]
    if not speakers:
        raise ConfigurationError(f"no speaker in {root}, expected folders 0001 … 0020")
    for folder in speakers:
        language = "zh" if int(folder.name) <= 10 else "en"
        texts = _texts(folder / f"{folder.name}.txt", "gb18030" if language == "zh" else "cp1252")
        paths = listing.files(folder, listing.AUDIO_SUFFIXES, deep=True)
        paths.sort(key=lambda path: (path.stem, path.as_posix()))
        layout, example = (
            "SPEAKER_NUMBER as in 0001_000351",
            f"{folder.name}/Angry/{folder.name}_000351.wav",
        )
        for item in listing.named(paths, folder, NAME, layout, example):
            yield (
                item if isinstance(item, Rejection) else _utterance(*item, folder, language, texts)
            )


def _utterance(
    path: Path, match: re.Match[str], speaker: Path, language: str, texts: dict[str, str]
) -> Utterance | Rejection:
    emotion, *deeper = path.relative_to(speaker).parts[:-1] or ("",)
    if emotion not in EMOTIONS or len(deeper) > 1 or (deeper and deeper[0] not in SUBSETS):
        detail = (
            f"{path}: expected {speaker.name}/EMOTION/[train|evaluation|test/], EMOTION one of "
            f"{list(EMOTIONS)}"
        )
        return Rejection(path.stem, "prepare", "unexpected folder", detail)
    if match[1] != speaker.name:
        detail = f"{path}: the name says {match[1]}"
        return Rejection(path.stem, "prepare", "folder and file name disagree", detail)
    return Utterance(
        utterance_id=path.stem,
        corpus="esd",
        emotion=EMOTIONS[emotion],
        audio_path=path.as_posix(),
        transcript=texts.get(path.stem),
        language=language,
        speaker=speaker.name,
        style="scripted",
        subset=SUBSETS[deeper[0]] if deeper else None,
    )


def _texts(path: Path, legacy: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in listing.read_text(path, legacy).split("\n"):
        name, *cells = line.strip().lstrip("\ufeff").split("\t")
        if NAME.fullmatch(name.strip()) and len(cells) == 2 and cells[0].strip():
            found.setdefault(name.strip(), cells[0].strip())
    return found
