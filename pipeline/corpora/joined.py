"""joined: several prepared corpora as one, to train on some and test on others.

It reads what `prepare` made of each; its utterances are `<corpus>.<utterance_id>`, and
speakers, sessions and dialogues have the corpus before their name too, so that none is
taken for another. The protocol `cross` divides it.

Citation: those of the corpora.

Layout: `<root>/<corpus>/utterances.parquet`; `root` is `data/utterances`.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline import folders, tables
from pipeline.corpora._licence import Licence
from pipeline.lookup import ConfigurationError, check_name, checked
from pipeline.schema import Rejection, Utterance

# Of corpora with different licences the strictest one counts.
LICENCE = Licence("those of the corpora that it joins", "", redistribution=False)
TOTALS = None


@checked
class Config:
    """`corpora`: names under `corpora` in params.yaml."""

    corpora: Annotated[list[str], Field(min_length=2)]


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the utterances of each corpus, sorted by corpus and id; ConfigurationError
    for one that is not prepared.
    """
    for corpus in sorted(set(config.corpora)):
        path = root / check_name(corpus, "reader.corpora") / folders.UTTERANCES
        if not path.is_file():
            raise ConfigurationError(
                f"{path} is missing, expected what `dvc repro prepare@{corpus}` makes"
            )
        for item in tables.read_utterances(path):
            yield dataclasses.replace(
                item,
                utterance_id=f"{corpus}.{item.utterance_id}",
                corpus="joined",
                words=(),
                audio_sha256=None,
                duration=None,
                duplicate_of=None,
                speaker=_of(corpus, item.speaker),
                session=_of(corpus, item.session),
                dialogue=_of(corpus, item.dialogue),
            )


def _of(corpus: str, name: str | None) -> str | None:
    return None if name is None else f"{corpus}.{name}"
