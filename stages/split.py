"""Stage split: utterances -> folds and labels of one protocol, and its audit."""

from pipeline import folders, tables
from pipeline import params as parameters
from pipeline.splits import COLUMNS, split, write
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(
    corpus: str, protocol: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA
) -> None:
    """Splits CORPUS by PROTOCOL (a name under `splits` in params.yaml); test rows carry
    no label in folds.parquet.
    """
    config = parameters.load_entry(params_file, "splits", protocol)
    corpus_file = folders.utterances(data, corpus) / folders.UTTERANCES
    utterances = tables.read_table(corpus_file, COLUMNS)
    made = split(protocol, utterances, config)
    folder = folders.split(data, corpus, protocol)
    # The firewall: training reads the folds, and the labels of test rows are not there.
    write(made, folder / folders.FOLDS, folder / folders.LABELS)
    stage = f"split {corpus} {protocol}"
    account(stage, folder, len(utterances), len(made.utterance_ids), made.rejections, made.audit)


if __name__ == "__main__":
    run(main)
