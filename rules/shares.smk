def rules_of_study():
    """Return the rules that make a study: those whose jobs leave a benchmark in its results."""
    return [
        step for step in workflow.rules if str(step.benchmark).startswith(BENCHMARKS)
    ]


# Digest of what the steps of all videos depend on: settings except the study's, networks, and the code of every step.
# The user's own files count by size and date, because they may be hundreds of megabytes.
OF_VIDEOS = shards.stamp(
    {key: value for key, value in SETTINGS.items() if key not in ("study", "report")},
    MODELS,
    POSE_CONTAINER,
    {key: resources.size_and_date(path) for key, path in POSE_FILES.items()},
    {
        step.name: step.params.code
        for step in rules_of_study()
        if "video" in step.wildcard_names
    },
)


def stamp(video):
    """Return the digest of everything that the results of one video now depend on."""
    row = DETAILS[video]
    return shards.stamp(
        OF_VIDEOS,
        corrections.of_masks(CORRECTIONS, video),
        corrections.accepted(CORRECTIONS, video),
        [row.patient, row.visible],
        (
            keypoint_imports.fingerprint(config["pose"], IMPORTS[video])
            if video in IMPORTS
            else ""
        ),
    )


if config["only_study"]:
    try:
        shards.check(
            f"{RESTRICTED}/finished",
            VIDEOS,
            facts_of_videos(),
            {video: stamp(video) for video in accepted_videos()},
        )
    except UserError as error:
        raise WorkflowError(str(error)) from None
