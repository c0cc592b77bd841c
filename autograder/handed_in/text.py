"""The text of a file, whatever it was written with."""

import codecs
import re
from contextlib import suppress

from autograder.handed_in.notebook import is_notebook, take_cells
from autograder.handed_in.sizes import MAX_FILE, MAX_NOTEBOOK, size, too_large
from autograder.handed_in.unpack import Entry, Unusable

NOT_PYTHON = {  # how it starts, in lower case
    b"%pdf": "a PDF",
    b"pk\x03\x04": "a zip or a Word file",
    b"\xd0\xcf\x11\xe0": "a Word file",
    b"{\\rtf": "an RTF text",
    b"\x89png": "a picture",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
# What Python takes for a declaration of the encoding, in one of the first two lines.
COOKIE = re.compile(r"\A((?:[ \t\f]*(?:#.*)?\n)?[ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)
# Those of editors; others, such as punycode, are attacks or make text that UTF-8 cannot hold.
DECLARED = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r"} | {
    *("gbk", "gb2312", "gb18030", "big5", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949"),
}


def read_text(entry: Entry) -> tuple[str, list[str]]:
    """The Python code of a script or a notebook with "\\n" line ends, and what was unusual.

    Raises:
        Unusable: it is too large, or not text.
    """
    limit = MAX_NOTEBOOK if is_notebook(entry) else MAX_FILE
    data = entry.read(limit + 1)
    if len(data) > limit:
        raise too_large(limit)
    text, notes = decode(data)
    if is_notebook(entry):
        text = take_cells(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = COOKIE.sub(r"\1utf-8", text)  # as which it will be written
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Unusable("is not text: save it as UTF-8 text")
    if size(text) > MAX_FILE:
        raise too_large(MAX_FILE)
    return text, notes


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text of bytes in one of many encodings, and a note about an unusual one.

    Raises:
        Unusable: they are no text.
    """
    start = data[:20].lstrip().lower()
    for mark, kind in NOT_PYTHON.items():
        if start.startswith(mark):
            raise Unusable(f"is {kind} and not Python code: hand in the script itself")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        trusted, guesses = ["utf-16"], []
    elif data.startswith(codecs.BOM_UTF8):
        trusted, guesses = ["utf-8-sig"], []
    else:
        trusted, guesses = [*find_declared(data), "utf-8"], ["cp1252", "latin-1"]
    for encoding in trusted + guesses:
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            return text, [f"is not UTF-8 and was read as {encoding}"] * (encoding not in trusted)
    raise Unusable("is not text: save it as UTF-8 text")


def find_declared(data: bytes) -> list[str]:
    """The encoding that a file declares, if it is one to trust."""
    head = data[:1000].decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    if cookie := COOKIE.match(head):
        with suppress(LookupError):
            name = codecs.lookup(cookie[2]).name
            return [name] if name in DECLARED else []
    return []
