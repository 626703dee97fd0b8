#!/bin/sh
# Joins what slurm-array.sh has asked.
#SBATCH --job-name=outages-merge
#SBATCH --time=00:30:00
set -eu
cd "${SLURM_SUBMIT_DIR:-.}"

ceiling merge shards/*.db --store outages.db
