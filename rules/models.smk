# File -> entry of each network, including those that these settings do not use.
ENTRIES = {entry["file"]: entry for entry in NETWORKS.values()}


# Compute nodes may have no internet access, so these rules run on the host of Snakemake.
localrules:
    fetch_model,
    fetch_library,


rule fetch_model:
    """Fetch one network and refuse it unless its digest is the one in config/models.yaml."""
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
        entry=lambda wildcards: ENTRIES[wildcards.file],
    message:
        "Fetching the network {wildcards.file} and checking its digest."
    script:
        "../scripts/fetch_model.py"


rule fetch_library:
    """Fetch one library of the report and refuse it unless its digest is the one in config/page_libraries.yaml."""
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
    message:
        "Fetching the report library {wildcards.file} and checking its digest."
    script:
        "../scripts/fetch_model.py"
