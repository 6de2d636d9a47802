"""Tables of the right form filled with made-up numbers, for what only has to draw, write or show them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose import tables


def table(name: str, keys: Mapping[str, Sequence[Any]], seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Return the table ``name``: a row for every combination of ``keys``, every other column drawn at random.

    ``columns`` sets some of the others: a value, or a sequence as long as the table.
    """
    rng = np.random.default_rng(seed)
    made = pd.MultiIndex.from_product(keys.values(), names=list(keys)).to_frame(index=False)
    drawn = {
        "float64": lambda: rng.normal(1, 2, len(made)),
        "int64": lambda: rng.integers(0, 100, len(made)),
        "Int64": lambda: rng.integers(0, 100, len(made)),
        "bool": lambda: rng.random(len(made)) < 0.5,
        "boolean": lambda: rng.random(len(made)) < 0.5,
        "str": lambda: ["made up"] * len(made),
    }
    for column, definition in tables.TABLES[name].items():
        if column in columns:
            made[column] = columns[column]
        elif column not in made:
            made[column] = drawn[definition.dtype]()
    return tables.check(made, name)
