"""Stage split: utterances -> folds and labels of one protocol, and its audit."""

from __future__ import annotations

import pyarrow as pa
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
    folder.mkdir(parents=True, exist_ok=True)
    # The firewall: training reads this file, and the labels of test rows are not in it.
    seen = [None if row.subset == "test" else row.emotion for row in made.rows]
    folds = {
        "fold": pa.array([row.fold for row in made.rows], pa.int32()),
        "subset": pa.array([row.subset for row in made.rows], pa.string()),
        "utterance_id": pa.array([row.utterance_id for row in made.rows], pa.string()),
        "emotion": pa.array(seen, pa.string()),
    }
    labels = dict(sorted({row.utterance_id: row.emotion for row in made.rows}.items()))
    named = pa.table({"utterance_id": list(labels), "emotion": list(labels.values())})
    pq.write_table(pa.table(folds), folder / folders.FOLDS)
    pq.write_table(named, folder / folders.LABELS)
    stage = f"split {corpus} {protocol}"
    account(stage, folder, len(utterances), len(labels), made.rejections, made.audit)


if __name__ == "__main__":
    run(main)
