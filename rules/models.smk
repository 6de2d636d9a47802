localrules:
    fetch_model,


rule fetch_model:
    """Fetch one network, refused unless its digest is the one in config/models.yaml."""
    output:
        "resources/models/{file}",
    log:
        f"{LOGS}/fetch_model/{{file}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_model/{{file}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("fetch_model"),
        runtime=minutes("fetch_model"),
    params:
        entry=lambda wildcards: NETWORKS[MODEL_FILES[wildcards.file]],
    script:
        "../scripts/fetch_model.py"
