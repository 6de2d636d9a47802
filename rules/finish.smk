rule finish:
    """Record that all steps of one video are done, and with which settings, for a study that runs in shares."""
    input:
        # What the study reads of a video; every other file leads to one of these.
        audits=expand(
            f"{RESTRICTED}/audit/{{{{video}}}}_{{method}}.json", method=METHODS
        ),
        proof=f"{RESTRICTED}/sanitizing/{{video}}.json",
        findings=f"{RESTRICTED}/review/{{video}}.json",
        effects=f"{RESTRICTED}/effects/{{video}}.csv",
        interchange=f"{RESTRICTED}/interchange/{{video}}",
        payload=f"{RESTRICTED}/study/videos/{{video}}.js",
    output:
        finished=f"{RESTRICTED}/finished/{{video}}.txt",
    log:
        f"{LOGS}/finish/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/finish/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("finish"),
        runtime=minutes("finish"),
    params:
        stamp=lambda wildcards: stamp(wildcards.video),
        code=code("finish"),
    message:
        "Recording that all steps of {wildcards.video} are done."
    script:
        "../scripts/finish.py"
