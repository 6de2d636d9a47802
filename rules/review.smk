rule list_people:
    """List everyone seen in one video, with names for the table of videos, and identify the patient."""
    input:
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
    output:
        people=f"{RESTRICTED}/people/{{video}}.csv",
    log:
        f"{LOGS}/list_people/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/list_people/{{video}}.tsv"
    # Run early: masks may depend on this.
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
    message:
        "Listing the people in {wildcards.video}."
    script:
        "../scripts/list_people.py"


rule draw_review:
    """Draw the findings in one video for the reviewer; the pictures show the original."""
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
        findings=f"{RESTRICTED}/review/{{video}}.json",
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
    message:
        "Drawing the findings in {wildcards.video} for the reviewer."
    script:
        "../scripts/draw_review.py"


rule review_page:
    """Build the page on which the reviewer looks at all findings of the study and decides."""
    input:
        findings=of_study(f"{RESTRICTED}/review/{{video}}.json"),
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
    message:
        "Building the review page."
    script:
        "../scripts/review_page.py"
