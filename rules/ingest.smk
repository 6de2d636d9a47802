rule screen:
    """Decode one source video to its end, and accept it or reject it with a reason."""
    input:
        **pose_inputs(),
    output:
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        key=f"{RESTRICTED}/screened/{{video}}.key.tsv",
        timestamps=f"{RESTRICTED}/screened/{{video}}.parquet",
    log:
        f"{LOGS}/screen/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/screen/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    container:
        POSE_CONTAINER
    threads: 1
    resources:
        mem_mb=megabytes("screen", MORE_MB),
        runtime=minutes("screen"),
    params:
        # Not an input: Snakemake reads braces in a path as wildcards and compares large files by date alone.
        source=source_in_dataset,
        fingerprint=lambda wildcards: dataset.fingerprint(VIDEOS[wildcards.video]),
        limits=config["screen"],
        pose=POSE,
        networks=downloads.digests(NETWORKS, POSE_MODELS.values()),
        code=code("screen", POSE_MODULE),
    message:
        "Screening {wildcards.video}."
    script:
        "../scripts/screen.py"


checkpoint collect_screening:
    """Collect the screening of all videos, which determines the videos of the study."""
    input:
        screening=expand(f"{RESTRICTED}/screened/{{video}}.tsv", video=VIDEOS),
        key=expand(f"{RESTRICTED}/screened/{{video}}.key.tsv", video=VIDEOS),
    output:
        screening=f"{RESTRICTED}/screening.tsv",
        key=f"{RESTRICTED}/key.tsv",
    log:
        f"{LOGS}/collect_screening.log",
    benchmark:
        f"{BENCHMARKS}/collect_screening.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("collect_screening"),
        runtime=minutes("collect_screening"),
    params:
        code=code("collect_screening"),
    message:
        "Collecting the screening results of all videos."
    script:
        "../scripts/collect_screening.py"


rule sanitize:
    """Copy the coded pictures of one source video, and nothing else."""
    input:
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        key=f"{RESTRICTED}/screened/{{video}}.key.tsv",
        timestamps=f"{RESTRICTED}/screened/{{video}}.parquet",
    output:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
    log:
        f"{LOGS}/sanitize/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/sanitize/{{video}}.tsv"
    # Run early: many jobs depend on this.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("sanitize"),
        runtime=minutes("sanitize"),
    params:
        source=source_in_dataset,
        code=code("sanitize"),
    message:
        "Copying the pictures of {wildcards.video}, without sound or metadata."
    script:
        "../scripts/sanitize.py"


rule find_cuts:
    """Find the frames at which one video cuts to another scene; people are not tracked across them."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
    output:
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    log:
        f"{LOGS}/find_cuts/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/find_cuts/{{video}}.tsv"
    # Run early: many jobs depend on this.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("find_cuts"),
        runtime=minutes("find_cuts"),
    params:
        code=code("find_cuts"),
    message:
        "Finding scene cuts in {wildcards.video}."
    script:
        "../scripts/find_cuts.py"


rule prove_sanitizing:
    """List what one source held besides its pictures, and check what each file made from it holds."""
    input:
        key=f"{RESTRICTED}/screened/{{video}}.key.tsv",
        sanitized=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        masked=expand(
            f"{RESTRICTED}/masked/{{{{video}}}}_{{method}}.mp4", method=METHODS
        ),
        skeletons=expand(
            f"{RESTRICTED}/skeleton/{{{{video}}}}_{{method}}_skeleton.mp4",
            method=METHODS,
        ),
    output:
        # The inventory has tag names from the source; the table is released.
        inventory=f"{RESTRICTED}/sanitizing/{{video}}.csv",
        table=f"{RESTRICTED}/sanitizing/{{video}}_sanitizing.csv",
        proof=f"{RESTRICTED}/sanitizing/{{video}}.json",
    log:
        f"{LOGS}/prove_sanitizing/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/prove_sanitizing/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("prove_sanitizing"),
        runtime=minutes("prove_sanitizing"),
    params:
        source=source_in_dataset,
        limits=config["screen"],
        code=code("prove_sanitizing"),
    message:
        "Checking what the files made from {wildcards.video} contain."
    script:
        "../scripts/prove_sanitizing.py"
