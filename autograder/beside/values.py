"""What a submission returns, as arrays."""

import ast
import inspect
import textwrap

import numpy as np
import torch

from autograder import wire
from autograder.beside.words import describe


class Refused(Exception):
    """What a submission returned cannot be sent; the message describes it."""


class NotFilledIn(NotImplementedError):
    """A function returned None, as there is nothing in it."""


def expect_value(value, function):
    """What a function of the submission returned, unless that is None."""
    if value is None and is_empty(function):
        raise NotFilledIn("returned None")
    if value is None:
        raise Refused("None, as a function does without a return")
    return value


def is_empty(function):
    """Whether a function has nothing but comments, `pass` and the like in it."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, ValueError, SyntaxError):  # there is no source to look at
        return False
    return isinstance(definition, ast.FunctionDef) and all(
        isinstance(statement, ast.Pass | ast.Expr | ast.Return)
        and isinstance(getattr(statement, "value", None), ast.Constant | None)
        for statement in definition.body
    )


def to_array(value):
    """A tensor, an array or nested lists of numbers as an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # of tensors, say
        raise Refused(describe(value)) from error
    if array.dtype.name not in wire.DTYPES:
        raise Refused(describe(value))
    return array


def to_tensor(array):
    """A tensor of its own.

    Of a frame's array itself, which is read-only, torch warns, and a submission may have made
    errors of warnings.
    """
    return torch.from_numpy(array.copy())
