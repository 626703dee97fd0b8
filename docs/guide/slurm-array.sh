#!/bin/sh
# One run of suites/outages as a job array of four tasks, then joined. See sharding.md.
#   id=$(sbatch --parsable slurm-array.sh) && sbatch --dependency=afterok:"$id" slurm-merge.sh
# A task that is queued again goes on where its store stopped. The folder is to be on a file system whose locks work.
#SBATCH --job-name=outages
#SBATCH --array=1-4
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --requeue
set -eu
cd "${SLURM_SUBMIT_DIR:-.}"

ceiling run suites/outages --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --store "shards/$SLURM_ARRAY_TASK_ID.db" -q
