# Existing keypoints of originals (pose.import), which only the kinematics use; see measured.smk.


rule import_pose:
    """Import existing OpenPose JSON as the BODY_25 keypoints of everyone in one original."""
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
        # Not inputs, for the same reasons as sources.
        folder=lambda wildcards: IMPORTS[wildcards.video],
        fingerprint=lambda wildcards: keypoint_imports.fingerprint(
            config["pose"], IMPORTS[wildcards.video]
        ),
        pose={key: POSE[key] for key in ("max_people", "min_confidence")}
        | keypoint_imports.public_settings(config["pose"]),
        code=code("import_pose"),
    message:
        "Importing existing OpenPose keypoints of {wildcards.video}."
    script:
        "../scripts/import_pose.py"


rule list_imported_people:
    """Identify the patient among the imported people of one video, and check their positions against the backend's."""
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
    message:
        "Identifying the patient in the imported keypoints of {wildcards.video}."
    script:
        "../scripts/list_imported_people.py"
