"""Feature shards: the only code that reads or writes HDF5 and shard indexes.

A folder holds `shard-NAME.h5`, each with one flat float32 dataset `rows` (total_rows,
dim), `index.parquet` (utterance_id, shard, start, length, lost, key) sorted by
utterance_id, with the SHA-256 of every shard in its metadata, and `attributes.json`.
How a corpus is divided follows from its ids: those that join change the shards that
they fall into and no others.
"""

from pipeline.shards._building import Built, build, divide
from pipeline.shards._files import sha256
from pipeline.shards._making import Rows
from pipeline.shards._reading import Shards

__all__ = ["Built", "Rows", "Shards", "build", "divide", "sha256"]
