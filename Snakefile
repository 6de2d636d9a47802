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
    """Everything: the audited release with its report and manifest, and what a person should look at."""
    default_target: True
    input:
        f"{RELEASE}/manifest.json",
        f"{RESTRICTED}/review/index.html",


rule models:
    """All networks and the libraries of the report's page, so that no later job needs to go out."""
    input:
        expand("resources/models/{file}", file=MODEL_FILES),
        expand("resources/libraries/{file}", file=LIBRARY_FILES),
