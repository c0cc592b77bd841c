"""How much a submission may hold."""

import zlib

from autograder.handed_in.unpack import Unusable

# Homework is small, and whoever has no room cannot hand in trained weights as text. Code shrinks to
# a third when it is compressed and weights do not, so MAX_PACKED has room for three times the kit's
# own two files, and for 40,000 weights at four bits each, of the 470,000 that a network has.
MAX_FILE = 128 << 10  # bytes of one Python file
MAX_NOTEBOOK = 4 << 20  # bytes of one notebook, pictures included
MAX_FILES = 50  # Python files
MAX_TOTAL = 256 << 10  # bytes of all Python files together
MAX_PACKED = 32 << 10  # bytes of each of them compressed, together
MAX_INNER_ZIPS = 20  # zips in what was handed in
MAX_INNER_BYTES = 32 << 20  # of all of them together


def size(text: str) -> int:
    """Bytes of a text as it will be written."""
    return len(text.encode())


def packed(text: str) -> int:
    """Bytes of a text once it is compressed, about as much as there is to know in it."""
    return len(zlib.compress(text.encode()))


def too_large(limit: int) -> Unusable:
    """That a file has more bytes than it may."""
    return Unusable(f"is larger than {limit >> 10} KiB: hand in the code without weights or data")
