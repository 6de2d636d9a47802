import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from deidpose import config as settings
from deidpose import corrections, dataset, import_folders, pose, provenance, resources
from deidpose import shares, status
from deidpose import models as networks
from deidpose.errors import UserError

# ------------------------------------------------------------------------------------------------- config and videos

SCHEMA = Path(workflow.basedir) / "config/config.schema.yaml"

try:
    config.update(settings.typed(config, SCHEMA))
    settings.validate(config, SCHEMA)
    NETWORKS = networks.load(Path(workflow.basedir) / "config/models.yaml")
    LIBRARIES = networks.load(Path(workflow.basedir) / "config/page_libraries.yaml")
    RESULTS = os.path.expanduser(config["results_dir"])
    # Files that a pose backend needs and that are the user's own.
    POSE_FILES = pose.files(config["pose"])
    POSE_CONTAINER = pose.container(config["pose"])
    VIDEOS = dataset.scan(
        config["dataset"],
        config["videos"],
        dataset.read_or_make_secret(
            config["secret_file"] or f"{RESULTS}/restricted/secret.key"
        ),
        skip=[RESULTS, *import_folders.within(config["pose"], config["dataset"])],
    )
    # Where the keypoints are that were there before, of the videos that have any.
    IMPORTS = import_folders.find(config["pose"], VIDEOS, config["dataset"])
    DETAILS = dataset.details(VIDEOS, config["dataset"], config["videos"])
    CORRECTIONS = corrections.read(config["corrections"], VIDEOS)
    # What does not fit a video is told at once where the videos are known, and else behind the checkpoint.
    corrections.usable(
        CORRECTIONS, resources.read_screening(f"{RESULTS}/restricted/screening.tsv")
    )
except UserError as error:
    raise WorkflowError(str(error)) from None

RESTRICTED = f"{RESULTS}/restricted"
RELEASE = f"{RESULTS}/release"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"

CONTROL = "reencode"
METHODS = config["methods"]
COPIES = [*METHODS, CONTROL]
SOURCES = ["original", *COPIES]
# Which angles the answer is given in.
SIGNAL = "filtered" if config["kinematics"]["filter"] else "unfiltered"
POSE = pose.told(config["pose"])
POSE_MODELS = pose.networks(POSE)
MORE_MB, MORE_S_PER_FRAME = pose.cost(POSE)

# Who is left visible, by the tokens of the table of videos.
VISIBLE = {video: row.visible for video, row in DETAILS.items() if row.visible}

# What a reader of the release may know of the settings: all but the paths.
UNTOLD = ("dataset", "results_dir", "videos", "secret_file", "corrections", "backends")
SETTINGS = {
    key: value for key, value in config.items() if key not in (*UNTOLD, "only_study")
} | {"pose": POSE | {"import": import_folders.told(config["pose"])}}
USED_MODELS = [*POSE_MODELS.values(), "yunet", "centerface"]
MODELS = networks.facts(NETWORKS, USED_MODELS)
LIBRARY_FACTS = networks.facts(LIBRARIES, LIBRARIES)
MODEL_FILES = [NETWORKS[name]["file"] for name in USED_MODELS]
LIBRARY_FILES = {entry["file"]: name for name, entry in LIBRARIES.items()}


wildcard_constraints:
    # What no text matches keeps the steps of videos out of the plan of a study that takes them as they are.
    video="(?!)" if config["only_study"] else dataset.ID_PATTERN,
    method="[a-z]+",
    source="[a-z]+",


# ---------------------------------------------------------------------------------------------------- input functions


def model(name):
    """Return the file of a network. Its date says nothing: where it is fetched anew it is the same, by its digest."""
    return ancient(f"resources/models/{NETWORKS[name]['file']}")


def pose_inputs():
    """Return what a pose backend reads besides pictures: name -> file, of networks and of the user's own."""
    # Functions, because Snakemake takes braces in a path for wildcards.
    own = {name: lambda _, path=path: path for name, path in POSE_FILES.items()}
    return {name: model(entry) for name, entry in POSE_MODELS.items()} | own


def source_in_dataset(wildcards):
    """Return the path of a source video inside the dataset: a dataset that has moved reruns nothing."""
    return os.path.relpath(
        VIDEOS[wildcards.video], os.path.expanduser(config["dataset"])
    )


def code(script):
    """Return the digest of the library modules that a script uses: a rule reruns when they change."""
    return provenance.code_digest(Path(workflow.basedir) / "scripts" / f"{script}.py")


def mask_of_method(wildcards):
    """Return how strongly one method masks: another method's strength reruns nothing of it."""
    return settings.mask_of(config["mask"], wildcards.method)


def facts_of_videos():
    """Return the screening of every video, by id, once the checkpoint has run."""
    if config["only_study"]:
        return resources.read_screening(f"{RESTRICTED}/screening.tsv")
    return resources.read_screening(checkpoints.screening.get().output.screening)


def accepted_videos():
    """Return the ids of the videos that can be used and that no reviewer has left out, in the order of the screening."""
    try:
        return corrections.usable(CORRECTIONS, facts_of_videos())
    except UserError as error:
        raise WorkflowError(str(error)) from None


def accepted_findings(wildcards):
    """Return what a reviewer has accepted in one video, for the verdict of its audits."""
    return corrections.accepted(CORRECTIONS, wildcards.video)


def of_study(pattern, **wildcards):
    """Return an input function: the pattern for every accepted video and all the given wildcards."""
    return lambda _: expand(pattern, video=accepted_videos(), **wildcards)


audits_of_study = of_study(
    f"{RESTRICTED}/audit/{{video}}_{{method}}.json", method=METHODS
)


def of_sources(pattern):
    """Return the pattern for the original and all its copies, as inputs or outputs of a rule."""
    return expand(pattern, source=SOURCES, allow_missing=True)


def of_copies(pattern):
    """Return the pattern for all copies of the original, the control last."""
    return expand(pattern, source=COPIES, allow_missing=True)


def videos_of_study(_):
    """Return the subject and the condition of every video of the study, empty where the table names none."""
    return {
        video: (DETAILS[video].subject, DETAILS[video].condition)
        for video in accepted_videos()
    }


def pictures_of_source(wildcards):
    """Return the video file of one source: the sanitized original, the control, or a masked copy."""
    if wildcards.source == "original":
        return f"{RESTRICTED}/sanitized/{wildcards.video}.mkv"
    if wildcards.source == CONTROL:
        return f"{RESTRICTED}/control/{wildcards.video}.mp4"
    return f"{RESTRICTED}/masked/{wildcards.video}_{wildcards.source}.mp4"


# --------------------------------------------------------------------------------------------------------- resources


def size_of_job(wildcards):
    """Return what a job has to work on: facts of its video, the bytes of a source, or the number of videos."""
    video = getattr(wildcards, "video", None)
    if video is None:
        return {"n_videos": len(VIDEOS)}
    facts = resources.read_screening(f"{RESTRICTED}/screening.tsv").get(video)
    if facts and facts["status"] == "accepted":
        return facts
    return {"n_bytes": resources.size(VIDEOS[video])}


def megabytes(rule_name, more=0):
    """Return the memory request of a rule as a function of its video, more with every attempt."""
    return lambda wildcards, attempt, threads: resources.megabytes(
        rule_name, size_of_job(wildcards), attempt, more, threads
    )


def minutes(rule_name, more_per_frame=0):
    """Return the time request of a rule as a function of its video, more with every attempt."""
    return lambda wildcards, attempt: resources.minutes(
        rule_name, size_of_job(wildcards), attempt, more_per_frame
    )
