# Figure of the study -> its category and title in Snakemake's report, and the basis of its values.
FIGURES = {
    "tradeoff": ("Study", "Which method to choose", "net of control"),
    "accuracy": ("Angles", "Mean absolute difference", "raw, with control"),
    "heatmap": ("Angles", "Mean absolute difference by angle", "net of control"),
    "equivalence": ("Angles", "Tests of equivalence", "net of control"),
    "bland_altman": ("Angles", "Limits of agreement", "raw"),
    "bland_altman_joints": ("Angles", "Limits of agreement, all joints", "raw"),
    "raincloud": ("Angles", "Spread over videos", "net of control"),
    "agreement": ("Angles", "Intraclass correlation", "raw, with control"),
    "keypoints": ("Keypoints and people", "Keypoints", "raw, with control"),
    "confidence": ("Keypoints and people", "Change of confidence", "raw, with control"),
    "lost_frames": (
        "Keypoints and people",
        "Frames lost and gained",
        "raw, with control",
    ),
    "identities": (
        "Keypoints and people",
        "Identities and head counts",
        "raw, with control",
    ),
}

STUDY_TABLES = (
    "effects",
    "keypoint_effects",
    "identities",
    "headcounts",
    "movements",
    "summary",
    "equivalence",
    "agreement",
    "contrasts",
    "choice",
)


rule show_video:
    """Prepare the angles and skeletons of one video for the report, without pixels, and plot the patient's angles."""
    input:
        keypoints=measured_sources,
        angles=of_sources(f"{RESTRICTED}/angles/{{video}}_{{source}}.csv"),
        matches=f"{RESTRICTED}/matches/{{video}}.parquet",
        people=measured_people,
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        screening=f"{RESTRICTED}/screened/{{video}}.tsv",
    output:
        payload=f"{RESTRICTED}/study/videos/{{video}}.js",
        traces=multiext(f"{RESTRICTED}/study/traces/{{video}}", ".svg", ".pdf"),
    log:
        f"{LOGS}/show_video/{{video}}.log",
    benchmark:
        f"{BENCHMARKS}/show_video/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("show_video"),
        runtime=minutes("show_video"),
    params:
        sources=SOURCES,
        signal=SIGNAL,
        code=code("show_video"),
    message:
        "Preparing {wildcards.video} for the report."
    script:
        "../scripts/show_video.py"


rule study:
    """Combine the effects of all videos into statistics over videos or subjects, and draw the figures."""
    input:
        effects=of_study(f"{RESTRICTED}/effects/{{video}}.csv"),
        keypoint_effects=of_study(f"{RESTRICTED}/keypoint_effects/{{video}}.csv"),
        identities=of_study(f"{RESTRICTED}/identities/{{video}}.csv"),
        headcounts=of_study(f"{RESTRICTED}/headcounts/{{video}}.csv"),
        movements=of_study(f"{RESTRICTED}/movements/{{video}}.csv"),
        pairs=of_study(f"{RESTRICTED}/pairs/{{video}}.parquet"),
        audits=audits_of_study,
        proofs=of_study(f"{RESTRICTED}/sanitizing/{{video}}.json"),
    output:
        **{name: f"{RESTRICTED}/study/{name}.csv" for name in STUDY_TABLES},
        pairs=f"{RESTRICTED}/study/pairs.parquet",
        sentence=f"{RESTRICTED}/study/choice.txt",
        figures=[
            report(
                f"{RESTRICTED}/study/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category=category,
                labels={"figure": title, "basis": basis},
            )
            for figure, (category, title, basis) in FIGURES.items()
        ],
        pictures=expand(
            f"{RESTRICTED}/study/figures/{{figure}}.{{form}}",
            figure=FIGURES,
            form=["pdf", "png"],
        ),
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
        videos=videos_of_study,
        methods=COPIES,
        study=config["study"],
        signal=SIGNAL,
        withhold=config["audit"]["withhold"],
        code=code("study"),
    message:
        "Computing the statistics and figures of the study."
    script:
        "../scripts/study.py"


rule report:
    """Build the report: one page that opens offline and contains no source pixel and no source name."""
    input:
        **{name: f"{RESTRICTED}/study/{name}.csv" for name in STUDY_TABLES},
        screening=f"{RESTRICTED}/screening.tsv",
        pairs=f"{RESTRICTED}/study/pairs.parquet",
        sentence=f"{RESTRICTED}/study/choice.txt",
        origins=of_study(
            f"{RESTRICTED}/keypoints/{{video}}_{{source}}.json", source=SOURCES
        ),
        imported=imported_of_study,
        payloads=of_study(f"{RESTRICTED}/study/videos/{{video}}.js"),
        libraries=ancient(expand("resources/libraries/{file}", file=LIBRARY_FILES)),
        audits=audits_of_study,
        proofs=of_study(f"{RESTRICTED}/sanitizing/{{video}}.json"),
    output:
        report=report(
            f"{RESTRICTED}/study/report.html",
            caption="../report/report.rst",
            category="Study",
            labels={"figure": "The whole study on one page", "basis": "raw and net"},
        ),
        # Names of the files of study/videos that are released next to the page instead of inside it.
        beside=f"{RESTRICTED}/study/beside.json",
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
        models=MODELS | LIBRARY_FACTS,
        conditions=lambda wildcards: {
            video: condition
            for video, (_, condition) in videos_of_study(wildcards).items()
        },
        excluded=corrections.excluded(CORRECTIONS),
        libraries=list(LIBRARY_FILES.values()),
        code=code("report"),
    message:
        "Building the report."
    script:
        "../scripts/report.py"
