#!/usr/bin/env bash
# A share of the videos in one allocation: Snakemake runs there as on one machine, without a job for every step.
#
#   sbatch --array=1-20 --cpus-per-task=16 --mem=32G --time=12:00:00 profiles/slurm/chunk.sh RESULTS_DIR [ARGUMENT...]
#
# Sent from the top of the repository, after `snakemake --workflow-profile profiles/slurm --until screening ...`.
# RESULTS_DIR is the results_dir of the settings, the arguments are those of Snakemake (--configfile, --config ...).
# Account and partition are options of sbatch. docs/cluster.md explains it.
#SBATCH --job-name=deidpose
#SBATCH --output=.snakemake/chunk-%A_%a.log
set -euo pipefail
results=${1:?Say where the results are: chunk.sh RESULTS_DIR [ARGUMENT...]}
shift
share=${SLURM_ARRAY_TASK_ID:-1}
shares=${SLURM_ARRAY_TASK_COUNT:-1}
cores=${SLURM_CPUS_PER_TASK:-1}

screening=$results/restricted/screening.tsv
if [ ! -e "$screening" ]; then
    echo "There is no $screening: run snakemake --until screening first, with the same arguments." >&2
    exit 1
fi
# The last step of each video needs all its others.
mapfile -t targets < <(awk -F'\t' -v share="$share" -v shares="$shares" -v folder="$results/restricted" '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["status"] == "accepted" && ++n % shares == share % shares {
        print folder "/finished/" $column["video"] ".txt"
    }' "$screening")
if [ ${#targets[@]} = 0 ]; then
    echo "No videos are left for share $share of $shares."
    exit 0
fi
# Shares make different files, so they need no lock against each other.
exec "${SNAKEMAKE:-.venv/bin/snakemake}" --workflow-profile profiles/default --nolock --cores "$cores" \
    ${SLURM_MEM_PER_NODE:+--resources "mem_mb=$SLURM_MEM_PER_NODE"} "$@" -- "${targets[@]}"
