# Digest of what the steps of all videos depend on: settings except the study's, networks, and the code of every step.
# The user's own files count by size and date, because they may be hundreds of megabytes.
OF_VIDEOS = shares.stamp(
    {key: value for key, value in SETTINGS.items() if key not in ("study", "report")},
    MODELS,
    POSE_CONTAINER,
    {key: resources.size_and_date(path) for key, path in POSE_FILES.items()},
    {
        step: code(step)
        for step, wildcards in status.read_rules(Path(workflow.basedir)).items()
        if "video" in wildcards
    },
)


def stamp(video):
    """Return the digest of everything that the results of one video now depend on."""
    row = DETAILS[video]
    return shares.stamp(
        OF_VIDEOS,
        corrections.of_masks(CORRECTIONS, video),
        corrections.accepted(CORRECTIONS, video),
        [row.patient, row.visible],
        (
            import_folders.fingerprint(config["pose"], IMPORTS[video])
            if video in IMPORTS
            else ""
        ),
    )


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
