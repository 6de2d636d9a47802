rule study:
    """The dataset-wide answer: effects of every video, their summary over videos, and the figures."""
    input:
        effects=effects_of_study,
        angles=angles_of_study,
        matches=matches_of_study,
    output:
        effects=f"{RESTRICTED}/study/effects.csv",
        summary=f"{RESTRICTED}/study/summary.csv",
        accuracy=report(
            f"{RESTRICTED}/study/figures/accuracy.svg",
            caption="../report/accuracy.rst",
            category="Effect of anonymization",
            labels={
                "figure": "Mean absolute difference",
                "basis": "raw, with control",
            },
        ),
        heatmap=report(
            f"{RESTRICTED}/study/figures/heatmap.svg",
            caption="../report/heatmap.rst",
            category="Effect of anonymization",
            labels={
                "figure": "Mean absolute difference by angle",
                "basis": "net of control",
            },
        ),
        confidence=report(
            f"{RESTRICTED}/study/figures/confidence.svg",
            caption="../report/confidence.rst",
            category="Effect of anonymization",
            labels={"figure": "Change of confidence", "basis": "raw, with control"},
        ),
        lost_frames=report(
            f"{RESTRICTED}/study/figures/lost_frames.svg",
            caption="../report/lost_frames.rst",
            category="Effect of anonymization",
            labels={"figure": "Frames lost and gained", "basis": "raw, with control"},
        ),
        pictures=[
            f"{RESTRICTED}/study/figures/{figure}.png"
            for figure in ("accuracy", "heatmap", "confidence", "lost_frames")
        ],
        traces=directory(f"{RESTRICTED}/study/traces"),
    log:
        f"{LOGS}/study.log",
    benchmark:
        f"{BENCHMARKS}/study.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("study"),
        runtime=minutes("study"),
    params:
        methods=METHODS,
        samples=config["study"]["bootstrap_samples"],
        level=config["study"]["confidence_level"],
        seed=config["study"]["seed"],
        trace_videos=config["study"]["trace_videos"],
        code=code("study"),
    script:
        "../scripts/study.py"


rule report:
    """The study on one page that opens offline, with no source pixel and no source name in it."""
    input:
        screening=f"{RESTRICTED}/screening.tsv",
        effects=f"{RESTRICTED}/study/effects.csv",
        summary=f"{RESTRICTED}/study/summary.csv",
        accuracy=f"{RESTRICTED}/study/figures/accuracy.svg",
        heatmap=f"{RESTRICTED}/study/figures/heatmap.svg",
        confidence=f"{RESTRICTED}/study/figures/confidence.svg",
        lost_frames=f"{RESTRICTED}/study/figures/lost_frames.svg",
        traces=f"{RESTRICTED}/study/traces",
        audits=audits_of_study,
        proofs=of_study(f"{RESTRICTED}/sanitizing/{{video}}.json"),
    output:
        report=report(
            f"{RESTRICTED}/study/report.html",
            caption="../report/report.rst",
            category="Study",
            labels={"figure": "The whole study on one page", "basis": "raw and net"},
        ),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("report"),
        runtime=minutes("report"),
    params:
        methods=METHODS,
        settings=SETTINGS,
        models=MODELS,
        excluded=corrections.excluded(CORRECTIONS),
        code=code("report"),
    script:
        "../scripts/report.py"
