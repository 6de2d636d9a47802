rule anonymize:
    """Mask the faces in one video by one method; the result is not audited yet."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        faces=f"{RESTRICTED}/faces/{{video}}.parquet",
    output:
        video=f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4",
    log:
        f"{LOGS}/anonymize/{{video}}_{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/anonymize/{{video}}_{{method}}.tsv"
    # Run early: many jobs depend on this.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("anonymize"),
        runtime=minutes("anonymize"),
    params:
        mask=mask_of_method,
        encode=config["encode"],
        code=code("anonymize"),
    message:
        "Masking the faces in {wildcards.video} by {wildcards.method}."
    script:
        "../scripts/anonymize.py"


rule reencode:
    """Make the control: decode and encode one video as for a mask, but mask nothing."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
    output:
        video=f"{RESTRICTED}/control/{{video}}.mp4",
    log:
        f"{LOGS}/reencode/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/reencode/{{video}}.tsv"
    # Run early: many jobs depend on this.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("reencode"),
        runtime=minutes("reencode"),
    params:
        encode=config["encode"],
        code=code("reencode"),
    message:
        "Re-encoding {wildcards.video} without a mask, as the control."
    script:
        "../scripts/reencode.py"


rule search_faces:
    """Search one video, in its original or one masked video, for faces with an independent detector."""
    input:
        video=pictures_of_source,
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        centerface=model("centerface"),
    output:
        searched=f"{RESTRICTED}/searched/{{video}}_{{source}}.parquet",
    log:
        f"{LOGS}/search_faces/{{video}}_{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/search_faces/{{video}}_{{source}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("search_faces"),
        runtime=minutes("search_faces"),
    params:
        # Only what a search uses, so that changing how verdicts are reached reruns no search.
        audit={
            key: config["audit"][key]
            for key in ("score_threshold", "max_side_px", "thorough_interval_s")
        },
        networks=downloads.digests(NETWORKS, ["centerface"]),
        code=code("search_faces"),
    message:
        "Searching for faces in {wildcards.video} ({wildcards.source}) with an independent detector."
    script:
        "../scripts/search_faces.py"


rule audit:
    """Check that one masked video hides every face that any detector finds in it or in its original."""
    input:
        video=f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4",
        original=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        faces=f"{RESTRICTED}/faces/{{video}}.parquet",
        review=f"{RESTRICTED}/review/{{video}}.csv",
        heads=f"{RESTRICTED}/heads/{{video}}.parquet",
        detections=f"{RESTRICTED}/detections/{{video}}.parquet",
        searched_original=f"{RESTRICTED}/searched/{{video}}_original.parquet",
        searched=f"{RESTRICTED}/searched/{{video}}_{{method}}.parquet",
        # Only if someone stays visible, as for the masks.
        people=lambda wildcards: (
            f"{RESTRICTED}/people/{wildcards.video}.csv"
            if DETAILS[wildcards.video].visible
            else []
        ),
    output:
        audit=f"{RESTRICTED}/audit/{{video}}_{{method}}.json",
    log:
        f"{LOGS}/audit/{{video}}_{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/audit/{{video}}_{{method}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("audit"),
        runtime=minutes("audit"),
    params:
        audit={
            key: config["audit"][key] for key in ("evidence_score", "sustained_frames")
        },
        search=rules.search_faces.params.audit,
        mask=mask_of_method,
        accepted=accepted_findings,
        visible=lambda wildcards: DETAILS[wildcards.video].visible,
        models={name: MODELS[name] for name in ("yunet", "centerface")},
        code=code("audit"),
    message:
        "Auditing {wildcards.video} masked by {wildcards.method}."
    script:
        "../scripts/audit.py"
