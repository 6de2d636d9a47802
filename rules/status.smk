from snakemake.logging import logger


def report_status():
    """Log what is done, failed, rejected and withheld, and where to find it."""
    logger.info(status.describe(RESULTS, brief=True))


onstart:
    plan = {
        "rules": {
            step.name: status.wildcards_in(str(step.benchmark))
            for step in rules_of_study()
        },
        "video": list(VIDEOS),
        "method": METHODS,
        "source": SOURCES,
        "only": {
            # Audits do not search the control, and only some videos have keypoints to import.
            "search_faces": {"source": ["original", *METHODS]},
            "import_pose": {"video": list(IMPORTS)},
            "list_imported_people": {"video": list(IMPORTS)},
            # Only studies that run in shares use this rule; other steps show the same progress.
            "finish": {"video": []},
        },
        "imported": list(IMPORTS),
        "excluded": list(corrections.excluded(CORRECTIONS)),
        "withhold": config["audit"]["withhold"],
    }
    try:
        status.write_plan(RESULTS, plan)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if IMPORTS:
        logger.info(status.imports(plan, {}))


onsuccess:
    report_status()


onerror:
    report_status()
