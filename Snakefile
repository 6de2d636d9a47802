from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/models.smk"
include: "rules/ingest.smk"
include: "rules/pose.smk"
include: "rules/measured.smk"
include: "rules/imported.smk"
include: "rules/faces.smk"
include: "rules/anonymize.smk"
include: "rules/review.smk"
include: "rules/kinematics.smk"
include: "rules/study.smk"
include: "rules/release.smk"
include: "rules/backends.smk"
include: "rules/shares.smk"
include: "rules/finish.smk"
include: "rules/status.smk"


rule all:
    """Make the audited release with its report and manifest, and the page for the reviewer."""
    default_target: True
    input:
        f"{RELEASE}/manifest.json",
        f"{RESTRICTED}/review/index.html",
    message:
        "Completing the release and the review page."


rule models:
    """Fetch all networks and the libraries of the report, so that later jobs need no network access."""
    input:
        expand("resources/models/{file}", file=MODEL_FILES),
        expand("resources/libraries/{file}", file=LIBRARY_FILES),
    message:
        "Making sure that all networks and libraries are present."
