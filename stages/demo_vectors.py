"""Stage demo_vectors: a small file in GloVe's format: the demo reads pretrained vectors
as a real corpus does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipeline import folders
from pipeline.schema import Utterance
from pipeline.tables import read_utterances
from pipeline.text import bert
from stages.entry import DATA, DataFolder, console, run


def main(
    corpus: str,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    data: DataFolder = DATA,
) -> None:
    """Encodes every word of CORPUS by itself with the sentence encoder that is
    installed as a package.
    """
    utterances = read_utterances(folders.utterances(data, corpus) / folders.UTTERANCES)
    words = sorted({word for item in utterances for word in item.words})
    alone = [Utterance(word, corpus, "", words=(word,)) for word in words]
    lines = []
    for word, vectors in bert.embed(alone, bert.Config()):
        # Five digits: less than any two machines' rounding differs by.
        vector = vectors[0] / np.sqrt(np.mean(np.square(vectors[0])))
        lines.append(" ".join([word, *(f"{value:.5f}" for value in vector)]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print(f"{len(words)} words in {out}", highlight=False)


if __name__ == "__main__":
    run(main)
