# Which keypoints of the original the kinematics measure the copies against: imported ones (pose.import) where there are
# any. What is masked, who is listed for the reviewer and what the audit looks at never go by these: their rules read
# keypoints/ and people/.

# Keypoints of the original that the copies are measured against.
MEASURED = {
    video: f"{RESTRICTED}/{'imported' if video in IMPORTS else 'keypoints'}/{video}_original.parquet"
    for video in VIDEOS
}


def measured_original(wildcards):
    """Return the keypoints of the original of one video, as they are measured and released."""
    return MEASURED[wildcards.video]


def measured_people(wildcards):
    """Return the people of the keypoints of `measured_original`."""
    if wildcards.video in IMPORTS:
        return f"{RESTRICTED}/imported/{wildcards.video}_people.csv"
    return f"{RESTRICTED}/people/{wildcards.video}.csv"


def measured_sources(wildcards):
    """Return the keypoints of the original of one video and of all its copies, in the order of the sources."""
    copies = of_copies(f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet")
    return [measured_original(wildcards), *expand(copies, video=wildcards.video)]


def measured_of_study(_):
    """Return the keypoints of all sources of the accepted videos."""
    copies = of_copies(f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet")
    videos = accepted_videos()
    return [MEASURED[video] for video in videos] + expand(copies, video=videos)


def imported_of_study(_):
    """Return where the imported keypoints of the accepted videos come from."""
    return [
        f"{RESTRICTED}/imported/{video}_original.json"
        for video in accepted_videos()
        if video in IMPORTS
    ]
