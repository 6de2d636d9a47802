from snakemake.logging import logger

from deidpose import status


def tell():
    """Log what is done, failed, rejected and withheld, and where to look."""
    logger.info(status.describe(RESULTS, Path(workflow.basedir), brief=True))


onstart:
    try:
        status.write_plan(
            RESULTS,
            {
                "video": list(VIDEOS),
                "method": METHODS,
                "source": SOURCES,
                # No audit asks for the control, and nobody for keypoints that are not there.
                "only": {
                    "search_faces": {"source": ["original", *METHODS]},
                    "import_pose": {"video": list(IMPORTS)},
                    "list_imported_people": {"video": list(IMPORTS)},
                },
                "imported": list(IMPORTS),
                "excluded": list(corrections.excluded(CORRECTIONS)),
                "withhold": config["audit"]["withhold"],
            },
        )
    except UserError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    tell()


onerror:
    tell()
