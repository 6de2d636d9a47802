from deidpose.pose import candidates

# Pose networks that are available for comparison. No study depends on this file, and none of its results is released.
try:
    COMPARED, LEFT_OUT = candidates.choose_candidates(
        config["backends"],
        config["pose"],
        NETWORKS,
        "resources/models",
        WITH_CONTAINERS,
    )
except UserError as error:
    raise WorkflowError(str(error)) from None

BACKENDS = f"{RESTRICTED}/backends"


rule backends:
    """Compare the available pose networks by agreement and cost; the result is never released."""
    input:
        f"{BACKENDS}/backends.md",
    message:
        "Completing the comparison of pose networks."


rule try_backend:
    """Estimate the BODY_25 keypoints of everyone in one original with one pose network, and measure the cost."""
    input:
        # What the network reads besides pictures, as in `pose_inputs`.
        unpack(
            lambda wildcards: {
                name: model(entry)
                for name, entry in registry.networks(
                    COMPARED[wildcards.backend]
                ).items()
            }
            | registry.files(COMPARED[wildcards.backend])
        ),
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    output:
        keypoints=f"{BACKENDS}/keypoints/{{video}}_{{backend}}.parquet",
        cost=f"{BACKENDS}/keypoints/{{video}}_{{backend}}.json",
    log:
        f"{LOGS}/try_backend/{{video}}_{{backend}}.log",
    # Kept apart from the study's benchmarks, which `make status` counts as its progress.
    benchmark:
        f"{BACKENDS}/benchmarks/try_backend/{{video}}_{{backend}}.tsv"
    wildcard_constraints:
        backend="[a-z_]+",
    conda:
        "../envs/deidpose.yaml"
    container:
        lambda wildcards: registry.container(COMPARED[wildcards.backend])
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt, threads: megabytes(
            "estimate_pose", registry.cost(COMPARED[wildcards.backend])[0]
        )(wildcards, attempt, threads),
        runtime=lambda wildcards, attempt: minutes(
            "estimate_pose", registry.cost(COMPARED[wildcards.backend])[1]
        )(wildcards, attempt),
    params:
        pose=lambda wildcards: registry.public_settings(COMPARED[wildcards.backend]),
        networks=lambda wildcards: downloads.digests(
            NETWORKS, registry.networks(COMPARED[wildcards.backend]).values()
        ),
        code=lambda wildcards: code(
            "try_backend", registry.module_of(COMPARED[wildcards.backend]["backend"])
        ),
    message:
        "Trying the pose network {wildcards.backend} on {wildcards.video}."
    script:
        "../scripts/try_backend.py"


rule compare_backends:
    """Compare the people, keypoints and angles that each pair of pose networks finds in one original."""
    input:
        keypoints=expand(
            f"{BACKENDS}/keypoints/{{video}}_{{backend}}.parquet",
            backend=COMPARED,
            allow_missing=True,
        ),
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    output:
        people=f"{BACKENDS}/compared/{{video}}_people.csv",
        keypoints=f"{BACKENDS}/compared/{{video}}_keypoints.csv",
        angles=f"{BACKENDS}/compared/{{video}}_angles.csv",
    log:
        f"{LOGS}/compare_backends/{{video}}.log",
    benchmark:
        f"{BACKENDS}/benchmarks/compare_backends/{{video}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("compare_backends"),
        runtime=minutes("compare_backends"),
    params:
        backends=list(COMPARED),
        kinematics=config["kinematics"],
        code=code("compare_backends"),
    message:
        "Comparing pose networks on {wildcards.video}."
    script:
        "../scripts/compare_backends.py"


rule show_backends:
    """Combine the comparison of pose networks over all videos into tables and a figure."""
    input:
        costs=of_study(
            f"{BACKENDS}/keypoints/{{video}}_{{backend}}.json", backend=COMPARED
        ),
        found=of_study(
            f"{BACKENDS}/keypoints/{{video}}_{{backend}}.parquet", backend=COMPARED
        ),
        people=of_study(f"{BACKENDS}/compared/{{video}}_people.csv"),
        keypoints=of_study(f"{BACKENDS}/compared/{{video}}_keypoints.csv"),
        angles=of_study(f"{BACKENDS}/compared/{{video}}_angles.csv"),
    output:
        page=f"{BACKENDS}/backends.md",
        backends=f"{BACKENDS}/backends.csv",
        people=f"{BACKENDS}/people.csv",
        keypoints=f"{BACKENDS}/keypoints.csv",
        angles=f"{BACKENDS}/angles.csv",
        svg=f"{BACKENDS}/backends.svg",
        pdf=f"{BACKENDS}/backends.pdf",
        png=f"{BACKENDS}/backends.png",
    log:
        f"{LOGS}/show_backends.log",
    benchmark:
        f"{BACKENDS}/benchmarks/show_backends.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("show_backends"),
        runtime=minutes("show_backends"),
    params:
        backends=list(COMPARED),
        left_out=LEFT_OUT,
        videos=videos_of_study,
        study=config["study"],
        signal=SIGNAL,
        code=code("show_backends"),
    message:
        "Combining the comparison of pose networks over all videos.\n"
        + candidates.message(COMPARED, LEFT_OUT)
    script:
        "../scripts/show_backends.py"
