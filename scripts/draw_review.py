"""One picture of the places in one video that a person should look at."""

from typing import TYPE_CHECKING

import cv2

from deidpose import review, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    sheet = review.contact_sheet(
        video.read_frames(snakemake.input.video, tables.read(snakemake.input.timestamps, "timestamps")),
        tables.read(snakemake.input.review, "review"),
    )
    cv2.imwrite(snakemake.output.sheet, sheet)
