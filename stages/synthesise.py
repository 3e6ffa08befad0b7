"""Stage synthesise: nothing -> a synthetic demo corpus with its true word times."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import ending
from pipeline.demo import CORPORA
from pipeline.demo.corpus import synthesise
from pipeline.lookup import StorageError


# `stages.entry` is not imported: an edit there would synthesise the speech again.
def main(
    corpus: Annotated[str, typer.Argument(help="demo (English) or demo_zh (Mandarin)")],
    out: Annotated[Path, typer.Option(help="Folder to write; its recordings are replaced.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other sentences.")] = 0,
) -> None:
    """Synthesises every utterance of a demo corpus and notes the true word times."""
    if corpus not in CORPORA:
        raise typer.BadParameter(f"unknown demo corpus {corpus!r}, expected {' or '.join(CORPORA)}")
    try:
        durations = synthesise(corpus, out, seed)
    except OSError as error:
        raise StorageError(f"{out} cannot be written ({error.strerror})") from error
    typer.echo(
        f"synthesise {corpus}: {len(durations)} utterances, {sum(durations) / 60:.1f} minutes, "
        f"{min(durations):.1f} to {max(durations):.1f} s each, in {out}",
        err=True,
    )


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    with ending.one_line():
        app()
