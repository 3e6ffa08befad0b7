"""Stage prepare: a corpus's own files -> utterances.parquet and rejects.parquet."""

from functools import partial
from pathlib import Path

from pipeline import executor, folders, lookup, tables
from pipeline import params as parameters
from pipeline.corpora import (
    differences,
    flag_duplicates,
    prepare_all,
    recall,
    remember,
    require_usable,
)
from pipeline.schema import Rejection, Utterance
from pipeline.tokens import Config as TokensConfig
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, console, run


def main(corpus: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Reads CORPUS, a name under `corpora` in params.yaml: decodes and tokenises it."""
    executor.choose(parameters.load_section(params_file, "engine"))
    settings = parameters.load_entry(params_file, "corpora", corpus)
    module = lookup.component("corpora", corpus)
    config = lookup.configure(module.Config, settings.reader, f"corpora.{corpus}.reader")
    found = list(module.read(Path(settings.root), config))
    memory = folders.recordings(data, corpus)
    read, states = recall(memory, [item for item in found if isinstance(item, Utterance)])
    # Few enough to keep all workers busy, many enough to be worth the way to a worker.
    size = max(1, min(256, len(read) // (16 * executor.worker_count())))
    parts = [read[start : start + size] for start in range(0, len(read), size)]
    words = lookup.configure(TokensConfig, settings.tokens, f"corpora.{corpus}.tokens")
    work = partial(prepare_all, corpus=corpus, config=words)
    prepared = [item for part in executor.run(work, parts, f"prepare {corpus}") for item in part]
    rejections = [item for item in [*found, *prepared] if isinstance(item, Rejection)]
    used = flag_duplicates(item for item in prepared if isinstance(item, Utterance))
    require_usable(corpus, used, rejections)
    remember(memory, used, states)
    folder = folders.utterances(data, corpus)
    tables.write_utterances(folder / folders.UTTERANCES, used)
    metrics = {
        "duplicates": sum(item.duplicate_of is not None for item in used),
        "hours": round(sum(item.duration or 0 for item in used) / 3600, 6),
        "without_transcript": sum(not item.words for item in used),
    }
    if module.TOTALS is not None:
        for line in differences(module.TOTALS, used, rejections):
            console.print(f"  [yellow]published total differs:[/] {line}", highlight=False)
    account(f"prepare {corpus}", folder, len(found), len(used), rejections, metrics)


if __name__ == "__main__":
    run(main)
