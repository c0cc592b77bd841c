"""The program beside the student's code: it does what the judge asks and sends numbers back.

It runs in the sandbox, in a folder with the submission and `omniglot_resized`, and beside it lie
`wire.py`, `stand_in.py` and `import_effects.py`. It decides nothing: a submission may do to it what
it likes, and the judge checks whatever comes up.
"""

import ast
import importlib.util
import inspect
import os
import random
import re
import sys
import textwrap
import time
import traceback
from contextlib import suppress
from itertools import islice
from pathlib import Path

HERE = Path(__file__).parent
HOME = Path.cwd()  # where the submission is; it may go elsewhere
INSIDE = f"{HOME}{os.sep}"
DATA = {"data_folder": "./omniglot_resized", "img_size": (28, 28)}
PROGRESS = 1.0  # seconds between two reports of a training
GENERATOR = "DataGenerator(num_classes, num_samples_per_class, batch_type, config)"
ON_GPU = re.compile(r"device\s*=\s*([\"'])cuda(:\d)?\1(?! if )")
MAKERS = "as_tensor tensor arange linspace eye randint randperm full full_like empty empty_like"
MAKERS += " ones ones_like rand rand_like randn randn_like zeros zeros_like"
MODEL = "MANN(num_classes, samples_per_class, hidden_dim)"

