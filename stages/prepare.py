"""Stage prepare: a corpus's own files -> utterances.parquet and rejects.parquet."""

from __future__ import annotations

import dataclasses
from functools import partial

from pipeline import executor, lookup, totals
from pipeline import params as parameters
from pipeline.preparation import flag_duplicates, prepare_utterance, write_utterances
from pipeline.schema import Rejection, Utterance
from pipeline.tokens import Config as TokensConfig
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, console, run


def main(corpus: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Reads CORPUS (a name under `corpora` in params.yaml), decodes, hashes and tokenises every utterance."""
    params = parameters.load(params_file)
    settings = parameters.corpus(params, corpus)
    module = lookup.component("corpora", corpus)
    config = lookup.configure(module.Config, settings.reader, f"corpora.{corpus}.reader")
    found = list(module.read(parameters.root_of(settings), config))
    read = [dataclasses.replace(item, corpus=corpus) for item in found if isinstance(item, Utterance)]
    words = lookup.configure(TokensConfig, settings.tokens, f"corpora.{corpus}.tokens")
    work = partial(prepare_utterance, config=words)
    prepared = list(executor.run(work, read, f"prepare {corpus}"))
    rejections = [item for item in [*found, *prepared] if isinstance(item, Rejection)]
    used = flag_duplicates(item for item in prepared if isinstance(item, Utterance))
    folder = data / "utterances" / corpus
    write_utterances(folder / "utterances.parquet", used)
    metrics = {
        "duplicates": sum(item.duplicate_of is not None for item in used),
        "hours": round(sum(item.duration or 0 for item in used) / 3600, 6),
        "without_transcript": sum(not item.words for item in used),
    }
    if module.TOTALS is not None:
        for line in totals.differences(module.TOTALS, used, rejections):
            console.print(f"  [yellow]published total differs:[/] {line}", highlight=False)
    account(f"prepare {corpus}", folder, len(found), len(used), rejections, metrics)


if __name__ == "__main__":
    run(main)
