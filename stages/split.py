"""Stage split: utterances -> folds and labels of one protocol, and its audit."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import folders, tables
from pipeline import params as parameters
from pipeline.splits import split
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(
    corpus: str, protocol: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA
) -> None:
    """Splits CORPUS by PROTOCOL (a name under `splits` in params.yaml); test rows carry
    no label in folds.parquet.
    """
    config = parameters.load_entry(params_file, "splits", protocol)
    utterances = tables.read_utterances(folders.utterances(data, corpus) / folders.UTTERANCES)
    made = split(protocol, utterances, config)
    folder = folders.split(data, corpus, protocol)
    # The firewall: training reads this file, and the labels of test rows are not in it.
    tested = pc.equal(made.folds["subset"], "test")
    seen = pc.if_else(tested, pa.scalar(None, pa.string()), made.folds["emotion"])
    folds = made.folds.set_column(made.folds.column_names.index("emotion"), "emotion", seen)
    labels = made.folds.select(["utterance_id", "emotion"])
    labels = labels.group_by(labels.column_names).aggregate([]).sort_by("utterance_id")
    for name, table in ((folders.FOLDS, folds), (folders.LABELS, labels)):
        with tables.replacing(folder / name) as temporary:
            pq.write_table(table, temporary)
    stage = f"split {corpus} {protocol}"
    account(stage, folder, len(utterances), len(labels), made.rejections, made.audit)


if __name__ == "__main__":
    run(main)
