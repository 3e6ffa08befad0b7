"""Stage split: utterances -> folds and labels of one protocol, with the leakage audit."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import lookup, splits
from pipeline import params as parameters
from pipeline.preparation import read_utterances
from pipeline.protocol import Config
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(corpus: str, protocol: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Splits CORPUS by PROTOCOL (a name under `splits` in params.yaml); test rows carry no label in folds.parquet."""
    params = parameters.load(params_file)
    config = lookup.configure(Config, parameters.section(params, "splits", protocol), f"splits.{protocol}")
    utterances = read_utterances(data / "utterances" / corpus / "utterances.parquet")
    made = splits.split(protocol, utterances, config)
    folder = data / "splits" / corpus / protocol
    folder.mkdir(parents=True, exist_ok=True)
    folds = {
        "fold": pa.array([row.fold for row in made.rows], pa.int32()),
        "subset": pa.array([row.subset for row in made.rows], pa.string()),
        "utterance_id": pa.array([row.utterance_id for row in made.rows], pa.string()),
        # The firewall: training reads this file, and the labels of test rows are not in it.
        "emotion": pa.array([None if row.subset == "test" else row.emotion for row in made.rows], pa.string()),
    }
    labels = dict(sorted({row.utterance_id: row.emotion for row in made.rows}.items()))
    pq.write_table(pa.table(folds), folder / "folds.parquet")
    pq.write_table(
        pa.table({"utterance_id": list(labels), "emotion": list(labels.values())}), folder / "labels.parquet"
    )
    account(f"split {corpus} {protocol}", folder, len(utterances), len(labels), made.rejections, made.audit)


if __name__ == "__main__":
    run(main)
