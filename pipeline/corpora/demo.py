"""demo: synthetic English in the structure of IEMOCAP.

Scores on this corpus show that the pipeline works, and say nothing about people.

Citation: none.

Layout: `utterances.csv` (one row an utterance), `words.csv` (the true word times:
utterance_id, word_index, word, start, end in seconds) and `wav/<utterance_id>.wav`.
Five sessions of one woman and one man each, improvised and scripted; the sessions
perform the same script, so scripted sentences recur in all of them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.corpora import _listing as listing
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import checked
from pipeline.schema import Rejection, Utterance

SYNTHETIC = True  # no human being speaks: reports say so beside every score
SPEAKERS = tuple(f"Ses{session:02d}_{part}" for session in range(1, 6) for part in "FM")
SEXES = {name: "female" if name.endswith("F") else "male" for name in SPEAKERS}
LICENCE = Licence("made here with espeak-ng, free to use", "", redistribution=True)
TOTALS = Totals(
    part="speaker",
    parts=SPEAKERS,
    counts=(
        Count("utterances", 500),
        *per_value(
            "emotion", {"angry": 110, "excited": 80, "happy": 80, "neutral": 120, "sad": 110}
        ),
        *per_value("speaker", dict.fromkeys(SPEAKERS, 50)),
        *per_value("style", {"improvised": 300, "scripted": 200}),
    ),
)
COLUMNS = (
    "utterance_id",
    "audio",
    "transcript",
    "speaker",
    "session",
    "dialogue",
    "style",
    "emotion",
    "sentiment",
)


@checked
class Config:
    """`language` is the language of the transcripts, as an ISO 639 code."""

    language: str = "en"


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the synthetic utterances below `root`, sorted by id; ConfigurationError
    where they are not there.
    """
    yield from synthetic(root, "demo", config.language, SEXES)


def synthetic(
    root: Path, corpus: str, language: str, sexes: Mapping[str, str]
) -> Iterator[Utterance]:
    """The utterances of a synthetic corpus, `sexes` by speaker; a row with a sentiment
    gets it as `ratings["sentiment"]` in [-1, 1].
    """
    command = f"`python -m stages.synthesise {corpus} --out {root}`"
    table = listing.require_file(root / "utterances.csv", f"the table that {command} writes")
    words = listing.require_file(root / "words.csv", f"the word times that {command} writes")
    for row in sorted(listing.read_csv(table, COLUMNS), key=lambda row: row["utterance_id"]):
        yield Utterance(
            utterance_id=row["utterance_id"],
            corpus=corpus,
            emotion=row["emotion"],
            audio_path=(root / row["audio"]).as_posix(),
            transcript=row["transcript"],
            language=language,
            speaker=row["speaker"] or None,
            sex=sexes.get(row["speaker"]),
            session=row["session"] or None,
            dialogue=row["dialogue"] or None,
            style=row["style"] or None,
            alignment_path=words.as_posix(),
            ratings={"sentiment": float(row["sentiment"])} if row["sentiment"] else {},
        )
