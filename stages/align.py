"""Stage align: words and recordings -> spans, by a chain of aligners."""

from pipeline import alignment as aligning
from pipeline import executor, folders, tables
from pipeline import params as parameters
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(
    corpus: str, alignment: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA
) -> None:
    """Places the words of CORPUS in time with ALIGNMENT (a name under `alignment` in
    params.yaml).
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    settings = parameters.load_entry(params_file, "alignment", alignment)
    utterances = tables.read_utterance_table(folders.utterances(data, corpus) / folders.UTTERANCES)
    folder = folders.spans(data, corpus, alignment)
    spans, rejections, metrics = aligning.align_corpus(
        utterances,
        settings.chain,
        settings.check,
        settings.max_failed_share,
        folder / folders.PLACED,
    )
    tables.write_spans(folder / folders.SPANS, spans, aligning.provenance(settings.chain))
    used = metrics["placed"]
    account(f"align {corpus} {alignment}", folder, len(utterances), used, rejections, metrics)


if __name__ == "__main__":
    executor.spare_pandas()
    run(main)