# Answers leave by a descriptor of their own, so that what a submission prints is not in them.
requests = os.fdopen(os.dup(0), "rb")
answers = os.fdopen(os.dup(1), "wb")
nothing = os.open(os.devnull, os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(nothing, descriptor)

sys.path.insert(0, str(HERE))  # python -P leaves it out
import imageio  # noqa: E402
import imageio.v2  # noqa: E402
import imageio.v3  # noqa: E402
import numpy as np  # noqa: E402
import stand_in  # noqa: E402
import torch  # noqa: E402
import wire  # noqa: E402
from import_effects import fills_something, runs_something  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402


class Refused(Exception):
    """What a submission returned cannot be sent; the message describes it."""


class NotFilledIn(NotImplementedError):
    """A function returned None, as there is nothing in it."""


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


def seed_everything(seed):
    """Seed every generator a homework may use."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Homework:
    """The submission's two modules, and what was made of them."""

    def __init__(self):
        self.notes = []
        self.generators = {}
        self.modules = {}

    def load(self, header, arrays):
        """Import both files; `only_definitions` leaves out what runs something."""
        sys.path.insert(0, str(HOME))
        stand_in.install(str(HOME))
        read_bytes()
        stay_on_cpu(self.notes)
        compile_nothing()
        keep_threads()
        for name in ("load_data", "hw1"):
            sys.modules[name] = stand_in.module(name)
            path = HOME / f"{name}.py"
            with suppress(OSError, SyntaxError):  # the judge has said so already
                self.modules[name] = self.load_file(name, path, header["only_definitions"])
            os.chdir(HOME)
        problems = [
            f"{name}.py defines no class {thing}."
            for name, thing in (("load_data", "DataGenerator"), ("hw1", "MANN"))
            if name in self.modules and not makes_objects(getattr(self.modules[name], thing, None))
        ]
        return {"missing": sorted(stand_in.used), "problems": problems}, {}

    def load_file(self, name, path, only_definitions):
        """Run a file as a module; where that fails, run its statements one by one."""
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, str(path))
        left_out = [
            statement
            for statement in tree.body
            if runs_something(statement, tree)
            and (only_definitions or not fills_something(statement, tree))
        ]
        tree.body = [statement for statement in tree.body if statement not in left_out]
        for statement in left_out:
            first = text.split("\n")[statement.lineno - 1].strip()
            self.notes.append(
                f"{path.name} line {statement.lineno} runs something when it is imported "
                f'({first:.60}), which was left out: put it under if __name__ == "__main__".'
            )
        if not only_definitions:
            try:
                return run_statements(name, path, [tree])
            except BaseException as error:  # SystemExit too
                self.notes.append(
                    f"{path.name} line {where(error)[1]} stopped with {summary(error)} when it was "
                    "imported: that part was left out."
                )
        future = [x for x in tree.body if getattr(x, "module", "") == "__future__"]
        definitions = [
            ast.Module([*future, statement], [])  # compiled apart, each under the same rules
            for statement in tree.body
            if not isinstance(statement, ast.Expr | ast.For | ast.While)
            or fills_something(statement, tree)
        ]
        return run_statements(name, path, definitions, forgive=True)

    def generator(self, shot, way, split):
        """The submission's DataGenerator for K, N and a split, made once."""
        key = (shot, way, split)
        if key not in self.generators:
            make = self.modules["load_data"].DataGenerator
            self.generators[key] = made(make, GENERATOR, way, shot + 1, split, dict(DATA))
        return self.generators[key]

    def sample(self, header, arrays):
        """Draw tasks: images [T, K+1, N, 784] and labels [T, K+1, N, N]."""
        generator = self.generator(header["shot"], header["way"], header["split"])
        seed_everything(header["seed"])
        drawn = [self.one_task(generator) for _ in range(header["count"])]
        return {}, self.stack(drawn)

    def one_task(self, generator):
        task = expect_value(generator._sample(), generator._sample)
        if not isinstance(task, tuple | list) or len(task) != 2:
            raise Refused(f"{describe(task)}, where images and labels are expected")
        return [to_array(part) for part in task]

    def stack(self, drawn):
        for part in range(2):
            kinds = sorted({(task[part].shape, task[part].dtype.name) for task in drawn}, key=str)
            if len(kinds) > 1:
                raise Refused(f"tasks of different shapes or types, for example {kinds[:2]}")
        images, labels = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return {"images": images, "labels": labels}

    def batch(self, header, arrays):
        """Batches from a DataLoader: images [B, K+1, N, 784] and labels [B, K+1, N, N]."""
        # A new one, as in hw1.py: threads that an old one has started do not reach the workers.
        self.generators.clear()
        generator = self.generator(header["shot"], header["way"], "train")
        seed_everything(header["seed"])
        loader = DataLoader(
            generator, batch_size=header["batch_size"], num_workers=header["workers"]
        )
        (batch,) = islice(loader, 1)
        return {}, self.stack([[to_array(part) for part in batch]])

    def model(self, header, arrays):
        """A MANN with the weights that were sent, if it has the handout's layers."""
        way, shot, hidden = header["way"], header["shot"], header["hidden"]
        seed_everything(header["seed"])
        model = made(self.modules["hw1"].MANN, MODEL, way, shot + 1, hidden)
        if not isinstance(model, nn.Module):
            raise TypeError("MANN should be a torch.nn.Module; it is none")
        layers = find_layers(model, way, hidden)
        weights = {name: value for name, value in arrays.items() if name.startswith("layer")}
        if layers and weights:
            with torch.no_grad():
                for name, parameter in named_weights(layers):
                    parameter.copy_(to_tensor(weights[name]))
        return model.train(header.get("training", True)), layers

    def forward(self, header, arrays):
        """Predictions for each batch in turn by one model, the inputs after it, and gradients.

        Gradients are those of sum(predictions · direction) of the last batch.
        """
        model, layers = self.model(header, arrays)
        out = {}
        for call in range(header["calls"]):
            images, labels = (to_tensor(arrays[f"{part}{call}"]) for part in ("images", "labels"))
            predictions = expect_value(model(images, labels), model.forward)
            out |= {f"predictions{call}": to_array(predictions)}
            out |= {f"images{call}": to_array(images), f"labels{call}": to_array(labels)}
        if "direction" in arrays and getattr(predictions, "requires_grad", False):
            (predictions * to_tensor(arrays["direction"])).sum().backward()
            given = named_weights(layers) if layers else model.named_parameters()
            out |= {
                f"gradient.{name}": to_array(weight.grad)
                for name, weight in given
                if weight.grad is not None
            }
        return {"layers": bool(layers), "found": repr_layers(model)}, out

    def loss(self, header, arrays):
        """The loss of each pair of predictions and labels, its gradient, and both after it."""
        model, _ = self.model(header | {"hidden": 8}, {})
        out = {}
        for call in range(header["calls"]):
            predictions = to_tensor(arrays[f"predictions{call}"]).requires_grad_()
            # What a network returns is the result of a calculation, not a leaf.
            given, labels = predictions * 1, to_tensor(arrays[f"labels{call}"])
            loss = expect_value(loss_of(model, given, labels), model.loss_function)
            out |= {f"predictions{call}": to_array(given), f"labels{call}": to_array(labels)}
            out[f"loss{call}"] = to_array(loss)
            if getattr(loss, "requires_grad", False) and loss.numel() == 1:
                loss.sum().backward()
                if predictions.grad is not None:
                    out[f"gradient{call}"] = to_array(predictions.grad)
        return {}, out

    def train(self, header, arrays):
        """Train on the submission's own tasks: the loss of every step, and weights on the way.

        The optimizer, the softened and turned images are the starter's. The learning rate rises
        in the first `rise` steps and falls to zero at the last.
        """
        given = run_starter(header["given"])
        generator = self.generator(header["shot"], header["way"], "train")
        model, layers = self.model(header, arrays)
        weights = dict(named_weights(layers) if layers else model.named_parameters())
        rate, steps, rise = header["learning_rate"], header["steps"], header["rise"]
        update = adamw(list(model.parameters()), given.WEIGHT_DECAY)
        paper, ink, scale = header["paper"], header["ink"], header["scale"]
        seed_everything(header["seed"])
        batches = DataLoader(generator, header["batch"])
        losses, out, reported = [], {}, time.monotonic()
        for step, batch in enumerate(islice(batches, steps), start=1):
            images, labels = (given.to_device(part, "cpu") for part in batch)
            images = given.soften(given.turn((images - paper) / (ink - paper), labels)) * scale
            loss = model.loss_function(model(images, labels), labels)
            loss.backward()
            update(rate * min(step / rise, (steps - step + 1) / (steps - rise + 1)))
            losses.append(loss.item())
            if step in header["keep"]:
                out |= {f"{step}.{name}": to_array(value) for name, value in weights.items()}
            if time.monotonic() - reported > PROGRESS:
                reported = time.monotonic()
                wire.write_frame(answers, {"step": step, "steps": steps}, {})
        return {}, out | {"losses": np.array(losses)}


