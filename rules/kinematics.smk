rule match_people:
    """Who of the original is who in each copy, and how often a copy changes, loses or adds somebody."""
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
    script:
        "../scripts/match_people.py"


rule joint_angles:
    """Joint and segment angles of everyone in one video, in the original and in every copy, and their movements."""
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
    script:
        "../scripts/joint_angles.py"


rule compare:
    """What every method did to the angles and keypoints of one video, person by person, raw and net of the control."""
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
        # Some frames of every angle, for the plots of difference against mean.
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
    script:
        "../scripts/compare.py"


rule export:
    """Keypoints and angles of one video in the formats that other tools read."""
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
    script:
        "../scripts/export.py"
