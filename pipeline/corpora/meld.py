"""MELD: 13,708 utterances of the series Friends with emotion and sentiment.

Citation: S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea. MELD: A
Multimodal Multi-Party Dataset for Emotion Recognition in Conversations. ACL 2019.
https://aclanthology.org/P19-1050

Layout: `train_sent_emo.csv`, `dev_sent_emo.csv`, `test_sent_emo.csv`, and the clips
`dia0_utt1.mp4` in `train_splits`, `dev_splits_complete`, `output_repeated_splits_test`;
each directly in the root, or one folder down in `train`, `dev`, `test`. Known faults of
the release: one clip of dev is missing (dia110_utt7), one of train is corrupt
(dia125_utt3); both become rejections. Clips without a row (`final_videos_test…`) are
not read.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.audio import AudioError
from pipeline.corpora import _listing as listing
from pipeline.corpora import _video as video
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection, Utterance

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
SENTIMENTS = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
PARTS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
SUBSETS = {"train": "train", "dev": "valid", "test": "test"}
_COUNTS = {
    "train": (1109, 271, 268, 1743, 4710, 683, 1205),
    "valid": (153, 22, 40, 163, 470, 111, 150),
    "test": (345, 68, 50, 402, 1256, 208, 281),
}
LICENCE = Licence(
    "GPL-3.0 (annotations); the clips are the series'",
    "https://github.com/declare-lab/MELD",
    redistribution=False,
)
TOTALS = Totals(
    part="subset",
    parts=("train", "valid", "test"),
    counts=(
        *per_value("subset", {"train": 9989, "valid": 1109, "test": 2610}),
        *(
            Count(f"{subset} {emotion}", number, {"subset": (subset,), "emotion": (emotion,)})
            for subset, numbers in _COUNTS.items()
            for emotion, number in zip(EMOTIONS, numbers, strict=True)
        ),
    ),
)
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")


@checked
class Config:
    """Where the sound of MELD's clips is kept once it is decoded."""

    cache: Path = Path("data/cache/meld")


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields every row of the three tables, by subset, dialogue and utterance.

    Dialogue numbers start anew in each subset, so ids are `dev_dia0_utt1`.
    `ratings["sentiment"]` is -1, 0 or 1. Raises ConfigurationError where no table is
    found, or a table without its clips.
    """
    listing.require_folder(root, "the MELD folder that holds train_sent_emo.csv and train_splits")
    tables = {part: _first_existing(root, part, f"{part}_sent_emo.csv") for part in PARTS}
    if not any(tables.values()):
        raise ConfigurationError(
            f"no table in {root}, expected train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv"
        )
    for part, table in tables.items():
        if table is not None:
            yield from _part(root, part, table, config.cache)


def _first_existing(root: Path, part: str, name: str) -> Path | None:
    return next((place for place in (root / name, root / part / name) if place.exists()), None)


def _part(root: Path, part: str, table: Path, cache: Path) -> Iterator[Utterance | Rejection]:
    folder = _first_existing(root, part, PARTS[part])
    if folder is None:
        raise ConfigurationError(
            f"no clips for {table}, expected the folder {PARTS[part]} in {root} or {root / part}"
        )
    rows = []
    for row in listing.read_csv(table, COLUMNS):
        if row["Dialogue_ID"].isdecimal() and row["Utterance_ID"].isdecimal():
            rows.append(row)
        else:
            name = f"{part}_dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            yield Rejection(
                name,
                "prepare",
                "unparsable clip id",
                f"{table}: expected whole numbers as in dia0_utt1",
            )
    rows.sort(key=lambda row: (int(row["Dialogue_ID"]), int(row["Utterance_ID"])))
    clips = [folder / f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}.mp4" for row in rows]
    seen: set[str] = set()
    for row, clip, sound in zip(rows, clips, video.sound_tracks(clips, cache), strict=True):
        name = f"{part}_{clip.stem}"
        emotion = row["Emotion"].lower()
        if name in seen:
            yield Rejection(name, "prepare", "listed twice", str(table))
        elif isinstance(sound, AudioError):
            yield Rejection(name, "prepare", sound.reason, sound.detail)
        elif emotion not in EMOTIONS:
            yield Rejection(
                name,
                "prepare",
                "label outside the scheme",
                f"{emotion!r}, expected one of {EMOTIONS}",
            )
        else:
            sentiment = SENTIMENTS.get(row["Sentiment"].lower())
            yield Utterance(
                utterance_id=name,
                corpus="meld",
                emotion=emotion,
                audio_path=sound.as_posix(),
                transcript=_repaired(row["Utterance"]) or None,
                language="en",
                speaker=row["Speaker"] or None,
                dialogue=f"{part}_dia{row['Dialogue_ID']}",
                subset=SUBSETS[part],
                ratings={} if sentiment is None else {"sentiment": sentiment},
            )
        seen.add(name)


def _repaired(text: str) -> str:
    """The tables hold Windows punctuation as control characters: U+0092 is meant to be
    an apostrophe.
    """
    return "".join(
        character.encode("latin-1").decode("cp1252", errors="ignore")
        if 0x80 <= ord(character) <= 0x9F
        else character
        for character in text
    )
