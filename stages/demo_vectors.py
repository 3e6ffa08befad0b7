"""Stage demo_vectors: the words of a demo corpus -> a file of word vectors.

With this file the demo reads pretrained vectors as a real corpus does.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import folders
from pipeline.demo import vectors
from pipeline.lookup import check_name
from pipeline.tables import read_utterances
from stages.entry import DATA, DataFolder, run, say


def main(
    corpus: str,
    out: Annotated[Path, typer.Option(help="The file to write, in GloVe's format.")],
    data: DataFolder = DATA,
) -> None:
    """Encodes every word of CORPUS with the sentence encoder of `bert`."""
    folder = folders.utterances(data, check_name(corpus, "corpus"))
    number = vectors.write(read_utterances(folder / folders.UTTERANCES), out)
    say(f"demo_vectors: {number} words in {out}")


if __name__ == "__main__":
    run(main)
