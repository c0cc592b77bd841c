"""Python code as a tree."""

import ast
import sys
import warnings

from autograder.handed_in.names import clean
from autograder.handed_in.unpack import Unusable


def parse(text: str) -> ast.Module:
    """Only parse: compiling a few hundred bytes of nested `finally` can take many seconds.

    Raises:
        Unusable: Python cannot read it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise Unusable(
            f"has a syntax error in line {error.lineno} ({clean(error.msg)}): correct it and run "
            f"it once with Python {sys.version_info.major}.{sys.version_info.minor}"
        ) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise Unusable("is nested too deeply for Python: write it in simpler steps") from None
