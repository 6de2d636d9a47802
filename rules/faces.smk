rule detect_faces:
    """Every face that YuNet finds in one video, frame by frame."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
        yunet=model("yunet"),
    output:
        detections=f"{RESTRICTED}/detections/{{video}}.parquet",
    log:
        f"{LOGS}/detect_faces/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/detect_faces/{{video}}.tsv"
    # Much waits for it; audits and drawings fill the cores that are free meanwhile.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("detect_faces"),
        runtime=minutes("detect_faces"),
    params:
        score_threshold=config["faces"]["score_threshold"],
        search_interval_s=config["faces"]["search_interval_s"],
        thorough_interval_s=config["faces"]["thorough_interval_s"],
        precision=config["pose"]["precision"],
        networks=networks.digests(NETWORKS, ["yunet"]),
        code=code("detect_faces"),
    script:
        "../scripts/detect_faces.py"


rule track_faces:
    """What is to be masked in every frame: faces over time, and heads from the pose of the original."""
    input:
        detections=f"{RESTRICTED}/detections/{{video}}.parquet",
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        # Only where somebody is named: another patient in that table reruns no mask.
        people=lambda wildcards: (
            f"{RESTRICTED}/people/{wildcards.video}.csv"
            if DETAILS[wildcards.video].visible
            else []
        ),
    output:
        faces=f"{RESTRICTED}/faces/{{video}}.parquet",
        heads=f"{RESTRICTED}/heads/{{video}}.parquet",
        review=f"{RESTRICTED}/review/{{video}}.csv",
    log:
        f"{LOGS}/track_faces/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/track_faces/{{video}}.tsv"
    # Much waits for it; audits and drawings fill the cores that are free meanwhile.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("track_faces"),
        runtime=minutes("track_faces"),
    params:
        faces=config["faces"],
        corrections=lambda wildcards: corrections.of_masks(CORRECTIONS, wildcards.video),
        visible=lambda wildcards: DETAILS[wildcards.video].visible,
        code=code("track_faces"),
    script:
        "../scripts/track_faces.py"
