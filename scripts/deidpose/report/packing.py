"""Pack tables into a text that a page can carry."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def pack(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Return numbers and what is to be known of them as one text.

    Parameters
    ----------
    header : mapping
        Anything that JSON can hold.
    arrays : sequence of array
        Of 1, 2, 4 or 8 bytes, taken flat and in little-endian order.

    Returns
    -------
    str
        Base64 of gzip of: the length of the header (4 bytes), the header as JSON with ``arrays`` (dtype, offset in
        bytes from the end of the header, length), then the arrays, each beginning at a multiple of 8 bytes.
    """
    described, parts, offset = [], [], 0
    for array in arrays:
        flat = np.ascontiguousarray(array).ravel()
        data = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
        described.append([flat.dtype.name, offset, len(flat)])
        parts.append(data + bytes(-len(data) % 8))
        offset += len(parts[-1])
    text = json.dumps({**header, "arrays": described}, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-(4 + len(text)) % 8)
    # No time of making in it: the same data are the same text.
    packed = gzip.compress(b"".join([len(text).to_bytes(4, "little"), text, *parts]), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode()


def unpack(text: str) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return the header and the flat arrays of what `pack` has made."""
    data = gzip.decompress(base64.b64decode(text))
    start = 4 + int.from_bytes(data[:4], "little")
    header = json.loads(data[4:start])
    arrays = [
        np.frombuffer(data, np.dtype(name).newbyteorder("<"), length, start + offset)
        for name, offset, length in header.pop("arrays")
    ]
    return header, arrays


#: Rows from which on numbers are kept with three decimals, and not as they are.
_MANY_ROWS = 20_000
_DECIMALS = 3
_MISSING = -(2**31)


def pack_table(table: pd.DataFrame) -> str:
    """Return a table, column by column: texts as numbers of a list, numbers as they are or with three decimals."""
    columns, arrays = [], []
    many = len(table) > _MANY_ROWS
    for name in table.columns:
        values = table[name]
        if pd.api.types.is_bool_dtype(values.dtype):
            values = values.map({True: "yes", False: "no"})
        if pd.api.types.is_numeric_dtype(values.dtype):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            largest = np.nanmax(np.abs(numbers), initial=0.0) if np.isfinite(numbers).any() else 0.0
            whole = not (np.nan_to_num(numbers) % 1).any()
            scale = 1 if whole else 10**_DECIMALS
            if (many or whole) and largest * scale < -_MISSING:
                rounded = np.where(np.isfinite(numbers), np.round(np.nan_to_num(numbers) * scale), _MISSING)
                columns.append({"name": name, "scale": scale})
                arrays.append(rounded.astype(np.int32))
            else:
                columns.append({"name": name})
                arrays.append(numbers)
        else:
            codes, texts = pd.factorize(values.fillna("").astype(str))
            columns.append({"name": name, "texts": list(texts)})
            arrays.append(codes.astype(np.uint8 if len(texts) < 256 else np.uint32))
    return pack({"rows": len(table), "columns": columns}, arrays)
