# What the steps of all videos go by: settings but those of the study, networks, and the code of every step.
OF_VIDEOS = shares.stamp(
    {key: value for key, value in SETTINGS.items() if key not in ("study", "report")},
    MODELS,
    {
        step: code(step)
        for step, wildcards in status.read_rules(Path(workflow.basedir)).items()
        if "video" in wildcards
    },
)


def stamp(video):
    """Return the digest of all that one video is made with now."""
    row = DETAILS[video]
    return shares.stamp(
        OF_VIDEOS,
        corrections.of_masks(CORRECTIONS, video),
        corrections.accepted(CORRECTIONS, video),
        [row.patient, row.visible],
    )


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


if config["only_study"]:
    try:
        shares.check(
            f"{RESTRICTED}/finished",
            VIDEOS,
            facts_of_videos(),
            {video: stamp(video) for video in accepted_videos()},
        )
    except UserError as error:
        raise WorkflowError(str(error)) from None
