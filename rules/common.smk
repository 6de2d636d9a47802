import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from deidpose.errors import UserError
from deidpose.pose import registry
from deidpose.workflow import code_digest, corrections, dataset, downloads
from deidpose.workflow import keypoint_imports, resources, shards, status
from deidpose.workflow import config as settings

# ------------------------------------------------------------------------------------------------- config and videos

SCHEMA = Path(workflow.basedir) / "config/config.schema.yaml"

try:
    config.update(settings.typed(config, SCHEMA))
    settings.validate(config, SCHEMA)
    NETWORKS = downloads.load(Path(workflow.basedir) / "config/models.yaml")
    LIBRARIES = downloads.load(Path(workflow.basedir) / "config/page_libraries.yaml")
    RESULTS = os.path.expanduser(config["results_dir"])
    # Files that a pose backend reads and that the user provides.
    POSE_FILES = registry.files(config["pose"])
    POSE_CONTAINER = registry.container(config["pose"])
    VIDEOS = dataset.scan(
        config["dataset"],
        config["videos"],
        dataset.read_or_make_secret(
            config["secret_file"] or f"{RESULTS}/restricted/secret.key"
        ),
        skip=[RESULTS, *keypoint_imports.within(config["pose"], config["dataset"])],
    )
    IMPORTS = keypoint_imports.find(config["pose"], VIDEOS, config["dataset"])
    DETAILS = dataset.details(VIDEOS, config["dataset"], config["videos"])
    CORRECTIONS = corrections.read(config["corrections"], VIDEOS)
    # Report misfits now if the videos are screened; otherwise after the checkpoint.
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
SIGNAL = "filtered" if config["kinematics"]["filter"] else "unfiltered"
POSE = registry.public_settings(config["pose"])
POSE_MODELS = registry.networks(POSE)
POSE_MODULE = registry.module_of(POSE["backend"])
MORE_MB, MORE_S_PER_FRAME = registry.cost(POSE)

# People left visible, as the table of videos names them.
VISIBLE = {video: row.visible for video, row in DETAILS.items() if row.visible}

# Settings that the release shows: all but paths.
UNTOLD = ("dataset", "results_dir", "videos", "secret_file", "corrections", "backends")
SETTINGS = {
    key: value for key, value in config.items() if key not in (*UNTOLD, "only_study")
} | {"pose": POSE | {"import": keypoint_imports.public_settings(config["pose"])}}
USED_MODELS = [*POSE_MODELS.values(), "yunet", "centerface"]
MODELS = downloads.facts(NETWORKS, USED_MODELS)
LIBRARY_FACTS = downloads.facts(LIBRARIES, LIBRARIES)
MODEL_FILES = [NETWORKS[name]["file"] for name in USED_MODELS]
LIBRARY_FILES = {entry["file"]: name for name, entry in LIBRARIES.items()}


wildcard_constraints:
    # With only_study, a pattern that matches nothing excludes all steps of single videos.
    video="(?!)" if config["only_study"] else dataset.ID_PATTERN,
    method="[a-z]+",
    source="[a-z]+",


# ---------------------------------------------------------------------------------------------------- input functions


def model(name):
    """Return the file of a network. Ignore its date, because its digest fixes its content."""
    return ancient(f"resources/models/{NETWORKS[name]['file']}")


def pose_inputs():
    """Return what a pose backend reads besides pictures: name -> file of each network and each file of the user."""
    # Use functions, because Snakemake reads braces in a path as wildcards.
    own = {name: lambda _, path=path: path for name, path in POSE_FILES.items()}
    return {name: model(entry) for name, entry in POSE_MODELS.items()} | own


def source_in_dataset(wildcards):
    """Return the path of a source video inside the dataset, so that moving the dataset reruns nothing."""
    return os.path.relpath(
        VIDEOS[wildcards.video], os.path.expanduser(config["dataset"])
    )


def code(script, *loaded):
    """Return the digest of the modules that a script uses, and of those it loads by name: changes rerun the rule."""
    path = Path(workflow.basedir) / "scripts" / f"{script}.py"
    return code_digest.code_digest(path, loaded)


def mask_of_method(wildcards):
    """Return the mask settings of one method, so that another method's strength does not rerun it."""
    return settings.mask_of(config["mask"], wildcards.method)


def facts_of_videos():
    """Return the screening of every video, by id, once the checkpoint has run."""
    if config["only_study"]:
        return resources.read_screening(f"{RESTRICTED}/screening.tsv")
    return resources.read_screening(
        checkpoints.collect_screening.get().output.screening
    )


def accepted_videos():
    """Return the ids of the usable videos that no reviewer has excluded, in the order of the screening."""
    try:
        return corrections.usable(CORRECTIONS, facts_of_videos())
    except UserError as error:
        raise WorkflowError(str(error)) from None


def accepted_findings(wildcards):
    """Return the findings that a reviewer has accepted in one video."""
    return corrections.accepted(CORRECTIONS, wildcards.video)


def of_study(pattern, **wildcards):
    """Return an input function that expands the pattern over all accepted videos and the given wildcards."""
    return lambda _: expand(pattern, video=accepted_videos(), **wildcards)


audits_of_study = of_study(
    f"{RESTRICTED}/audit/{{video}}_{{method}}.json", method=METHODS
)


def of_sources(pattern):
    """Expand the pattern over the original and all its copies."""
    return expand(pattern, source=SOURCES, allow_missing=True)


def of_copies(pattern):
    """Expand the pattern over all copies of the original, the control last."""
    return expand(pattern, source=COPIES, allow_missing=True)


def videos_of_study(_):
    """Return the subject and condition of every video of the study, empty if the table gives none."""
    return {
        video: (DETAILS[video].subject, DETAILS[video].condition)
        for video in accepted_videos()
    }


def pictures_of_source(wildcards):
    """Return the video file of one source: the sanitized original, the control, or a masked video."""
    if wildcards.source == "original":
        return f"{RESTRICTED}/sanitized/{wildcards.video}.mkv"
    if wildcards.source == CONTROL:
        return f"{RESTRICTED}/control/{wildcards.video}.mp4"
    return f"{RESTRICTED}/masked/{wildcards.video}_{wildcards.source}.mp4"


# --------------------------------------------------------------------------------------------------------- resources


def size_of_job(wildcards):
    """Return the size of a job's work: facts of its video, bytes of its source, or the number of videos."""
    video = getattr(wildcards, "video", None)
    if video is None:
        return {"n_videos": len(VIDEOS)}
    facts = resources.read_screening(f"{RESTRICTED}/screening.tsv").get(video)
    if facts and facts["status"] == "accepted":
        return facts
    return {"n_bytes": resources.size(VIDEOS[video])}


def megabytes(rule_name, more=0):
    """Return a function that requests memory by the size of the job and the attempt."""
    return lambda wildcards, attempt, threads: resources.megabytes(
        rule_name, size_of_job(wildcards), attempt, more, threads
    )


def minutes(rule_name, more_per_frame=0):
    """Return a function that requests time by the size of the job and the attempt."""
    return lambda wildcards, attempt: resources.minutes(
        rule_name, size_of_job(wildcards), attempt, more_per_frame
    )
