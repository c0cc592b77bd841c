"""Frames between the judge and the child: a JSON header and raw arrays, nothing that can run code.

    4 bytes   length of the header, big endian
    header    JSON; "arrays" lists [name, dtype, shape] of what follows
    arrays    raw bytes in C order, one after the other

What comes from a child is checked before it is used: the other end may be anybody.
"""

import json
import math
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

HEADER_BYTES = 1 << 20
ARRAY_BYTES = 1 << 26
ARRAYS = 64
DIMENSIONS = 8
DTYPES = {
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
}


class FrameError(Exception):
    """What came is no frame."""


def write_frame(stream: BinaryIO, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write one frame.

    Raises:
        FrameError: an array has a dtype or a size that frames do not carry.
    """
    listed, parts = [], []
    for name, array in arrays.items():
        array = np.ascontiguousarray(array).reshape(array.shape)  # the first makes 0-d arrays 1-d
        _check_array(array.dtype.name, array.shape)
        listed.append([name, array.dtype.name, list(array.shape)])
        parts.append(array.tobytes())
    if sum(map(len, parts)) > ARRAY_BYTES:
        raise FrameError(f"more than {ARRAY_BYTES} bytes of arrays")
    text = json.dumps(header | {"arrays": listed}).encode()
    stream.write(len(text).to_bytes(4, "big") + text + b"".join(parts))
    stream.flush()


def read_frame(read: Callable[[int], bytes]) -> tuple[dict, dict[str, np.ndarray]]:
    """Read one frame.

    Args:
        read: gives exactly as many bytes as asked for, or raises.

    Returns:
        The header, without its list of arrays, and the arrays by name.

    Raises:
        FrameError: it is none.
    """
    length = int.from_bytes(read(4), "big")
    if length > HEADER_BYTES:
        raise FrameError("the header is too long")
    try:
        header = json.loads(read(length))
        listed = [(str(name), str(dtype), tuple(shape)) for name, dtype, shape in header["arrays"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FrameError("the header is not the JSON of a frame") from error
    if len(listed) > ARRAYS:
        raise FrameError("too many arrays")
    sizes = [_check_array(dtype, shape) for _, dtype, shape in listed]
    if sum(sizes) > ARRAY_BYTES:
        raise FrameError("the arrays are too large")
    arrays = {
        name: np.frombuffer(read(size), dtype).reshape(shape)
        for (name, dtype, shape), size in zip(listed, sizes, strict=True)
    }
    return {name: value for name, value in header.items() if name != "arrays"}, arrays


def _check_array(dtype: str, shape: tuple) -> int:
    """Bytes of an array; FrameError if it is not a plain one of a reasonable size."""
    if dtype not in DTYPES:
        raise FrameError(f"arrays of dtype {dtype:.40} are not numbers")
    if len(shape) > DIMENSIONS:
        raise FrameError(f"an array has {len(shape)} dimensions")
    if not all(type(length) is int and 0 <= length <= ARRAY_BYTES for length in shape):
        raise FrameError("an array has an impossible shape")
    most = math.prod(max(length, 1) for length in shape)  # numpy counts an empty axis like that
    if most * np.dtype(dtype).itemsize > ARRAY_BYTES:
        raise FrameError(f"an array of shape {list(shape)} is too large")
    return math.prod(shape) * np.dtype(dtype).itemsize
