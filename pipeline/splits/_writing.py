"""folds.parquet and labels.parquet."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.splits._protocol import SUBSETS, TEST
from pipeline.splits._split import Split

ROW_GROUP = 2**15  # utterances that are in memory at a time, with all their folds


def write(made: Split, folds: Path, labels: Path) -> None:
    """Writes both, a row for each utterance; the folds have the columns `subset_K`
    (null where it is not in the fold) and `emotion_K`, the class, for each fold K.

    The class of a test row is null in its fold: who reads a fold has no label of its
    test. The labels have `heard_K`: whether the test of fold K says what its training
    or validation says.
    """
    table = pa.table({"utterance_id": made.utterance_ids, "emotion": made.emotions})
    names = pa.array(SUBSETS, pa.string())
    emotions = table["emotion"].combine_chunks().dictionary_encode()
    own = emotions.indices.cast(pa.int16()).to_numpy()
    fields = [pa.field("utterance_id", pa.string())]
    for number in range(len(made.folds)):
        fields.append(pa.field(f"subset_{number}", pa.dictionary(pa.int8(), pa.string())))
        fields.append(pa.field(f"emotion_{number}", pa.dictionary(pa.int16(), pa.string())))
    schema = pa.schema(fields)
    with (
        tables.replacing(folds) as temporary,
        # Two columns for each fold: half of the time would go into their statistics.
        pq.ParquetWriter(temporary, schema, write_statistics=False) as file,
    ):
        for start in range(0, len(own), ROW_GROUP):
            rows = slice(start, start + ROW_GROUP)
            columns = [pa.array(made.utterance_ids[rows], pa.string())]
            for fold in made.folds:
                subsets, absent = fold[rows], fold[rows] < 0
                place = pa.array(subsets, mask=absent)
                label = pa.array(own[rows], mask=absent | (subsets == TEST))
                columns.append(pa.DictionaryArray.from_arrays(place, names))
                columns.append(pa.DictionaryArray.from_arrays(label, emotions.dictionary))
            file.write_batch(pa.record_batch(columns, schema=schema))
    for number, heard in enumerate(made.heard):
        table = table.append_column(f"heard_{number}", pa.array(heard))
    with tables.replacing(labels) as temporary:
        pq.write_table(table, temporary)
