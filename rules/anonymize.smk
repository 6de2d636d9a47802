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
        mask=config["mask"],
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


rule audit:
    """Faces that an independent detector finds in one masked video, against what was masked."""
    input:
        video=f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4",
        faces=f"{RESTRICTED}/faces/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
        centerface=model("centerface"),
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
        audit=config["audit"],
        model=MODELS["centerface"],
        code=code("audit"),
    script:
        "../scripts/audit.py"
