"""What a submission returned, in a few words."""


def describe(value):
    """A value in a few words."""
    if value is None:
        return "None"
    shape = getattr(value, "shape", None)
    if shape is not None:
        kind = "text" if getattr(value.dtype, "kind", "") in ("U", "S") else value.dtype
        return f"{type(value).__name__} of shape {list(shape)} and type {kind}"
    if isinstance(value, dict):
        return f"a dict with the keys {shorten(', '.join(map(str, value)), 60)}"
    if isinstance(value, tuple | list):
        parts = ", ".join(describe(part) for part in value[:3])
        more = ", …" if len(value) > 3 else ""
        return f"a {type(value).__name__} of {len(value)}: {parts}{more}"
    return f"{type(value).__name__} {shorten(repr(value), 60)}"


def shorten(text, length=300):
    """A text of at most `length` letters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
