rule publish:
    """The only door to the release: link what the audit has passed, and write the manifest."""
    input:
        screening=f"{RESTRICTED}/screening.tsv",
        audits=audits_of_study,
        proofs=of_study(f"{RESTRICTED}/sanitizing/{{video}}.json"),
        sanitizing=of_study(f"{RESTRICTED}/sanitizing/{{video}}_sanitizing.csv"),
        videos=of_study(f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4", method=METHODS),
        skeletons=of_study(
            f"{RESTRICTED}/skeleton/{{video}}_{{method}}_skeleton.mp4", method=METHODS
        ),
        keypoints=of_study(
            f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet", source=SOURCES
        ),
        angles=of_study(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv", source=SOURCES),
        effects=effects_of_study,
        study=rules.study.output.effects,
        summary=rules.study.output.summary,
        accuracy=rules.study.output.accuracy,
        heatmap=rules.study.output.heatmap,
        confidence=rules.study.output.confidence,
        lost_frames=rules.study.output.lost_frames,
        pictures=rules.study.output.pictures,
        report=rules.report.output.report,
    output:
        manifest=f"{RELEASE}/manifest.json",
    log:
        f"{LOGS}/publish.log",
    benchmark:
        f"{BENCHMARKS}/publish.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("publish"),
        runtime=minutes("publish"),
    params:
        settings=SETTINGS,
        models=MODELS,
        corrections=corrections.released(CORRECTIONS),
        visible=VISIBLE,
        excluded=corrections.excluded(CORRECTIONS),
        code=code("publish"),
    script:
        "../scripts/publish.py"
