"""Stand-ins for missing libraries, in a Python of their own as in the grader's child."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
from autograder.beside import stand_in
stand_in.install(sys.argv[2])
import homework
print(sorted(stand_in.used))
"""


@pytest.fixture
def imported(tmp_path):
    """A function: the lines that a program prints which imports this text as a submission."""

    def run(text: str, **beside: str) -> list[str]:
        home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
        home.mkdir()
        elsewhere.mkdir()
        for name, content in beside.items():
            (elsewhere / f"{name}.py").write_text(content)
        (home / "homework.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-I", "-c", PROGRAM, elsewhere, home, ROOT],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


ODD = {
    "import": "import nowhere\nnowhere.call(1, two=2).more[3]",
    "import of a module in it": "import nowhere.deep.deeper\nnowhere.deep.deeper.call()",
    "import as": "import nowhere.deep as nw\nnw.anything.at.all()",
    "from": "from nowhere import call, Thing\ncall(Thing)",
    "from a module in it": "from nowhere.deep import call as c\nc()",
    "decorator": "import nowhere\n@nowhere.jit\ndef f():\n    return 5\nassert f() == 5",
    "decorator with arguments": (
        "from nowhere import jit\n@jit(fast=True)\ndef f():\n    return 5\nassert f() == 5"
    ),
    "context manager": "import nowhere\nwith nowhere.session(gpu=1) as s:\n    s.go()",
    "errors leave a context": (
        "import nowhere\ntry:\n    with nowhere.session():\n        1 / 0\n"
        "except ZeroDivisionError:\n    pass\nelse:\n    raise SystemError"
    ),
    "subclass": (
        "import nowhere\nclass Net(nowhere.nn.Module):\n    def f(self):\n        return 5\n"
        "assert Net().f() == 5"
    ),
    "subclass of it and of a real class": (
        "from nowhere import A\nclass Net(A, dict):\n    pass\nassert Net(a=1) == {'a': 1}"
    ),
    "subclass of two": (
        "from nowhere import A, B\nclass Net(A, B, dict):\n    pass\nassert Net(a=1) == {'a': 1}"
    ),
    "loop": "import nowhere\nfor batch in nowhere.batches():\n    raise SystemError",
    "annotation": (
        "from nowhere import Float, Int\ndef f(x: Float['b n'], y: Float | None, z: None | Int):\n"
        "    return x\nassert f(5, 6, 7) == 5"
    ),
    "inside a function": "def f():\n    import nowhere\n    return nowhere.x\nf()",
    "tried, but needed": (
        "try:\n    import nowhere\nexcept ImportError:\n    pass\nassert nowhere.call(5) != 5"
    ),
    "tried, and given up": (
        "try:\n    import nowhere\nexcept ImportError:\n    raise SystemExit('pip install nowhere')"
    ),
    "tried, and ended": (
        "import sys\ntry:\n    import nowhere\nexcept ImportError:\n    sys.exit('pip install it')"
    ),
}

WITHOUT = {
    "another value": (
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = 5\nprint(nowhere)"
    ),
    "another library": (
        "try:\n    import nowhere as math\nexcept ModuleNotFoundError:\n    import math\n"
        "print(int(math.sqrt(25)))"
    ),
    "another function": (
        "try:\n    from nowhere import f\nexcept Exception:\n    def f(x):\n        return x\n"
        "print(f(5))"
    ),
    "nothing else needs it": (
        "x = 5\ntry:\n    from nowhere import drive\n    drive.mount()\n    x = 6\n"
        "except ImportError:\n    pass\nprint(x)"
    ),
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_missing_library_does_nothing(text, imported):
    assert imported(text) == ["['nowhere']"]


@pytest.mark.parametrize("text", WITHOUT.values(), ids=WITHOUT)
def test_what_stands_in_the_file_itself_comes_first(text, imported):
    assert imported(text) == ["5", "[]"]


def test_real_libraries_are_real(imported):
    text = "import json, os.path\nfrom math import sqrt\nassert json.dumps(sqrt(4)) == '2.0'"
    assert imported(text) == ["[]"]


def test_a_name_that_a_real_library_lacks_is_an_error(imported):
    text = "try:\n    from math import nonsense\nexcept ImportError:\n    print('as always')"
    assert imported(text) == ["as always", "[]"]


def test_code_elsewhere_still_gets_an_import_error(imported):
    library = (
        "try:\n    import nowhere\nexcept ImportError:\n    print('not there')\n"
        "def ask():\n    try:\n        import nowhere.deep\n    except ImportError:\n"
        "        print('not there either')\n"
    )
    said = imported("import library\nlibrary.ask()", library=library)
    assert said == ["not there", "not there either", "[]"]


@pytest.mark.parametrize(
    "line",
    [
        "from torch.utils.tensorboard import SummaryWriter",
        "from tensorboardX import SummaryWriter",
        "import torch.utils.tensorboard as tb\nSummaryWriter = tb.SummaryWriter",
    ],
)
def test_tensorboard_is_not_imported_and_is_no_missing_library(line, imported):
    said = imported(
        f"{line}\nimport sys\nSummaryWriter('runs').add_scalar('loss', 1.0, 1)\n"
        "print([name for name in sys.modules if name.startswith('tensorboard.')])"
    )
    assert said == ["[]", "[]"]


def test_dunder_names_are_not_made_up(imported):
    text = "import nowhere\nprint(hasattr(nowhere.x, '__array__'), hasattr(nowhere, '__wrapped__'))"
    assert imported(text) == ["False False", "['nowhere']"]
