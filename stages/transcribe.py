"""Stage transcribe: recordings -> what is said in them, by a chain of recognisers."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pipeline import audio, executor, folders, lookup, transcription
from pipeline import params as parameters
from pipeline.schema import Rejection, TranscriptionError, Utterance
from pipeline.tokens import Config as TokensConfig
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run

RECORDINGS = 64  # of a piece of work


def main(corpus: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Writes down what is said in the recordings of CORPUS, a name under `corpora` in
    params.yaml that names a `transcription`.
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    settings = parameters.load_entry(params_file, "corpora", corpus)
    chosen = parameters.load_entry(params_file, "transcription", str(settings.transcription))
    module = lookup.component("corpora", corpus)
    config = lookup.configure(module.Config, settings.reader, f"corpora.{corpus}.reader")
    words = lookup.configure(TokensConfig, settings.tokens, f"corpora.{corpus}.tokens")
    found = list(module.read(Path(settings.root), config))
    recorded = [
        item for item in found if isinstance(item, Utterance) and item.audio_path is not None
    ]
    parts = [recorded[first : first + RECORDINGS] for first in range(0, len(recorded), RECORDINGS)]
    hashed = [item for part in executor.run(_hashed, parts, f"read {corpus}") for item in part]
    folder = folders.transcripts(data, corpus)
    heard, metrics = transcription.transcribe_corpus(
        hashed, chosen.chain, chosen.max_failed_share, words, folder / folders.TRANSCRIPTS
    )
    rejections = [item for item in found if isinstance(item, Rejection)]
    rejections += [
        Rejection(item.utterance_id, "transcribe", "no audio", "there is nothing to hear")
        for item in found
        if isinstance(item, Utterance) and item.audio_path is None
    ]
    rejections += [
        Rejection(name, "transcribe", item.reason, item.detail)
        for name, item in heard.items()
        if isinstance(item, TranscriptionError)
    ]
    used = len(found) - len(rejections)
    account(f"transcribe {corpus}", folder, len(found), used, rejections, metrics)


def _hashed(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances with the hash and the seconds of their recordings; what cannot be
    read is left to the recognisers to name.
    """
    made = []
    for item in utterances:
        try:
            waveform, rate = audio.read(str(item.audio_path), item.start, item.end)
        except audio.AudioError:
            made.append(item)
            continue
        sha256, duration = audio.content_hash(waveform, rate), len(waveform) / rate
        made.append(dataclasses.replace(item, audio_sha256=sha256, duration=duration))
    return made


if __name__ == "__main__":
    executor.spare_pandas()
    run(main)
