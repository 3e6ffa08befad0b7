"""Stage align: words and recordings -> spans, by a chain of aligners."""

from __future__ import annotations

from pipeline import params as parameters
from pipeline import placement
from pipeline.lookup import ConfigurationError
from pipeline.preparation import read_utterances
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(corpus: str, alignment: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Places the words of CORPUS in time with ALIGNMENT (a name under `alignment` in params.yaml)."""
    params = parameters.load(params_file)
    if alignment not in params.alignment:
        raise ConfigurationError(f"unknown alignment {alignment!r}, expected one of {sorted(params.alignment)}")
    settings = params.alignment[alignment]
    utterances = read_utterances(data / "utterances" / corpus / "utterances.parquet")
    spans, rejections, metrics = placement.align_corpus(
        utterances, settings.chain, settings.check, settings.max_failed_share
    )
    folder = data / "spans" / corpus / alignment
    placement.write_spans(folder / "spans.parquet", spans, placement.provenance(settings.chain))
    used = len({span.utterance_id for span in spans})
    account(f"align {corpus} {alignment}", folder, len(utterances), used, rejections, metrics)


if __name__ == "__main__":
    run(main)