def loss_of(model, predictions, labels):
    """What `loss_function` returns, which may need what `forward` leaves in the model."""
    try:
        return model.loss_function(predictions, labels)
    except Exception:
        with suppress(Exception):
            model(torch.zeros(*labels.shape[:3], 784), labels.clone())
            return model.loss_function(predictions, labels)
        raise


def adamw(parameters, decay):
    """A function of the learning rate that makes one step of AdamW (Loshchilov and Hutter 2019).

    torch.optim has it, and brings 60 MB of compiler along.
    """
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    steps = 0

    @torch.no_grad()
    def update(rate):
        nonlocal steps
        steps += 1
        for p, m, v in zip(parameters, first, second, strict=True):
            if p.grad is not None:
                m.lerp_(p.grad, 0.1)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                size = (v / (1 - 0.999**steps)).sqrt_().add_(1e-8)
                p.mul_(1 - rate * decay).addcdiv_(m, size, value=-rate / (1 - 0.9**steps))
                p.grad = None

    return update


def read_bytes():
    """Let imageio give 1-bit images as bytes, 0 and 255, as it did when the starter was written.

    Today it gives booleans, and the starter's division by 255 would leave hardly any contrast.
    """

    def as_bytes(read):
        def imread(*args, **kwargs):
            image = read(*args, **kwargs)
            return image.astype(np.uint8) * 255 if image.dtype == bool else image

        return imread

    for library in (imageio, imageio.v2, imageio.v3):
        library.imread = as_bytes(library.imread)


def stay_on_cpu(notes):
    """Let everything stay where it is that a submission sends to a GPU, if there is none.

    A note says so once for each way to send it.
    """

    def say(call):
        note = f"There is no GPU here: {call} does nothing. Write .to(device) to run anywhere."
        if note not in notes:
            notes.append(note)

    def cuda(self, *args, **kwargs):
        say(".cuda()")
        return self

    def stay(value):
        kind = str(value) if isinstance(value, str | torch.device) else ""
        if not kind.startswith("cuda"):
            return value
        say('moving to "cuda"')
        return "cpu"

    def staying(call):
        def wrapped(*args, **kwargs):
            kwargs = {name: stay(value) for name, value in kwargs.items()}
            return call(*map(stay, args), **kwargs)

        return wrapped

    if not torch.cuda.is_available():
        for kind in (torch.Tensor, nn.Module):
            kind.cuda, kind.to = cuda, staying(kind.to)
        # Not for everybody: TorchScript takes no functions in the place of these.
        if any(ON_GPU.search(file.read_text(encoding="utf-8")) for file in HOME.glob("*.py")):
            for name in MAKERS.split():
                setattr(torch, name, staying(getattr(torch, name)))


