rule finish:
    """That all steps of one video are done, and with what: the end of each video of a study that is done in shares."""
    input:
        # What the study takes of a video; everything else is made for one of these.
        audits=expand(
            f"{RESTRICTED}/audit/{{{{video}}}}_{{method}}.json", method=METHODS
        ),
        proof=f"{RESTRICTED}/sanitizing/{{video}}.json",
        places=f"{RESTRICTED}/review/{{video}}.json",
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
    script:
        "../scripts/finish.py"
