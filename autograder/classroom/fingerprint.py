"""Digests of what decides a score: as long as they stay the same, nothing is graded anew."""

import hashlib
import json
import platform
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from autograder.submission import Submission
from fewshot.data.store import Store

ROOT = Path(__file__).parent.parent.parent
GRADER = ("autograder", "solutions", "fewshot/data")
KINDS = {".py", ".toml", ".npz", ".html", ".css", ".svg"}
# What comes before or after a grading.
NOT_GRADER = ("autograder/classroom", "autograder/release", "autograder/__main__.py")
NOT_GRADER += ("autograder/instructor.py", "autograder/check.py", "autograder/submit.py")
PACKAGES = ("torch", "numpy", "pytest")


@lru_cache(maxsize=1)
def grader_digest() -> str:
    """Of the grader's files, the rubric included, and of the libraries that it computes with."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in PACKAGES:
        digest.update(f"{package} {version(package)}".encode())
    files = [file for room in GRADER for file in (ROOT / room).rglob("*") if file.suffix in KINDS]
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith(NOT_GRADER):
            digest.update(name.encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def data_digest(folder: Path) -> str:
    """Of the images in a folder and the names of their characters."""
    store = Store.load(folder)
    digest = hashlib.sha256("\n".join(store.characters).encode())
    digest.update(store.images.numpy())
    return digest.hexdigest()


def grading_key(submission: Submission, *rest: object) -> str:
    """Of a submission and of how it is graded."""
    content = json.dumps([asdict(submission), *map(str, rest)], sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
