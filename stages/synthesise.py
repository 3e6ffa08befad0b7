"""Writes a synthetic demo corpus: python -m stages.synthesise demo --out data/raw/demo."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Annotated

import typer

from pipeline.demo import corpus as demo_corpus

log = logging.getLogger("synthesise")


def main(
    corpus: Annotated[str, typer.Argument(help="demo (English) or demo_zh (Mandarin)")],
    out: Annotated[Path, typer.Option(help="folder to write; what it held before is replaced")],
    seed: Annotated[
        int, typer.Option(help="another seed gives other sentences and other manners")
    ] = 0,
) -> None:
    """Synthesises every utterance of a demo corpus and notes the true word times."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    if corpus not in demo_corpus.CORPORA:
        typer.echo(
            f"unknown demo corpus {corpus!r}, expected one of {list(demo_corpus.CORPORA)}", err=True
        )
        raise typer.Exit(2)
    lines = demo_corpus.plan(corpus, seed)
    shutil.rmtree(out / "wav", ignore_errors=True)
    durations = demo_corpus.write(corpus, lines, out)
    minutes, shortest, longest = sum(durations) / 60, min(durations), max(durations)
    log.info(
        "%s: %d utterances, %.1f minutes, %.1f to %.1f s each, in %s",
        corpus,
        len(lines),
        minutes,
        shortest,
        longest,
        out,
    )


if __name__ == "__main__":
    typer.run(main)
