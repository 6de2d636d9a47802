rule list_people:
    """Everybody who is seen in one video, by a name for the table of videos, and who is taken for the patient."""
    input:
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
    output:
        people=f"{RESTRICTED}/people/{{video}}.csv",
    log:
        f"{LOGS}/list_people/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/list_people/{{video}}.tsv"
    # The masks wait for it.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("list_people"),
        runtime=minutes("list_people"),
    params:
        patient=lambda wildcards: DETAILS[wildcards.video].patient,
        code=code("list_people"),
    script:
        "../scripts/list_people.py"


rule draw_review:
    """What a person should look at in one video, with pictures; they show the original."""
    input:
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        review=f"{RESTRICTED}/review/{{video}}.csv",
        faces=f"{RESTRICTED}/faces/{{video}}.parquet",
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        people=f"{RESTRICTED}/people/{{video}}.csv",
        audits=expand(
            f"{RESTRICTED}/audit/{{{{video}}}}_{{method}}.json", method=METHODS
        ),
    output:
        places=f"{RESTRICTED}/review/{{video}}.json",
        pictures=directory(f"{RESTRICTED}/review/{{video}}"),
    log:
        f"{LOGS}/draw_review/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_review/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("draw_review"),
        runtime=minutes("draw_review"),
    params:
        shape=config["mask"]["shape"],
        code=code("draw_review"),
    script:
        "../scripts/draw_review.py"


rule review_page:
    """One page for the whole study on which a person looks at what is in doubt, and decides."""
    input:
        places=of_study(f"{RESTRICTED}/review/{{video}}.json"),
    output:
        page=f"{RESTRICTED}/review/index.html",
    log:
        f"{LOGS}/review_page.log",
    benchmark:
        f"{BENCHMARKS}/review_page.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("review_page"),
        runtime=minutes("review_page"),
    params:
        corrections=corrections.released(CORRECTIONS),
        excluded=corrections.excluded(CORRECTIONS),
        visible=VISIBLE,
        code=code("review_page"),
    script:
        "../scripts/review_page.py"
