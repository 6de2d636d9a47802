# Compute nodes may have no network: these run where Snakemake itself does.
localrules:
    fetch_model,
    fetch_library,


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


rule fetch_library:
    """Fetch one library of the report's page, refused unless its digest is the one in config/page_libraries.yaml."""
    output:
        "resources/libraries/{file}",
    log:
        f"{LOGS}/fetch_library/{{file}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_library/{{file}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("fetch_library"),
        runtime=minutes("fetch_library"),
    params:
        entry=lambda wildcards: LIBRARIES[LIBRARY_FILES[wildcards.file]],
    script:
        "../scripts/fetch_model.py"