def compile_nothing():
    """Let `torch.compile` leave everything as it is.

    It changes no value, and takes a minute, a compiler and more memory than there is.
    """

    def leave(model=None, **options):
        return leave if model is None else model

    torch.compile = leave
    nn.Module.compile = lambda self, *args, **kwargs: None


def keep_threads():
    """Let no submission say how many threads compute: two on a busy core are ten times slower."""
    torch.set_num_threads = torch.set_num_interop_threads = lambda count: None


def made(make, call, *arguments):
    """What a class of the submission makes; if it takes other arguments, say which it is given."""
    try:
        return make(*arguments)
    except TypeError as error:
        if where(error)[1]:  # inside it
            raise
        raise TypeError(f"{error}; as in the starter, it is called as {call}") from error


def makes_objects(value):
    """Whether a value is a class, or stands for one as `functools.partial` does."""
    return callable(value) and not isinstance(value, stand_in.Anything)


def run_statements(name, path, trees, forgive=False):
    """Run parsed code as module `name`; `forgive` goes on after a part that fails."""
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    for tree in trees:
        try:
            exec(compile(tree, str(path.absolute()), "exec"), module.__dict__)
        except BaseException:
            if not forgive:
                raise
    return module


def run_starter(texts):
    """The given code of the starter's hw1.py, whatever the submission made of its own."""
    names = ("load_data", "hw1")
    theirs = {name: sys.modules[name] for name in names}
    given = {}
    for name in names:
        path = HERE / "starter" / f"{name}.py"  # not in the submission's folder
        given[name] = run_statements(name, path, [ast.parse(texts[path.name])])
    sys.modules.update(theirs)
    return given["hw1"]


def find_layers(model, way, hidden):
    """The handout's two LSTMs, by their sizes, whatever they are called; None if there are none."""
    wanted = [(784 + way, hidden), (hidden, way)]
    lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    layers = [
        module
        for size in wanted
        for module in lstms
        if (module.input_size, module.hidden_size) == size
        and (module.num_layers, module.bidirectional, module.bias) == (1, False, True)
        and module.proj_size == 0
        and len([*module.parameters()]) == 4  # one of a subclass may have more
    ]
    return layers if len(layers) == len(lstms) == 2 else None


def named_weights(layers):
    """(name, parameter) of both layers: "layer1.weight_ih_l0" and so on."""
    for number, layer in enumerate(layers, start=1):
        for name, parameter in layer.named_parameters():
            yield f"layer{number}.{name}", parameter


def repr_layers(model):
    """The model's layers in one line."""
    return ", ".join(repr(child) for child in model.children())[:300]


def where(error):
    """(file, line) of the deepest line of the submission in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if frame.filename.startswith(INSIDE):
            return frame.filename.removeprefix(INSIDE), frame.lineno
    return "", 0


def summary(error):
    """Type and message of an exception in one line."""
    text = f"{type(error).__name__}: {error}"
    if "DataLoader worker" in text:  # the real error is the last line of the worker's traceback
        text = text.strip().splitlines()[-1]
    return shorten(" ".join(text.split()).rstrip(": "))


def raised_by_submission(error):
    """Whether a line of the submission raised it, and no library."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].filename.startswith(INSIDE)


def main():
    """Answer requests until there are no more."""
    homework = Homework()
    while True:
        header, arrays = wire.read_frame(read_exactly)
        try:
            with_arrays = getattr(homework, header["do"])(header, arrays)
        except Refused as refused:
            with_arrays = {"refused": shorten(str(refused))}, {}
        except BaseException as error:  # a submission may raise anything, SystemExit too
            file, line = where(error)
            stub = isinstance(error, NotFilledIn) or (
                isinstance(error, NotImplementedError) and raised_by_submission(error)
            )
            failed = {"error": summary(error), "file": file, "line": line, "stub": stub}
            with_arrays = failed, {}
        try:
            answer, values = with_arrays
            wire.write_frame(answers, {"notes": homework.notes} | answer, values)
        except wire.FrameError as error:
            wire.write_frame(answers, {"refused": str(error)}, {})


def read_exactly(count):
    """`count` bytes of a request; the judge has gone when there are no more."""
    data = requests.read(count)
    if len(data) < count:
        sys.exit()
    return data


if __name__ == "__main__":
    main()
