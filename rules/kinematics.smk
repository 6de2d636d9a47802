rule match_people:
    """Match the people of the original with those of each copy, and count switches, losses and additions."""
    input:
        original=measured_original,
        copies=of_copies(f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet"),
        people=measured_people,
    output:
        matches=f"{RESTRICTED}/matches/{{video}}.parquet",
        identities=f"{RESTRICTED}/identities/{{video}}.csv",
        headcounts=f"{RESTRICTED}/headcounts/{{video}}.csv",
    log:
        f"{LOGS}/match_people/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/match_people/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("match_people"),
        runtime=minutes("match_people"),
    params:
        methods=COPIES,
        code=code("match_people"),
    message:
        "Matching people between the original and the copies of {wildcards.video}."
    script:
        "../scripts/match_people.py"


rule joint_angles:
    """Compute everyone's joint and segment angles and movements in the original and all copies of one video."""
    input:
        keypoints=measured_sources,
        matches=f"{RESTRICTED}/matches/{{video}}.parquet",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    output:
        angles=of_sources(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv"),
        movements=f"{RESTRICTED}/movements/{{video}}.csv",
    log:
        f"{LOGS}/joint_angles/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/joint_angles/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("joint_angles"),
        runtime=minutes("joint_angles"),
    params:
        sources=SOURCES,
        kinematics=config["kinematics"],
        code=code("joint_angles"),
    message:
        "Computing joint angles and movements in {wildcards.video}."
    script:
        "../scripts/joint_angles.py"


rule compare:
    """Measure how each method changed the angles and keypoints of one video, by person, raw and net of the control."""
    input:
        original_keypoints=measured_original,
        original_angles=f"{RESTRICTED}/angles/{{video}}_original.csv",
        copies_keypoints=of_copies(
            f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet"
        ),
        copies_angles=of_copies(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv"),
        matches=f"{RESTRICTED}/matches/{{video}}.parquet",
        people=measured_people,
    output:
        effects=f"{RESTRICTED}/effects/{{video}}.csv",
        keypoint_effects=f"{RESTRICTED}/keypoint_effects/{{video}}.csv",
        # A sample of frames of every angle, for the Bland-Altman plots.
        pairs=f"{RESTRICTED}/pairs/{{video}}.parquet",
    log:
        f"{LOGS}/compare/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/compare/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("compare"),
        runtime=minutes("compare"),
    params:
        methods=COPIES,
        signal=SIGNAL,
        code=code("compare"),
    message:
        "Measuring how each method changed angles and keypoints in {wildcards.video}."
    script:
        "../scripts/compare.py"


rule export:
    """Export the keypoints and angles of one video in formats that other tools read."""
    input:
        keypoints=measured_sources,
        angles=of_sources(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv"),
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
    output:
        folder=directory(f"{RESTRICTED}/interchange/{{video}}"),
    log:
        f"{LOGS}/export/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/export/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("export"),
        runtime=minutes("export"),
    params:
        sources=SOURCES,
        code=code("export"),
    message:
        "Exporting the keypoints and angles of {wildcards.video} for other tools."
    script:
        "../scripts/export.py"
