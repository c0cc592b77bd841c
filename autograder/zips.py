"""Zips of a few files."""

import io
import stat
import zipfile

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first day of a zip


def zip_bytes(files: dict[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    """A zip of files by name, in the order of the names; the same files give the same bytes.

    Args:
        files: name → content.
        modes: name → permissions, where they are not those of a text.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system = 3  # Unix, which has modes
            entry.external_attr = (stat.S_IFREG | (modes or {}).get(name, 0o644)) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
