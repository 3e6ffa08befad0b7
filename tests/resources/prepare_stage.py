"""What prepare does with utterances, without a stage."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from pipeline import folders, tables
from pipeline.corpora import _preparation as preparation
from pipeline.schema import Utterance
from stages import prepare


def flagged(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Sorted by id, those that have the same samples as an earlier one with its id."""
    rows = sorted(utterances, key=lambda item: item.utterance_id)
    return tables.utterance_rows(preparation.flag_duplicates(tables.utterance_table(rows)))


def stage(folder: Path, data: Path, **settings: object) -> dict[str, bytes]:
    """The files that the stage makes of the manifest in a folder, by name."""
    params = data.with_suffix(".yaml")
    params.write_text(
        yaml.safe_dump({"corpora": {"manifest": {"root": str(folder), **settings}}}),
        encoding="utf-8",
    )
    prepare.main("manifest", params, data / "data")
    made = folders.utterances(data / "data", "manifest")
    return {path.name: path.read_bytes() for path in sorted(made.iterdir())}
