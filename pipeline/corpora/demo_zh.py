"""demo_zh: synthetic Mandarin in the structure of CH-SIMS.

Scores on this corpus show that the pipeline works, and say nothing about people.

Citation: none.

Layout: that of `demo`. Fourteen videos of one speaker each; `emotion` is negative,
neutral or positive and `ratings["sentiment"]` its strength in [-1, 1]. A word of
words.csv is a word of jieba, as in the tokenised transcript.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.corpora.demo import synthetic
from pipeline.lookup import checked
from pipeline.schema import Rejection, Utterance

SYNTHETIC = True  # no human being speaks: reports say so beside every score
VIDEOS = tuple(f"video{number:02d}" for number in range(1, 15))
# The voices of espeak-ng that speak: women's and men's in turn.
SEXES = {f"speaker{number}": "female" if number % 2 else "male" for number in range(1, 8)}
LICENCE = Licence("made here with espeak-ng, free to use", "", redistribution=True)
TOTALS = Totals(
    part="dialogue",
    parts=VIDEOS,
    counts=(
        Count("utterances", 224),
        *per_value("emotion", {"negative": 84, "neutral": 70, "positive": 70}),
        *per_value("dialogue", dict.fromkeys(VIDEOS, 16)),
    ),
)


@checked
class Config:
    """`language` is the language of the transcripts, as an ISO 639 code."""

    language: str = "zh"


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the synthetic utterances below `root`, sorted by id; ConfigurationError
    where they are not there.
    """
    yield from synthetic(root, "demo_zh", config.language, SEXES)
