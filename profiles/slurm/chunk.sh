#!/usr/bin/env bash
# A share of the videos in one allocation: Snakemake runs there as on one machine, without a job for every step.
#
#   sbatch --array=1-20 --cpus-per-task=16 --mem=32G --time=12:00:00 profiles/slurm/chunk.sh RESULTS_DIR [ARGUMENT...]
#
# Sent from the top of the repository, after `snakemake --workflow-profile profiles/slurm --until collect_screening ...`.
# Always send whole arrays that begin at 1: what is finished costs a share no more than its plan.
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
# Of an array such as 7 or 1-39:2, the tasks would take other videos than those that were meant, and some twice.
if [ "${SLURM_ARRAY_TASK_MIN:-1}" != 1 ] || [ "${SLURM_ARRAY_TASK_MAX:-$shares}" != "$shares" ]; then
    echo "The tasks of the array have to be 1 to the number of shares: send it again as --array=1-20, or another number." >&2
    exit 1
fi

screening=$results/restricted/screening.tsv
if [ ! -e "$screening" ]; then
    echo "There is no $screening: run snakemake --until collect_screening first, with the same arguments." >&2
    exit 1
fi
# Videos that a reviewer has left out; the screening has noted them, in one line of JSON.
left_out=$(sed -n 's/.*"excluded": \[\([^]]*\)\].*/\1/p' "$results/restricted/plan.json" 2>/dev/null || true)
# The last step of each video needs all its others.
mapfile -t targets < <(awk -F'\t' -v share="$share" -v shares="$shares" -v folder="$results/restricted" \
    -v left_out="$left_out" '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    index(left_out, "\"" $column["video"] "\"") { next }
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
