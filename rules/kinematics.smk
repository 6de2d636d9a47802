rule joint_angles:
    """Joint angles of everyone in one video, from the keypoints of one source."""
    input:
        keypoints=f"{RESTRICTED}/keypoints/{{video}}_{{source}}.parquet",
    output:
        angles=f"{RESTRICTED}/angles/{{video}}_{{source}}.csv",
    log:
        f"{LOGS}/joint_angles/{{video}}_{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/joint_angles/{{video}}_{{source}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("joint_angles"),
        runtime=minutes("joint_angles"),
    params:
        code=code("joint_angles"),
    script:
        "../scripts/joint_angles.py"


rule compare:
    """What one method did to the joint angles of one video, person by person."""
    input:
        original_keypoints=f"{RESTRICTED}/keypoints/{{video}}_original.parquet",
        method_keypoints=f"{RESTRICTED}/keypoints/{{video}}_{{method}}.parquet",
        original_angles=f"{RESTRICTED}/angles/{{video}}_original.csv",
        method_angles=f"{RESTRICTED}/angles/{{video}}_{{method}}.csv",
    output:
        effects=f"{RESTRICTED}/effects/{{video}}_{{method}}.csv",
        # Person of the original -> people of the method, for the traces of the study.
        matches=f"{RESTRICTED}/matches/{{video}}_{{method}}.json",
    log:
        f"{LOGS}/compare/{{video}}_{{method}}.log",
    benchmark:
        f"{BENCHMARKS}/compare/{{video}}_{{method}}.tsv"
    conda:
        "../envs/deidpose.yaml"
    threads: 1
    resources:
        mem_mb=megabytes("compare"),
        runtime=minutes("compare"),
    params:
        code=code("compare"),
    script:
        "../scripts/compare.py"
