"""Submissions that cannot be taken as they are. Each gets a sentence, and what can be graded is."""

import base64
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from .case import IMPORTS_2, PARTS, STUBS, Case, stub

NOTHING = frozenset[str]()
SAMPLER = frozenset({"sampler"})
MODEL = frozenset({"forward", "loss"})


def zipped(home: Path, junk: bool = False) -> Path:
    """The folder as a zip, with what macOS adds if `junk`."""
    archive = home.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(home.rglob("*.py")):
            name = file.relative_to(home.parent).as_posix()
            out.write(file, name)
            if junk:
                out.writestr(f"__MACOSX/{Path(name).parent}/._{file.name}", b"\0\5\x16\7Mac OS X")
    return archive


def zipped_on_a_mac(home: Path) -> Path:
    return zipped(home, junk=True)


def cut_off(home: Path) -> Path:
    """A zip whose upload stopped half-way."""
    archive = zipped(home)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    return archive


def empty_zip(home: Path) -> Path:
    archive = home.with_suffix(".zip")
    zipfile.ZipFile(archive, "w").close()
    return archive


def nested(home: Path) -> Path:
    """The files two folders below the one that is handed in."""
    inner = home / "homework" / "hw1"
    inner.mkdir(parents=True)
    for file in home.glob("*.py"):
        shutil.move(file, inner)
    return home


def folder_of_that_name(home: Path) -> Path:
    """hw1.py as a folder, with the file in it."""
    script = home / "hw1.py"
    text = script.read_bytes()
    script.unlink()
    script.mkdir()
    (script / "main.py").write_bytes(text)
    return home


def three_zips(home: Path) -> Path:
    """A zip in a zip in a zip."""
    path = zipped(home)
    for number in (1, 2):
        outer = home.parent / f"{home.name}_{number}.zip"
        with zipfile.ZipFile(outer, "w") as out:
            out.write(path, path.name)
        path = outer
    return path


def renamed(old: str, new: str) -> Callable[[Path], Path]:
    def build(home: Path) -> Path:
        (home / old).rename(home / new)
        return home

    return build


def encoded(encoding: str, newline: str = "\n") -> Callable[[Path], Path]:
    def build(home: Path) -> Path:
        for file in home.glob("*.py"):
            text = file.read_text(encoding="utf-8").replace("\n", newline)
            file.write_bytes(text.encode(encoding, errors="replace"))
        return home

    return build


def notebook(home: Path) -> Path:
    """hw1.ipynb instead of hw1.py."""
    script = home / "hw1.py"
    lines = script.read_text(encoding="utf-8").splitlines(keepends=True)
    cell = {"cell_type": "code", "source": lines, "metadata": {}, "outputs": []}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    script.with_suffix(".ipynb").write_text(json.dumps(content), encoding="utf-8")
    script.unlink()
    return home


def hw1(name: str, says: str, old: str, new: str, graded: frozenset[str] = SAMPLER) -> Case:
    """One edit makes hw1.py unusable, or a part of it."""
    return Case(name, edits=(("hw1.py", old, new),), graded=graded, says=says)


def load_data(name: str, says: str, old: str, new: str) -> Case:
    """One edit makes load_data.py unusable."""
    return Case(name, edits=(("load_data.py", old, new),), graded=MODEL, says=says)


MAIN_GUARD = 'if __name__ == "__main__":\n'

