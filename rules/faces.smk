rule detect_faces:
    """Detect faces in every frame of one video with YuNet."""
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
    # Run early: many jobs depend on this.
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
        networks=downloads.digests(NETWORKS, ["yunet"]),
        code=code("detect_faces"),
    message:
        "Detecting faces in {wildcards.video}."
    script:
        "../scripts/detect_faces.py"


rule track_faces:
    """Decide what to mask in every frame: faces tracked over time, and heads from the pose of the original."""
    input:
        detections=f"{RESTRICTED}/detections/{{video}}.parquet",
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        # Only if someone stays visible, so that naming another patient reruns no mask.
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
    # Run early: many jobs depend on this.
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
    message:
        "Tracking faces and heads in {wildcards.video}."
    script:
        "../scripts/track_faces.py"
