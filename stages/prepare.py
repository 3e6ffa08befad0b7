"""Stage prepare: a corpus's own files -> utterances.parquet and rejects.parquet."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline import executor, folders, lookup, tables
from pipeline import params as parameters
from pipeline.corpora import (
    SOURCE,
    Known,
    differences,
    flag_duplicates,
    prepare_all,
    read_corpus,
    recall,
    remember,
    require_usable,
    together,
)
from pipeline.folders import State
from pipeline.schema import Rejection, Utterance
from pipeline.tokens import Config as TokensConfig
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, console, run

# A worker takes half a second of a processor to start, in which these are decoded.
FEW, FEW_BYTES = 512, 32 * 2**20
BYTES_PER_S = 192_000  # of 16 bits, 48 kHz, two channels


def main(corpus: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Reads CORPUS, a name under `corpora` in params.yaml: decodes and tokenises it."""
    import pyarrow.compute as pc

    executor.choose(parameters.load_section(params_file, "engine"))
    settings = parameters.load_entry(params_file, "corpora", corpus)
    module = lookup.component("corpora", corpus)
    config = lookup.configure(module.Config, settings.reader, f"corpora.{corpus}.reader")
    words = lookup.configure(TokensConfig, settings.tokens, f"corpora.{corpus}.tokens")
    memory = folders.recordings(data, corpus)
    former = recall(memory, words)
    known_rows = former if settings.transcription is None else None
    read = read_corpus(corpus, Path(settings.root), config, known_rows)
    found = read.items
    if settings.transcription is not None:
        path = folders.transcripts(data, corpus) / folders.TRANSCRIPTS
        found = lookup.room("transcription").transcribed(found, path)
    utterances = [item for item in found if isinstance(item, Utterance)]
    rejections = [item for item in found if isinstance(item, Rejection)]
    total, states = len(found) + len(read.taken), former.look_at(utterances)
    prepared = _prepared(corpus, utterances, former.known(read.taken), states, words)
    rejections += [item for item in prepared if isinstance(item, Rejection)]
    made = [item for item in prepared if isinstance(item, Utterance)]
    # Of a large corpus, as much memory as all that follows.
    read.items.clear()
    del found, utterances, prepared
    require_usable(corpus, len(made) + len(read.taken), rejections)
    used = flag_duplicates(together(former, read, made))
    remember(memory, used, states, words, read.read_by)
    used = used.drop_columns([SOURCE])
    folder = folders.utterances(data, corpus)
    tables.write_utterance_table(folder / folders.UTTERANCES, used)
    metrics = {
        "duplicates": len(used) - used["duplicate_of"].null_count,
        "hours": round(sum(value or 0 for value in used["duration"].to_pylist()) / 3600, 6),
        "without_transcript": int((pc.list_value_length(used["words"]).to_numpy() == 0).sum()),
    }
    if module.TOTALS is not None:
        for line in differences(module.TOTALS, tables.utterance_rows(used), rejections):
            console.print(f"  [yellow]published total differs:[/] {line}", highlight=False)
    account(f"prepare {corpus}", folder, total, len(used), rejections, metrics)


def _prepared(
    corpus: str,
    utterances: Sequence[Utterance],
    known: Known,
    states: Mapping[str, State],
    words: TokensConfig,
) -> list[Utterance | Rejection]:
    """Those that are few here, the others by workers."""
    new = [item for item in utterances if item not in known]
    own = utterances if _are_few(new, states) else [item for item in utterances if item in known]
    prepared = prepare_all(own, corpus, words, known)
    if len(own) < len(utterances):
        # Few enough to keep all workers busy, many enough to be worth the way there.
        size = max(1, min(256, len(new) // (16 * executor.worker_count())))
        parts = [new[start : start + size] for start in range(0, len(new), size)]
        work = partial(prepare_all, corpus=corpus, config=words)
        for part in executor.run(work, parts, f"prepare {corpus}"):
            prepared += part
    return prepared


def _are_few(utterances: Sequence[Utterance], states: Mapping[str, State]) -> bool:
    """Whether they are done before workers have started."""
    if len(utterances) > FEW:
        return False
    size = 0.0
    for item in utterances:
        if item.audio_path is None:
            continue
        if item.audio_path not in states:
            return False  # new or missing: nothing is known of its size
        whole = states[item.audio_path].size
        part = whole if item.end is None else BYTES_PER_S * (item.end - (item.start or 0))
        size += min(whole, part)
    return size <= FEW_BYTES


if __name__ == "__main__":
    executor.spare_pandas()
    run(main)