FILES = [
    Case("no_hw1", files={"hw1.py": None}, graded=SAMPLER, says="hw1.py"),
    Case("no_load_data", files={"load_data.py": None}, graded=MODEL, says="load_data.py"),
    Case("nothing", files={"hw1.py": None, "load_data.py": None}, graded=NOTHING, says="hw1.py"),
    Case("hw1_of_0_bytes", files={"hw1.py": ""}, graded=SAMPLER, says="hw1.py"),
    Case("load_data_of_0_bytes", files={"load_data.py": ""}, graded=MODEL, says="load_data.py"),
    Case(
        "pdf_named_hw1",
        files={"hw1.py": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n\0"},
        graded=SAMPLER,
        says="hw1.py",
    ),
    Case(
        "weights_as_text",
        files={"hw1.py": f"WEIGHTS = {base64.b85encode(random.Random(1).randbytes(40_000))}\n"},
        graded=SAMPLER,
        says="even when it is compressed",
    ),
    Case("notebook", build=notebook, says="ipynb"),
    Case("folder_in_a_folder", build=nested),
    Case("folder_named_hw1", build=folder_of_that_name, graded=SAMPLER, says="hw1.py is a folder"),
    Case("three_zips", build=three_zips, graded=NOTHING, says="zips within zips"),
    Case("zip_of_a_folder", build=zipped),
    Case("zip_of_a_mac", build=zipped_on_a_mac),
    Case("zip_of_nothing", build=empty_zip, graded=NOTHING, says="zip"),
    Case("zip_cut_off", build=cut_off, graded=NOTHING, says="zip"),
    Case("second_download", build=renamed("hw1.py", "hw1 (1).py"), says="hw1 (1).py"),
    Case("byte_order_mark", build=encoded("utf-8-sig")),
    Case("windows_newlines", build=encoded("utf-8", "\r\n")),
    Case(
        "latin_1",
        edits=(("hw1.py", IMPORTS_2, f"# J\u00fcrgen's homework\n{IMPORTS_2}"),),
        build=encoded("latin-1"),
        says="UTF-8",
    ),
    Case("utf_16", build=encoded("utf-16")),
]

CODE = [
    hw1(
        "syntax_error_in_hw1",
        "hw1.py",
        "def loss_function(self, preds, labels):",
        "def loss_function(self, preds, labels)",
    ),
    load_data(
        "syntax_error_in_load_data", "load_data.py", "def _sample(self):", "def _sample(self:"
    ),
    load_data(
        "tabs_and_spaces",
        "load_data.py",
        "        self.dim_output = num_classes\n",
        "\tself.dim_output = num_classes\n",
    ),
    hw1("class_renamed", "MANN", "class MANN(nn.Module):", "class Mann(nn.Module):"),
    load_data("method_renamed", "_sample", "def _sample(self):", "def sample(self):"),
    hw1("main_at_import", "main", MAIN_GUARD, "if True:\n", graded=PARTS),
    hw1(
        "training_at_import",
        "hw1.py",
        MAIN_GUARD,
        """model = MANN(2, 2, 128)
optim = torch.optim.Adam(model.parameters())
for step in range(10**9):
    images, labels = torch.rand(32, 2, 2, 784), torch.eye(2).expand(32, 2, 2, 2)
    train_step(images, labels, model, optim)

if __name__ == "__main__":
""",
        graded=PARTS,
    ),
    hw1(
        "cuda_at_import",
        "cuda",
        "class MANN(",
        "ones = torch.ones(1).cuda()\n\n\nclass MANN(",
        PARTS,
    ),
    hw1(
        "cuda_in_the_constructor",
        "cuda",
        "        initialize_weights(self.layer1)\n",
        "        self.cuda()\n        initialize_weights(self.layer1)\n",
        graded=PARTS,
    ),
    hw1(
        "cuda_in_forward",
        "cuda",
        "torch.zeros_like(query_labels)]",
        "torch.zeros_like(query_labels).cuda()]",
        graded=PARTS,
    ),
    hw1(
        "to_cuda",
        "cuda",
        "torch.zeros_like(query_labels)]",
        'torch.zeros_like(query_labels).to("cuda:0")]',
        graded=PARTS,
    ),
    hw1(
        "device_cuda",
        "cuda",
        "torch.zeros_like(query_labels)]",
        "torch.zeros_like(query_labels, device='cuda')]",
        graded=PARTS,
    ),
    hw1(
        "model_of_two_arguments",
        "MANN(num_classes, samples_per_class, hidden_dim)",
        "def __init__(self, num_classes, samples_per_class, hidden_dim):",
        "def __init__(self, num_classes, samples_per_class):\n        hidden_dim = 128",
    ),
    hw1(
        "plots_at_import",
        "seaborn",  # not installed, unlike matplotlib, which may be
        "class MANN(",
        "import matplotlib.pyplot as plt\nimport seaborn as sns\n\n"
        "sns.lineplot([1, 2])\nplt.plot([1, 2])\nplt.show()\n\n\nclass MANN(",
        graded=PARTS,
    ),
    hw1(
        "input_at_import", "hw1.py", "class MANN(", 'N = int(input("N: "))\n\n\nclass MANN(', PARTS
    ),
    Case(
        "exception_at_import_and_types_that_come_later",
        loss="""
            preds, labels = preds[:, -1].flatten(0, 1), labels[:, -1].flatten(0, 1)
            return same(F.cross_entropy(preds, labels))
        """,
        edits=(
            (
                "hw1.py",
                IMPORTS_2,
                f"from __future__ import annotations\n\n{IMPORTS_2}\n\n"
                "def same(task: Task) -> Task:\n    return task\n\n\nclass Task: ...\n\n\n1 / 0\n",
            ),
        ),
        graded=PARTS,
        says="hw1.py",
    ),
    hw1("class_of_nothing", "torch.nn.Module", "class MANN(nn.Module):", "class MANN:"),
    hw1(
        "long_condition",
        "",
        "class MANN(",
        f"def log():\n    pass\n\n\nif {' + '.join('1' * 500)}:\n    log()\n\n\nclass MANN(",
        graded=PARTS,
    ),
    hw1("exception_at_import", "hw1.py", MAIN_GUARD, f"1 / 0\n\n{MAIN_GUARD}", PARTS),
]

UNFILLED = [
    Case(
        "starter_as_it_was",
        sample=STUBS.sample,
        forward=STUBS.forward,
        loss=STUBS.loss,
        graded=NOTHING,
        says="Problem 1",
    ),
    Case(
        "only_the_sampler_filled_in",
        forward=stub("2a"),
        loss=stub("2b"),
        graded=SAMPLER,
        says="Problem 2a",
    ),
    Case(
        "only_forward_filled_in",
        sample=stub("1"),
        loss=stub("2b"),
        graded=frozenset({"forward"}),
        says="Problem 1",
    ),
    Case(
        "only_the_loss_filled_in",
        sample=stub("1"),
        forward=stub("2a"),
        graded=frozenset({"loss"}),
        says="Problem 1",
    ),
    Case("stubs_of_2022", sample="pass", forward="pass", loss="pass", graded=NOTHING, says="None"),
    Case(
        "forward_returns_both_of_an_lstm",
        forward="""
            labels = torch.cat([input_labels[:, :-1], torch.zeros_like(input_labels[:, -1:])], 1)
            steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
            return self.layer2(self.layer1(steps)[0])
        """,
        graded=PARTS - {"forward"},
        says="a tuple of 2",
    ),
    Case(
        "loss_returns_accuracy_too",
        loss="""
            wrong = F.cross_entropy(preds[:, -1].flatten(0, 1), labels[:, -1].flatten(0, 1))
            return wrong, (preds.argmax(-1) == labels.argmax(-1)).float().mean()
        """,
        graded=PARTS - {"loss"},
        says="a tuple of 2",
    ),
    Case("forward_returns_nothing", forward="pass", graded=PARTS - {"forward"}, says="None"),
]

UNUSABLE = FILES + CODE + UNFILLED
