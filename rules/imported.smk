# Keypoints of originals that were there before (pose.import), for the kinematics alone: measured.smk chooses them.


rule import_pose:
    """BODY_25 keypoints of everyone in the original of one video, from OpenPose's JSON that was there before."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
    output:
        keypoints=f"{RESTRICTED}/imported/{{video}}_original.parquet",
        origin=f"{RESTRICTED}/imported/{{video}}_original.json",
    log:
        f"{LOGS}/import_pose/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/import_pose/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("import_pose"),
        runtime=minutes("import_pose"),
    params:
        # No inputs, for the reasons that sources are none.
        folder=lambda wildcards: IMPORTS[wildcards.video],
        fingerprint=lambda wildcards: import_folders.fingerprint(
            config["pose"], IMPORTS[wildcards.video]
        ),
        pose={key: POSE[key] for key in ("max_people", "min_confidence")}
        | import_folders.told(config["pose"]),
        code=code("import_pose"),
    script:
        "../scripts/import_pose.py"


rule list_imported_people:
    """Who of the imported people of one video is the patient, and whether they are where the backend sees people."""
    input:
        imported=f"{RESTRICTED}/imported/{{video}}_original.parquet",
        backend=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        people=f"{RESTRICTED}/people/{{video}}.csv",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
    output:
        people=f"{RESTRICTED}/imported/{{video}}_people.csv",
    log:
        f"{LOGS}/list_imported_people/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/list_imported_people/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("list_imported_people"),
        runtime=minutes("list_imported_people"),
    params:
        is_named=lambda wildcards: bool(DETAILS[wildcards.video].patient),
        code=code("list_imported_people"),
    script:
        "../scripts/list_imported_people.py"
