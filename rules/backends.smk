from deidpose import candidates

# Which pose networks can be compared here. Nothing of this is needed by a study, and nothing of it is released.
try:
    COMPARED, LEFT_OUT = candidates.choose(
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
    """How the pose networks that can be run here agree with one another, and what each costs; never released."""
    input:
        f"{BACKENDS}/backends.md",


rule try_backend:
    """BODY_25 keypoints of everyone in one original with one of several pose networks, and what that cost."""
    input:
        # What the network reads besides pictures, as `pose_inputs` has it for that of the study.
        unpack(
            lambda wildcards: {
                name: model(entry)
                for name, entry in pose.networks(COMPARED[wildcards.backend]).items()
            }
            | pose.files(COMPARED[wildcards.backend])
        ),
        video=f"{RESTRICTED}/sanitized/{{video}}.mkv",
        timestamps=f"{RESTRICTED}/timestamps/{{video}}.parquet",
        cuts=f"{RESTRICTED}/cuts/{{video}}.parquet",
    output:
        keypoints=f"{BACKENDS}/keypoints/{{video}}_{{backend}}.parquet",
        cost=f"{BACKENDS}/keypoints/{{video}}_{{backend}}.json",
    log:
        f"{LOGS}/try_backend/{{video}}_{{backend}}.log",
    # Not with those of the study, which are counted to say how far that is.
    benchmark:
        f"{BACKENDS}/benchmarks/try_backend/{{video}}_{{backend}}.tsv"
    wildcard_constraints:
        backend="[a-z_]+",
    conda:
        "../envs/deidpose.yaml"
    container:
        lambda wildcards: pose.container(COMPARED[wildcards.backend])
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt, threads: megabytes(
            "estimate_pose", pose.cost(COMPARED[wildcards.backend])[0]
        )(wildcards, attempt, threads),
        runtime=lambda wildcards, attempt: minutes(
            "estimate_pose", pose.cost(COMPARED[wildcards.backend])[1]
        )(wildcards, attempt),
    params:
        pose=lambda wildcards: pose.told(COMPARED[wildcards.backend]),
        networks=lambda wildcards: networks.digests(
            NETWORKS, pose.networks(COMPARED[wildcards.backend]).values()
        ),
        code=code("try_backend"),
    script:
        "../scripts/try_backend.py"


rule compare_backends:
    """How every pose network agrees with every other in one original: people, keypoints and angles."""
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
    script:
        "../scripts/compare_backends.py"


rule show_backends:
    """What was found of the pose networks over all videos, as tables and a figure."""
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
        candidates.told(COMPARED, LEFT_OUT)
    script:
        "../scripts/show_backends.py"
