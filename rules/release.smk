rule publish:
    """Link what the audit has passed into the release, and write the manifest; no other rule writes there."""
    input:
        screening=f"{RESTRICTED}/screening.tsv",
        audits=audits_of_study,
        proofs=of_study(f"{RESTRICTED}/sanitizing/{{video}}.json"),
        sanitizing=of_study(f"{RESTRICTED}/sanitizing/{{video}}_sanitizing.csv"),
        videos=of_study(f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4", method=METHODS),
        skeletons=of_study(
            f"{RESTRICTED}/skeleton/{{video}}_{{method}}_skeleton.mp4", method=METHODS
        ),
        keypoints=measured_of_study,
        origins=of_study(
            f"{RESTRICTED}/keypoints/{{video}}_{{source}}.json", source=SOURCES
        ),
        imported=imported_of_study,
        angles=of_study(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv", source=SOURCES),
        movements=of_study(f"{RESTRICTED}/movements/{{video}}.csv"),
        identities=of_study(f"{RESTRICTED}/identities/{{video}}.csv"),
        effects=of_study(f"{RESTRICTED}/effects/{{video}}.csv"),
        keypoint_effects=of_study(f"{RESTRICTED}/keypoint_effects/{{video}}.csv"),
        interchange=of_study(f"{RESTRICTED}/interchange/{{video}}"),
        study=[rules.study.output[name] for name in (*STUDY_TABLES, "pairs")],
        figures=rules.study.output.figures,
        pictures=rules.study.output.pictures,
        traces=of_study(
            f"{RESTRICTED}/study/traces/{{video}}.{{form}}", form=["svg", "pdf"]
        ),
        report=rules.report.output.report,
        beside=rules.report.output.beside,
        payloads=of_study(f"{RESTRICTED}/study/videos/{{video}}.js"),
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
    message:
        "Publishing what the audit has passed and writing the manifest."
    script:
        "../scripts/publish.py"
