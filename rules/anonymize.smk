rule anonymize:
    """One video with its faces hidden by one method. Not audited yet."""
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
    # Much waits for it; audits and drawings fill the cores that are free meanwhile.
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
    script:
        "../scripts/anonymize.py"


rule reencode:
    """The control: one video through the same decoder and encoder, with nothing hidden."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
    output:
        video=f"{RESTRICTED}/control/{{video}}.mp4",
    log:
        f"{LOGS}/reencode/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/reencode/{{video}}.tsv"
    # Much waits for it; audits and drawings fill the cores that are free meanwhile.
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
    script:
        "../scripts/reencode.py"


rule search_faces:
    """Faces that an independent detector finds in one video, in its original or in one masked copy."""
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
        # Not all of the section: what a verdict is made of it reruns no search.
        audit={
            key: config["audit"][key]
            for key in ("score_threshold", "max_side_px", "thorough_interval_s")
        },
        networks=networks.digests(NETWORKS, ["centerface"]),
        code=code("search_faces"),
    script:
        "../scripts/search_faces.py"


rule audit:
    """Whether one masked video hides every face that anything finds in it or in its original."""
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
        # Only where somebody is named, as for the masks.
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
    script:
        "../scripts/audit.py"
