# Video -> keypoints of the original that kinematics compare the copies with: imported ones (pose.import) if there are
# any. Masks, review and audit never use imported keypoints; their rules read keypoints/ and people/.
MEASURED = {
    video: f"{RESTRICTED}/{'imported' if video in IMPORTS else 'keypoints'}/{video}_original.parquet"
    for video in VIDEOS
}


def measured_original(wildcards):
    """Return the keypoints of one original that are measured and released."""
    return MEASURED[wildcards.video]


def measured_people(wildcards):
    """Return the table of the people in `measured_original`."""
    if wildcards.video in IMPORTS:
        return f"{RESTRICTED}/imported/{wildcards.video}_people.csv"
    return f"{RESTRICTED}/people/{wildcards.video}.csv"


def measured_sources(wildcards):
    """Return the keypoints of one original and all its copies, in the order of the sources."""
    copies = of_copies(f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet")
    return [measured_original(wildcards), *expand(copies, video=wildcards.video)]


def measured_of_study(_):
    """Return the keypoints of all sources of the accepted videos."""
    copies = of_copies(f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet")
    videos = accepted_videos()
    return [MEASURED[video] for video in videos] + expand(copies, video=videos)


def imported_of_study(_):
    """Return the origins of the imported keypoints of the accepted videos."""
    return [
        f"{RESTRICTED}/imported/{video}_original.json"
        for video in accepted_videos()
        if video in IMPORTS
    ]
