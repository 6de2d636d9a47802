from snakemake.logging import logger


def tell():
    """Log what is done, failed, rejected and withheld, and where to look."""
    logger.info(status.describe(RESULTS, Path(workflow.basedir), brief=True))


onstart:
    plan = {
        "video": list(VIDEOS),
        "method": METHODS,
        "source": SOURCES,
        "only": {
            # No audit asks for the control, and nobody for keypoints that are not there.
            "search_faces": {"source": ["original", *METHODS]},
            "import_pose": {"video": list(IMPORTS)},
            "list_imported_people": {"video": list(IMPORTS)},
            # It is for shares, and says nothing that the other steps do not.
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
    tell()


onerror:
    tell()
