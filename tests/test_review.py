"""Pictures of what a person should look at."""

import numpy as np
import pandas as pd

from deidpose import review, tables
from deidpose.video import Frame

WHITE_SQUARE = (100.0, 60.0, 40.0, 40.0)


def frames() -> list[Frame]:
    luma = np.full((240, 320), 16, np.uint8)
    luma[60:100, 100:140] = 235
    grey = np.full((120, 160), 128, np.uint8)
    return [Frame(index, index / 30, (luma, grey, grey), False) for index in range(100)]


def listed(*indices: int) -> pd.DataFrame:
    rows = [(index, "look", *WHITE_SQUARE) for index in indices]
    return pd.DataFrame(rows, columns=list(tables.TABLES["review"]))


def test_every_listed_place_has_a_tile_with_its_region_in_the_middle() -> None:
    sheet = review.contact_sheet(frames(), listed(3, 5))
    first, second, empty = sheet[:, :240], sheet[:, 240:480], sheet[:, 480:720]
    for tile in (first, second):
        assert tile[120, 120].min() > 200  # inside the square
        assert tile[40, 120].max() < 60  # a side away from it
    assert not empty.any()


def test_a_long_list_is_thinned_from_its_first_to_its_last_place() -> None:
    sheet = review.contact_sheet(frames(), listed(*range(100)))
    assert sheet.shape == (6 * 240, 6 * 240, 3)


def test_nothing_listed_is_one_empty_tile() -> None:
    sheet = review.contact_sheet(frames(), tables.empty("review"))
    assert sheet.shape[0] == 240
    assert not sheet.any()


def test_a_region_beyond_the_edge_of_the_picture_is_shown() -> None:
    table = listed(0)
    table[["x_px", "y_px"]] = -20.0
    assert review.contact_sheet(frames(), table).any()
