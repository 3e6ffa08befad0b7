"""CH-SIMS: 2281 clips of Chinese films and series with sentiment.

Sentiment is labelled for text, voice and face, and for all three together.

Citation: W. Yu, H. Xu, F. Meng, Y. Zhu, Y. Ma, J. Wu, J. Zou, K. Yang. CH-SIMS: A
Chinese Multimodal Sentiment Analysis Dataset with Fine-grained Annotation of Modality.
ACL 2020. https://aclanthology.org/2020.acl-main.343

Layouts: media always in `Raw/<video_id>/<clip_id>.mp4` (`Raw/video_0001/0001.mp4`).
Labels either as MMSA distributes them, `label.csv` (video_id, clip_id, text, label,
label_T, label_A, label_V, annotation, mode), or as in the first release,
`metadata/sentiment/label_M.csv` (video_id, clip_id, text, label) with `label_T.csv`,
`label_A.csv`, `label_V.csv` beside it and the rows of each subset in
`metadata/{train,val,test}_index.csv`.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from pipeline.audio import AudioError
from pipeline.corpora import _listing as listing
from pipeline.corpora import _video as video
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection, Utterance

SUBSETS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
RATINGS = {
    "label": "sentiment",
    "label_T": "sentiment_text",
    "label_A": "sentiment_audio",
    "label_V": "sentiment_vision",
}
LICENCE = Licence(
    "research use, on request to the authors",
    "https://github.com/thuiar/MMSA",
    redistribution=False,
)
TOTALS = Totals(
    part="subset",
    parts=("train", "valid", "test"),
    counts=(
        Count("utterances", 2281),
        *per_value("subset", {"train": 1368, "valid": 456, "test": 457}),
    ),
)
LEGACY = "gb18030"
IDENTIFIER = re.compile(r"[\w-]+")  # ids become paths: no separators, no dots


@checked
class Config:
    """How CH-SIMS becomes three classes, and where the decoded sound is kept.

    Sentiment up to and including `negative_to` is negative, above `positive_from`
    positive, neutral between.
    """

    negative_to: float = Field(default=-0.1, ge=-1, le=1)
    positive_from: float = Field(default=0.1, ge=-1, le=1)
    cache: Path = Path("data/cache/chsims")


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields every labelled clip, sorted by video and clip; `dialogue` is the video,
    since its clips share speakers.

    `ratings` hold the sentiment in [-1, 1] of all modalities together and of each
    alone. `subset` is the official split. Raises ConfigurationError for an unknown
    layout.
    """
    if config.negative_to > config.positive_from:
        raise ConfigurationError(
            f"negative_to {config.negative_to} lies above positive_from {config.positive_from}: "
            "set it to that number or a smaller one"
        )
    expected = "label.csv, or metadata/sentiment/label_M.csv of the first release"
    listing.require_folder(root, f"the CH-SIMS folder with Raw and {expected}")
    listing.require_folder(root / "Raw", "the clips as Raw/video_0001/0001.mp4")
    if (root / "label.csv").is_file():
        rows = _combined(root / "label.csv")
    elif (root / "metadata" / "sentiment" / "label_M.csv").is_file():
        rows = _first_release(root / "metadata")
    else:
        raise ConfigurationError(f"no labels in {root}, expected {expected}")
    for row in rows:
        # Clip 1 and clip 0001 are one: spreadsheets and the first release drop the
        # zeros.
        row["clip_id"] = row["clip_id"].zfill(4) if row["clip_id"].isdigit() else row["clip_id"]
        name = f"{row['video_id']}_{row['clip_id']}"
        if not IDENTIFIER.fullmatch(name):
            yield Rejection(
                name,
                "prepare",
                "unparsable clip id",
                f"{root}: expected ids such as video_0001 and 0001",
            )
    rows = [row for row in rows if IDENTIFIER.fullmatch(f"{row['video_id']}_{row['clip_id']}")]
    rows.sort(key=lambda row: (row["video_id"], row["clip_id"]))
    clips = [root / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4" for row in rows]
    seen: set[str] = set()
    for row, clip, sound in zip(rows, clips, video.sound_tracks(clips, config.cache), strict=True):
        name = f"{row['video_id']}_{row['clip_id']}"
        if name in seen:
            yield Rejection(name, "prepare", "listed twice", str(root))
        elif isinstance(sound, AudioError):
            yield Rejection(name, "prepare", sound.reason, sound.detail)
        else:
            yield _utterance(name, row, clip, sound, config)
        seen.add(name)


def _utterance(
    name: str, row: dict[str, str], clip: Path, sound: Path, config: Config
) -> Utterance | Rejection:
    ratings = {
        rating: _number(row[column]) for column, rating in RATINGS.items() if row.get(column)
    }
    wrong = {rating: value for rating, value in ratings.items() if not -1 <= value <= 1}
    if wrong or "sentiment" not in ratings:
        return Rejection(
            name,
            "prepare",
            "label outside the scheme",
            f"{clip}: {wrong or 'none'}, expected [-1, 1]",
        )
    subset = row.get("mode", "")
    if subset and subset not in SUBSETS:
        return Rejection(
            name, "prepare", "unknown subset", f"{subset!r}, expected one of {sorted(SUBSETS)}"
        )
    sentiment = ratings["sentiment"]
    if sentiment <= config.negative_to:
        emotion = "negative"
    else:
        emotion = "positive" if sentiment > config.positive_from else "neutral"
    return Utterance(
        utterance_id=name,
        corpus="chsims",
        emotion=emotion,
        audio_path=sound.as_posix(),
        transcript=row["text"] or None,
        language="zh",
        dialogue=row["video_id"],
        subset=SUBSETS.get(subset),
        ratings=ratings,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _combined(path: Path) -> list[dict[str, str]]:
    return listing.read_csv(path, ("video_id", "clip_id", "text", "label", "mode"), LEGACY)


def _first_release(metadata: Path) -> list[dict[str, str]]:
    rows = listing.read_csv(
        metadata / "sentiment" / "label_M.csv", ("video_id", "clip_id", "text", "label"), LEGACY
    )
    for modality in ("T", "A", "V"):
        path = metadata / "sentiment" / f"label_{modality}.csv"
        if path.is_file():
            # Joined by id, not by row: nothing says that the files keep one order.
            labels = {
                (row["video_id"], row["clip_id"]): row["label"]
                for row in listing.read_csv(path, ("video_id", "clip_id", "label"), LEGACY)
            }
            for row in rows:
                row[f"label_{modality}"] = labels.get((row["video_id"], row["clip_id"]), "")
    for subset in ("train", "val", "test"):
        places = [folder / f"{subset}_index.csv" for folder in (metadata, metadata / "sentiment")]
        path = next((place for place in places if place.is_file()), places[0])
        for index in _indices(listing.require_file(path, f"the row numbers of the {subset} clips")):
            if index >= len(rows) or "mode" in rows[index]:
                problem = (
                    "stands in two subsets"
                    if index < len(rows)
                    else f"is not one of {len(rows)} rows"
                )
                raise ConfigurationError(
                    f"{path}: row {index} {problem}, expected every row of label_M.csv once"
                )
            rows[index]["mode"] = subset
    return rows


def _indices(path: Path) -> list[int]:
    """Row numbers from 0, in the column `index` or, without a header, in the first
    column.
    """
    lines = [line.split(",") for line in listing.read_text(path).split("\n") if line.strip()]
    header = [cell.strip() for cell in lines[0]] if lines else []
    column = header.index("index") if "index" in header else 0
    body = lines[1:] if header and not header[column].isdigit() else lines
    numbers = [line[column].strip() for line in body]
    wrong = [number for number in numbers if not number.isdigit()]
    if wrong:
        raise ConfigurationError(
            f"{path}: {wrong[0]!r} is not a row number, expected whole numbers from 0"
        )
    return [int(number) for number in numbers]
