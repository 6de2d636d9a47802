from snakemake_interface_executor_plugins.settings import DeploymentMethod

# Whether this run of Snakemake uses containers.
WITH_CONTAINERS = (
    DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
)

if POSE_CONTAINER and not WITH_CONTAINERS:
    raise WorkflowError(
        "The setting pose.openpose.container names an image, which Snakemake uses with --sdm apptainer only: add "
        "that, or leave the setting empty to run what is on this machine."
    )


rule estimate_pose:
    """Estimate the BODY_25 keypoints of everyone in one video, in its original or one of its copies."""
    input:
        **pose_inputs(),
        video=pictures_of_source,
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    output:
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet",
        origin=f"{RESTRICTED}/keypoints/{{video}}_{{source}}.json",
    log:
        f"{LOGS}/estimate_pose/{{video}}_{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/estimate_pose/{{video}}_{{source}}.tsv"
    # Run early: many jobs depend on this.
    priority: 1
    conda:
        "../envs/deidpose.yaml"
    container:
        POSE_CONTAINER
    threads: 1
    resources:
        mem_mb=megabytes("estimate_pose", MORE_MB),
        runtime=minutes("estimate_pose", MORE_S_PER_FRAME),
    params:
        pose=POSE,
        networks=downloads.digests(NETWORKS, POSE_MODELS.values()),
        code=code("estimate_pose", POSE_MODULE),
    message:
        "Estimating poses in {wildcards.video} ({wildcards.source})."
    script:
        "../scripts/estimate_pose.py"


rule draw_skeleton:
    """Draw everyone's skeleton, in OpenPose's colours, onto one masked video."""
    input:
        video=f"{RESTRICTED}/masked/{{video}}_{{method}}.mp4",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_{{method}}.parquet",
    output:
        video=f"{RESTRICTED}/skeleton/{{video}}_{{method}}_skeleton.mp4",
    log:
        f"{LOGS}/draw_skeleton/{{video}}_{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_skeleton/{{video}}_{{method}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("draw_skeleton"),
        runtime=minutes("draw_skeleton"),
    params:
        encode=config["encode"],
        code=code("draw_skeleton"),
    message:
        "Drawing skeletons onto {wildcards.video} masked by {wildcards.method}."
    script:
        "../scripts/draw_skeleton.py"
