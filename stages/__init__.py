"""One thin command per DVC stage."""

import sys

from pipeline.commands import ending

# `python -m stages.x` is here before it imports the stage. Who imports a stage as a
# module, a worker process among them, keeps its own signals.
if sys.argv[0] == "-m":
    ending.install()
