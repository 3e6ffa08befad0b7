"""One thin command per DVC stage."""

import gc
import os
import sys

from pipeline.commands import ending

# `python -m stages.x` is here before it imports the stage. Who imports a stage as a
# module, a worker process among them, keeps its own signals.
if sys.argv[0] == "-m":
    ending.install()
    # Hundreds of thousands of rows are no rubbish to look through again and again: half
    # of the time in which a large table was read went there.
    gc.set_threshold(200_000, 10, 10)
    # Arrow's own allocator keeps what a table took: 200 MB after one of 200,000 rows.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
