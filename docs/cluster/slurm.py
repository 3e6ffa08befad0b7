"""Workers of SERflow as jobs of SLURM: `python slurm.py`, on a node that may submit.

Needs dask-jobqueue (`pip install dask-jobqueue`) in the environment that all nodes see.
It prints the scheduler's address and lives as long as the cluster is wanted.
"""

import signal

from dask_jobqueue import SLURMCluster

PROJECT = "/shared/serflow"  # the clone, at the same place on all nodes
WORKERS = 32  # of a job, one core each

cluster = SLURMCluster(
    queue="batch",
    account=None,
    walltime="08:00:00",
    cores=WORKERS,
    processes=WORKERS,  # as many as cores: one thread for each worker
    memory=f"{2 * WORKERS}GB",
    python=f"{PROJECT}/.venv/bin/python",
    local_directory="/tmp",  # noqa: S108  a disk of the node
    job_script_prologue=[
        f"cd {PROJECT}",
        "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1",
        "export PYTHONHASHSEED=0",
        "export MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_MMAP_THRESHOLD_=33554432",
    ],
    # Workers end before SLURM ends their job, not all at once; others do their work.
    worker_extra_args=["--lifetime", "7h", "--lifetime-stagger", "30m"],
)
# From none to so many jobs, as there is work.
cluster.adapt(minimum_jobs=0, maximum_jobs=16)

if __name__ == "__main__":
    print(cluster.job_script())
    print(f"engine: {{dask: {{scheduler: '{cluster.scheduler_address}', patience: 1800}}}}")
    signal.pause()
