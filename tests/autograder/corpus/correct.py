"""Submissions that the handout allows. Every check must accept each of them."""

from .case import FILES, FOLDERS, IMPORTS_1, IMPORTS_2, QUERY, RETURN_TASK, Case
from .starter_2022 import HW1, LOAD_DATA

CLASS_1 = "class DataGenerator(IterableDataset):"
TABLE = "ONE_HOT = {}\nfor n in range(1, 40):\n    ONE_HOT[n] = np.eye(n, dtype=np.float32)\n\n\n"
CONSTRUCTOR_1 = "        self.num_classes = num_classes\n        self.num_samples_per_class"
CONSTRUCTOR_2 = "        super().__init__()\n"


def sampler(name: str, *edits: tuple[str, str], body: str = "") -> Case:
    return Case(name, sample=body, edits=tuple(("load_data.py", *edit) for edit in edits))


def model(name: str, *edits: tuple[str, str], forward: str = "", loss: str = "") -> Case:
    edits = tuple(("hw1.py", *edit) for edit in edits)
    return Case(name, forward=forward, loss=loss, edits=edits)


SAMPLERS = [
    sampler(
        "tensors_returned",
        (RETURN_TASK, "return torch.from_numpy(images), torch.from_numpy(labels)\n"),
    ),
    sampler(
        "doubles_returned",
        (RETURN_TASK, "return images.astype(np.float64), labels.astype(np.float64)\n"),
    ),
    sampler(
        "folders_of_numpy",
        (FOLDERS, "np.random.choice(self.folders, N, replace=False)"),
    ),
    sampler(
        "images_in_shared_memory",
        (
            "        self.num_classes = num_classes\n",
            "        self.num_classes = num_classes\n"
            "        self.table = torch.zeros(1100, 20, 784).share_memory_()\n",
        ),
    ),
    sampler("integer_labels", (RETURN_TASK, "return images, labels.astype(np.int64)\n")),
    sampler("pixels_to_255", (RETURN_TASK, "return images * 255, labels\n")),
    Case(
        "pixels_to_255_divided_in_forward",
        edits=(
            ("load_data.py", RETURN_TASK, "return images * 255, labels\n"),
            (
                "hw1.py",
                "torch.cat([input_images, labels]",
                "torch.cat([input_images / 255, labels]",
            ),
        ),
    ),
    sampler(
        "pairs_shuffled_and_unzipped",
        body="""
            N, K = self.num_classes, self.num_samples_per_class - 1
            folders = random.sample(self.folders, N)
            one_hot = np.eye(N, dtype=np.float32)
            pairs = get_images(folders, one_hot, nb_samples=K + 1, shuffle=False)
            pairs = [(self.image_file_to_array(file, 784), label) for label, file in pairs]
            rows = [pairs[k :: K + 1] for k in range(K + 1)]
            random.shuffle(rows[-1])
            images, labels = zip(*(zip(*row) for row in rows))
            return np.array(images), np.array(labels)
        """,
    ),
    sampler(
        "numpy_global_random",
        (FOLDERS, "np.random.choice(self.folders, N, replace=False).tolist()"),
        (FILES, "[np.random.choice(list_images(f), K + 1, replace=False) for f in folders]"),
        (QUERY, "list(np.random.permutation(N))"),
    ),
    sampler(
        "numpy_generator_of_its_own",
        (CONSTRUCTOR_1, f"        self.rng = np.random.default_rng(7)\n{CONSTRUCTOR_1}"),
        (FOLDERS, "self.rng.choice(self.folders, N, replace=False).tolist()"),
        (FILES, "[self.rng.permutation(list_images(f))[: K + 1] for f in folders]"),
        (QUERY, "self.rng.permutation(N).tolist()"),
    ),
    sampler(
        "python_generator_of_its_own",
        (CONSTRUCTOR_1, f"        self.rng = random.Random(7)\n{CONSTRUCTOR_1}"),
        (FOLDERS, "self.rng.sample(self.folders, N)"),
        (FILES, "[self.rng.sample(list_images(folder), K + 1) for folder in folders]"),
        (QUERY, "self.rng.sample(range(N), N)"),
    ),
    sampler(
        "torch_random",
        (FOLDERS, "[self.folders[i] for i in torch.randperm(len(self.folders))[:N]]"),
        (
            FILES,
            "[[files[i] for i in torch.randperm(len(files))[: K + 1]]\n"
            "                 for files in map(list_images, folders)]",
        ),
        (QUERY, "torch.randperm(N).tolist()"),
    ),
    sampler(
        "shuffled_by_scikit_learn",
        (IMPORTS_1, f"{IMPORTS_1}from sklearn.utils import shuffle\n"),
        (QUERY, "shuffle([*range(N)])"),
    ),
    sampler("argsort_of_random_keys", (QUERY, "[*np.argsort(np.random.rand(N))]")),
    sampler(
        "permutation_matrix",
        (QUERY, "[*range(N)]"),
        (
            RETURN_TASK,
            "mix = np.eye(N, dtype=np.float32)[np.random.permutation(N)]\n"
            "        images[-1], labels[-1] = mix @ images[-1], mix @ labels[-1]\n"
            f"        {RETURN_TASK}",
        ),
    ),
    sampler(
        "prints_while_sampling", (RETURN_TASK, f"print(images, labels)\n        {RETURN_TASK}")
    ),
    sampler(
        "sampler_has_more_arguments",
        (
            "        cache=True,\n",
            "        cache=True,\n        seed=None,\n        *,\n        log=print,\n",
        ),
    ),
    sampler(
        "slow_constructor",
        (IMPORTS_1, f"{IMPORTS_1}import time\n"),
        (CONSTRUCTOR_1, f"        time.sleep(3)\n{CONSTRUCTOR_1}"),
    ),
    sampler(
        "recursion_match_and_booleans",
        (IMPORTS_1, f"{IMPORTS_1}import torch.nn.functional as F\n"),
        body="""
            match self.num_classes, self.num_samples_per_class:
                case int(N), int(rows):
                    random_one = np.random.default_rng()

            def pick(folders, n):
                return [] if n == 0 else [folders[0], *pick(folders[1:], n - 1)]

            grid = []
            folders = pick(random_one.permutation(self.folders).tolist(), N)
            for folder, label in zip(folders, F.one_hot(torch.arange(N), N).to(torch.uint8)):
                files = random_one.choice(list_images(folder), rows, replace=False)
                grid.append([{"file": str(file), "label": label} for file in files])
            grid = [list(row) for row in zip(*grid)]
            random_one.shuffle(grid[-1])
            read = lambda cell: torch.tensor(self.image_file_to_array(cell["file"], 784))
            images = torch.stack([torch.stack([*map(read, row)]) for row in grid]).bool()
            return images, torch.stack([torch.stack([c["label"] for c in row]) for row in grid])
        """,
    ),
    sampler(
        "unsigned_numbers",
        (RETURN_TASK, "return (images * 255).astype(np.uint16), labels.astype(np.uint32)\n"),
    ),
    sampler(
        "spawned_workers",
        (
            IMPORTS_1,
            f'import multiprocessing\n\nmultiprocessing.set_start_method("spawn", force=True)\n'
            f"{IMPORTS_1}",
        ),
    ),
    sampler(
        "table_filled_at_import",
        (
            "class DataGenerator(IterableDataset):",
            "ONE_HOT = {}\n\n\ndef fill(n):\n    ONE_HOT[n] = np.eye(n, dtype=np.float32)\n\n\n"
            "for n in range(1, 30):\n    fill(n)\n\n\nclass DataGenerator(IterableDataset):",
        ),
        ("np.eye(N, dtype=np.float32)[np.array(rows)]", "ONE_HOT[N][np.array(rows)]"),
    ),
    sampler(
        "helpers_renamed",
        ("def get_images(", "def pairs_of("),
        (
            "def image_file_to_array(self, filename, dim_input)",
            "def read(self, filename, dim_input=784)",
        ),
        ("self.image_file_to_array(files[n][k], self.dim_input)", "self.read(files[n][k])"),
    ),
]

FORWARDS = [
    model("model_has_more_arguments", ("hidden_dim):\n", "hidden_dim, dropout=0.0, **more):\n")),
    model(
        "layer_never_used",
        ("self.layer1 = nn", "self.spare = nn.Linear(3, 3)\n        self.layer1 = nn"),
    ),
    model(
        "layers_renamed",
        ("self.layer1 = nn", "self.lstm1 = nn"),
        ("self.layer2 = nn", "self.lstm2 = nn"),
        ("initialize_weights(self.layer1)", "initialize_weights(self.lstm1)"),
        ("initialize_weights(self.layer2)", "initialize_weights(self.lstm2)"),
        ("self.layer1(steps)", "self.lstm1(steps)"),
        ("self.layer2(memory)", "self.lstm2(memory)"),
    ),
    model(
        "labels_checked_to_be_one_hot",
        (
            "        labels = ",
            "        assert (input_labels.sum(-1) == 1).all()\n        labels = ",
        ),
    ),
    model(
        "shape_left_for_the_loss",
        (
            "        support_labels, query",
            "        self.shape = input_labels.shape\n        support_labels, query",
        ),
        loss="""
            B, K1, N, _ = self.shape
            targets = labels[:, -1].argmax(-1).view(B * N)
            return F.cross_entropy(preds[:, -1].reshape(B * N, N), targets)
        """,
    ),
    model(
        "scripted_and_a_device_chosen",
        (
            "class MANN(nn.Module):",
            'device = "cuda" if torch.cuda.is_available() else "cpu"\n\n\n'
            "@torch.jit.script\n"
            "def blank(labels: torch.Tensor) -> torch.Tensor:\n"
            "    return torch.cat([labels[:, :-1], torch.zeros_like(labels[:, -1:])], dim=1)\n\n\n"
            "class MANN(nn.Module):",
        ),
        ("torch.cat([input_images, labels]", "torch.cat([input_images, blank(input_labels)]"),
    ),
    model("threads_chosen", ("class MANN(", "torch.set_num_threads(4)\n\n\nclass MANN(")),
    model("label_first", ("torch.cat([input_images, labels]", "torch.cat([labels, input_images]")),
    model(
        "zeroed_in_a_clone",
        forward="""
            labels = input_labels.clone()
            labels[:, -1] = 0
            steps = torch.cat([input_images, labels], dim=3)
            return self.layer2(self.layer1(steps.flatten(1, 2))[0])[0].reshape(labels.shape)
        """,
    ),
    model(
        "zeroed_in_place_and_restored",
        forward="""
            answers = input_labels[:, -1].clone()
            input_labels[:, -1] = 0
            steps = torch.cat((input_images, input_labels), -1)
            input_labels[:, -1] = answers
            B, K1, N, D = steps.shape
            out, _ = self.layer1(steps.reshape(B, K1 * N, D))
            out, _ = self.layer2(out)
            return out.reshape(B, K1, N, N)
        """,
    ),
    model(
        "zeroed_by_a_mask",
        forward="""
            mask = torch.ones(input_labels.shape[1], 1, 1, device=input_labels.device)
            mask[-1] = 0.0
            steps = torch.cat([input_images, input_labels * mask], dim=-1)
            memory, _ = self.layer1(steps.flatten(1, 2))
            return self.layer2(memory)[0].unflatten(1, input_labels.shape[1:3])
        """,
    ),
    model(
        "zeroed_by_slices_and_padding",
        forward="""
            support = torch.cat([input_images[:, :-1], input_labels[:, :-1]], dim=-1)
            query = F.pad(input_images[:, -1:], (0, self.num_classes))
            memory, _ = self.layer1(torch.cat([support, query], dim=1).flatten(1, 2))
            return self.layer2(memory)[0].view(input_labels.shape)
        """,
    ),
    model(
        "shape_from_the_constructor",
        forward="""
            K1, N = self.samples_per_class, self.num_classes
            images = input_images.view(-1, K1 * N, 784)
            labels = input_labels.clone()
            labels[:, K1 - 1, :, :] = torch.zeros(N, N)
            memory, _ = self.layer1(torch.cat([images, labels.view(-1, K1 * N, N)], dim=2))
            return self.layer2(memory)[0].view(-1, K1, N, N)
        """,
    ),
    model(
        "support_class_by_class",
        forward="""
            B, K1, N, _ = input_images.shape
            support = torch.cat([input_images, input_labels], dim=-1)[:, :-1]
            query = torch.cat([input_images, torch.zeros_like(input_labels)], dim=-1)[:, -1]
            steps = torch.cat([support.transpose(1, 2).flatten(1, 2), query], dim=1)
            scores, _ = self.layer2(self.layer1(steps)[0])
            support_scores = scores[:, :-N].reshape(B, N, K1 - 1, N).transpose(1, 2)
            return torch.cat([support_scores, scores[:, None, -N:]], dim=1)
        """,
    ),
    model(
        "step_by_step",
        forward="""
            labels = input_labels.clone()
            labels[:, -1] = 0
            steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
            state1 = state2 = None
            scores = []
            for step in steps.split(1, dim=1):
                memory, state1 = self.layer1(step, state1)
                score, state2 = self.layer2(memory, state2)
                scores.append(score)
            return torch.cat(scores, dim=1).view(input_labels.shape)
        """,
    ),
    model(
        "support_then_query",
        forward="""
            support = torch.cat([input_images[:, :-1], input_labels[:, :-1]], dim=-1).flatten(1, 2)
            blank = torch.zeros_like(input_labels[:, -1])
            query = torch.cat([input_images[:, -1], blank], dim=-1)
            memory, state1 = self.layer1(support)
            support_scores, state2 = self.layer2(memory)
            memory, _ = self.layer1(query, state1)
            query_scores, _ = self.layer2(memory, state2)
            return torch.cat([support_scores, query_scores], dim=1).view(input_labels.shape)
        """,
    ),
    model(
        "time_first",
        (
            "nn.LSTM(784 + num_classes, hidden_dim, batch_first=True)",
            "nn.LSTM(784 + num_classes, hidden_dim)",
        ),
        ("nn.LSTM(hidden_dim, num_classes, batch_first=True)", "nn.LSTM(hidden_dim, num_classes)"),
        ("dim=-1).flatten(1, 2)", "dim=-1).flatten(1, 2).transpose(0, 1)"),
        ("scores.view(", "scores.transpose(0, 1).reshape("),
    ),
    model(
        "einsum_and_states_of_its_own",
        forward="""
            B, rows, N, pixels = input_images.size()
            known = torch.arange(rows).lt(rows - 1).view(1, rows, 1, 1).to(input_labels)
            steps = torch.empty(B, rows * N, pixels + N)
            steps[..., :N] = torch.einsum("brnc,xryz->brnc", input_labels, known).flatten(1, 2)
            steps[..., N:] = input_images.reshape(B, -1, pixels)
            start = torch.zeros(1, B, self.layer1.hidden_size)
            memory, _ = self.layer1(steps, (start, start.clone()))
            scores = torch.stack([self.layer2(task[None])[0][0] for task in memory])
            return scores.unflatten(1, (rows, -1))
        """,
    ),
    model(
        "doubles_inside",
        (
            "        initialize_weights(self.layer2)\n",
            "        initialize_weights(self.layer2)\n        self.double()\n",
        ),
        ("dim=-1).flatten(1, 2)", "dim=-1).flatten(1, 2).double()"),
        ("scores.view(input_labels.shape)", "scores.view(input_labels.shape).float()"),
    ),
    model(
        "layers_of_a_class_derived_from_lstm",
        (
            "class MANN(nn.Module):",
            "class BatchLSTM(nn.LSTM):\n    def __init__(self, *sizes):\n"
            "        super().__init__(*sizes, batch_first=True)\n\n\nclass MANN(nn.Module):",
        ),
        (
            "nn.LSTM(784 + num_classes, hidden_dim, batch_first=True)",
            "BatchLSTM(784 + num_classes, hidden_dim)",
        ),
        (
            "nn.LSTM(hidden_dim, num_classes, batch_first=True)",
            "BatchLSTM(hidden_dim, num_classes)",
        ),
    ),
    model(
        "compiled",
        (
            "    def forward(self, input_images",
            "    @torch.compile\n    def forward(self, input_images",
        ),
    ),
    model(
        "device_tried_at_import",
        (
            "class MANN(nn.Module):",
            'def first_device():\n    return torch.device("cpu")\n\n\n'
            "try:\n    DEVICE = first_device()\nexcept RuntimeError:\n    DEVICE = None\n\n\n"
            "class MANN(nn.Module):",
        ),
        ("torch.zeros_like(query_labels)", "torch.zeros_like(query_labels, device=DEVICE)"),
    ),
    model(
        "warnings_are_errors",
        (IMPORTS_2, f'import warnings\n\nwarnings.simplefilter("error")\n{IMPORTS_2}'),
    ),
    model(
        "class_made_by_partial",
        ("class MANN(nn.Module):", "class Network(nn.Module):"),
        (
            "# From here on everything is given.\n",
            "import functools\n\nMANN = functools.partial(Network)\n",
        ),
    ),
    model(
        "prints_in_forward",
        (
            "        memory, _ = self.layer1(steps)",
            "        print(steps.shape)\n        memory, _ = self.layer1(steps)",
        ),
    ),
]

LOSSES = [
    model(
        "loss_of_indices",
        loss="""
            targets = labels[:, -1].argmax(-1)
            return F.cross_entropy(preds[:, -1].reshape(-1, self.num_classes), targets.reshape(-1))
        """,
    ),
    model(
        "loss_of_transposed_logits_and_indices",
        loss="return F.cross_entropy(preds[:, -1].transpose(1, 2), labels[:, -1].argmax(dim=2))",
    ),
    model(
        "loss_of_permuted_logits_and_one_hot",
        loss="""
            criterion = nn.CrossEntropyLoss()
            return criterion(preds[:, -1].permute(0, 2, 1), labels[:, -1].permute(0, 2, 1))
        """,
    ),
    model(
        "loss_by_log_softmax",
        loss="return -(labels[:, -1] * preds[:, -1].log_softmax(dim=-1)).sum(dim=-1).mean()",
    ),
    model(
        "loss_by_logsumexp",
        loss="""
            logits, right = preds[:, -1], labels[:, -1].bool()
            return (logits.logsumexp(-1).flatten() - logits[right]).mean()
        """,
    ),
    model(
        "loss_by_nll",
        loss="""
            logs = F.log_softmax(preds[:, -1:].flatten(0, 2), dim=1)
            return F.nll_loss(logs, labels[:, -1:].flatten(0, 2).max(dim=1).indices)
        """,
    ),
    model(
        "loss_by_divergence_and_a_mask",
        loss="""
            logs = preds.double() - preds.double().logsumexp(3, keepdim=True)
            mask = torch.zeros_like(labels)
            mask[:, -1] = 1 / labels[:, -1].numel() * labels.size(-1)
            return F.kl_div(logs, labels.double(), reduction="none").mul(mask).sum()
        """,
    ),
    model(
        "loss_with_an_ignored_support",
        loss="""
            targets = labels.argmax(-1)
            targets[:, :-1] = -100
            return F.cross_entropy(preds.movedim(-1, 1), targets)
        """,
    ),
    model(
        "loss_summed_and_divided",
        loss="""
            total = 0
            for task, answers in zip(preds[:, -1], labels[:, -1]):
                total = total + F.cross_entropy(task, answers, reduction="sum")
            return total / (preds.shape[0] * preds.shape[2])
        """,
    ),
]

UTILS = '''"""What both files need."""

import random

import torch


def shuffled(items):
    items = list(items)
    random.shuffle(items)
    return items


def blank_last(labels):
    return torch.cat([labels[:, :-1], torch.zeros_like(labels[:, -1:])], dim=1)
'''

HELPERS = """import random


def shuffled(n):
    return random.sample(range(n), n)
"""

MANN_ONLY = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class MANN(nn.Module):
    def __init__(self, num_classes, samples_per_class, hidden_dim):
        super().__init__()
        self.num_classes = num_classes
        self.samples_per_class = samples_per_class
        self.layer1 = nn.LSTM(784 + num_classes, hidden_dim, batch_first=True)
        self.layer2 = nn.LSTM(hidden_dim, num_classes, batch_first=True)

    def forward(self, input_images, input_labels):
        labels = input_labels.clone()
        labels[:, -1] = 0
        steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
        return self.layer2(self.layer1(steps)[0])[0].view(input_labels.shape)

    def loss_function(self, preds, labels):
        return F.cross_entropy(preds[:, -1].flatten(0, 1), labels[:, -1].flatten(0, 1))
"""

WHOLE_FILES = [
    Case(
        "module_of_its_own",
        files={"utils.py": UTILS},
        edits=(
            ("load_data.py", "import torch\n", "import torch\nfrom utils import shuffled\n"),
            ("load_data.py", QUERY, "shuffled(range(N))"),
            (
                "hw1.py",
                "import numpy as np\n",
                "import numpy as np\nfrom utils import blank_last\n",
            ),
            (
                "hw1.py",
                "torch.cat([support_labels, torch.zeros_like(query_labels)], dim=1)",
                "blank_last(input_labels)",
            ),
        ),
    ),
    Case(
        "module_imported_by_its_name",
        files={"helpers.py": HELPERS},
        edits=(
            ("load_data.py", IMPORTS_1, f"{IMPORTS_1}import importlib\n"),
            ("load_data.py", QUERY, 'importlib.import_module("helpers").shuffled(N)'),
        ),
    ),
    Case(
        "module_in_a_folder_on_the_path",
        files={"src/helpers.py": HELPERS},
        edits=(
            (
                "load_data.py",
                "class DataGenerator(IterableDataset):",
                "import sys\n\nsys.path.append(os.path.join(os.path.dirname(__file__), 'src'))\n"
                "from helpers import shuffled\n\n\nclass DataGenerator(IterableDataset):",
            ),
            ("load_data.py", QUERY, "shuffled(N)"),
        ),
    ),
    sampler(
        "cupy_if_there",
        (
            "import torch\n",
            "import torch\n\ntry:\n    import cupy as xp\nexcept ImportError:\n    xp = np\n",
        ),
        ("np.eye(N, dtype=np.float32)[", "xp.eye(N, dtype=np.float32)["),
    ),
    sampler(
        "colab_if_there_and_a_table",
        (
            "import torch\n",
            "import torch\n\ntry:\n    from google.colab import drive\n\n"
            "    drive.mount('/content/drive')\n    os.chdir('/content/drive/MyDrive/hw1')\n"
            "except ImportError:\n    pass\n",
        ),
        (CLASS_1, f"{TABLE}{CLASS_1}"),
        ("np.eye(N, dtype=np.float32)[", "ONE_HOT[N]["),
    ),
    sampler(
        "limit_of_open_files_and_a_table",
        (
            "import torch\n",
            "import resource\nimport torch\n\nlimit = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limit[1]))\n",
        ),
        (CLASS_1, f"{TABLE}{CLASS_1}"),
        ("np.eye(N, dtype=np.float32)[", "ONE_HOT[N]["),
    ),
    sampler(
        "globals_set_by_a_function",
        (
            CLASS_1,
            "def setup():\n    global PIXELS\n    PIXELS = 28 * 28\n\n\nsetup()\n\n\n" + CLASS_1,
        ),
        ("reshape(K + 1, N, self.dim_input)", "reshape(K + 1, N, PIXELS)"),
    ),
    sampler(
        "table_filled_by_calls_in_a_call",
        (
            CLASS_1,
            "ONE_HOT = {}\n\n\ndef one(n):\n    ONE_HOT[n] = np.eye(n, dtype=np.float32)\n\n\n"
            "def fill(upto):\n    for n in range(1, upto):\n        one(n)\n\n\n"
            f"fill(40)\n\n\n{CLASS_1}",
        ),
        ("np.eye(N, dtype=np.float32)[", "ONE_HOT[N]["),
    ),
    sampler(
        "object_filled_by_a_call",
        (
            CLASS_1,
            "class Config:\n    pass\n\n\ndef fill(config):\n    config.pixels = 784\n\n\n"
            f"CONFIG = Config()\nfill(CONFIG)\n\n\n{CLASS_1}",
        ),
        ("reshape(K + 1, N, self.dim_input)", "reshape(K + 1, N, CONFIG.pixels)"),
    ),
    sampler(
        "booleans_compared",
        (
            CLASS_1,
            "def read_ink(filename):\n"
            "    return (iio.imread(filename) != 1).astype(np.float32).reshape(-1)\n\n\n"
            f"{CLASS_1}",
        ),
        ("self.image_file_to_array(files[n][k], self.dim_input)", "read_ink(files[n][k])"),
    ),
    sampler(
        "threads_of_its_own",
        (IMPORTS_1, f"{IMPORTS_1}from concurrent.futures import ThreadPoolExecutor\n"),
        (CONSTRUCTOR_1, f"        self.pool = ThreadPoolExecutor(max_workers=4)\n{CONSTRUCTOR_1}"),
        body="""
            N, K1 = self.num_classes, self.num_samples_per_class
            files = [random.sample(list_images(f), K1) for f in random.sample(self.folders, N)]
            order = random.sample(range(N), N)
            grid = [[column[k] for column in files] for k in range(K1)]
            grid[-1] = [grid[-1][i] for i in order]
            flat = self.pool.map(lambda f: self.image_file_to_array(f, 784), sum(grid, []))
            labels = np.stack([np.eye(N)] * (K1 - 1) + [np.eye(N)[order]]).astype(np.float32)
            return np.stack(list(flat)).reshape(K1, N, 784), labels
        """,
    ),
    sampler(
        "ink_where_booleans_are_false",
        (IMPORTS_1, f"{IMPORTS_1}import imageio.v3 as iio\n"),
        (
            CLASS_1,
            "def ink(path):\n    page = np.zeros((28, 28), np.float32)\n"
            f"    page[~iio.imread(path)] = 255\n    return page.ravel()\n\n\n{CLASS_1}",
        ),
        ("self.image_file_to_array(files[n][k], self.dim_input)", "ink(files[n][k])"),
    ),
    model(
        "train_that_returns_nothing_and_a_list_called_modules",
        (
            CONSTRUCTOR_2,
            f"{CONSTRUCTOR_2}        self.spare = nn.LSTM(hidden_dim, hidden_dim)\n",
        ),
        (
            "    def forward(self,",
            "    def train(self, mode=True):\n        super().train(mode)\n"
            "        self.modules = [self.layer1, self.layer2]\n\n    def forward(self,",
        ),
        forward="""
            hidden = torch.cat([input_labels[:, :-1], 0 * input_labels[:, -1:]], dim=1)
            steps = torch.cat([input_images, hidden], dim=-1).flatten(1, 2)
            for layer in self.modules:
                steps, _ = layer(steps)
            return steps.view(input_labels.shape)
        """,
    ),
    model(
        "support_labels_asserted_and_a_class_filled",
        (
            "class MANN(nn.Module):",
            "class Config:\n    pass\n\n\ndef configure():\n"
            "    parser = argparse.ArgumentParser()\n"
            '    parser.add_argument("--query_row", type=int, default=-1)\n'
            "    Config.args, _ = parser.parse_known_args()\n\n\nconfigure()\n"
            'writer = SummaryWriter("runs/debug")\n'
            'LOG = open(os.path.join(writer.log_dir, "loss.txt"), "a")\n\n\n'
            "class MANN(nn.Module):",
        ),
        loss="""
            row = Config.args.query_row
            order = torch.eye(labels.shape[-1]).expand_as(labels[:, :row])
            assert torch.equal(labels[:, :row], order), "support labels out of order"
            loss = F.cross_entropy(preds[:, row].flatten(0, 1), labels[:, row].flatten(0, 1))
            LOG.write(f"{loss.item()}\\n")
            return loss
        """,
    ),
    model(
        "method_attached_by_a_call",
        (
            "# From here on everything is given.\n",
            "def attach(kind, function):\n    setattr(kind, function.__name__, function)\n\n\n"
            "def forward(self, input_images, input_labels):\n"
            "    hidden = torch.cat([input_labels[:, :-1], 0 * input_labels[:, -1:]], dim=1)\n"
            "    steps = torch.cat([input_images, hidden], dim=-1).flatten(1, 2)\n"
            "    return self.layer2(self.layer1(steps)[0])[0].view(input_labels.shape)\n\n\n"
            "attach(MANN, forward)\n",
        ),
        forward="raise AssertionError",
    ),
    model(
        "library_asked_for_in_many_ways",
        (
            IMPORTS_2,
            f"{IMPORTS_2}import importlib.util\nfrom contextlib import suppress\n\n"
            'FOUND = importlib.util.find_spec("einops") is not None\n'
            "if FOUND:\n    import einops\n"
            "try:\n    import einops\nexcept ImportError:\n    USE = False\n"
            "else:\n    USE = True\n"
            "jax = None\ntry:\n    import jax\nexcept ImportError:\n    pass\n"
            "rearrange = None\nwith suppress(ImportError):\n    from einops import rearrange\n\n\n"
            "def flat(x):\n    try:\n        from einops import rearrange\n"
            "    except ImportError:\n        return x.flatten(1, 2)\n"
            '    return rearrange(x, "b k n c -> b (k n) c")\n\n\n',
        ),
        forward="""
            hidden = torch.cat([input_labels[:, :-1], 0 * input_labels[:, -1:]], dim=1)
            steps = torch.cat([input_images, hidden], dim=-1)
            if FOUND or USE:
                steps = einops.rearrange(steps, "b k n c -> b (k n) c")
            elif jax is not None or rearrange is not None:
                steps = rearrange(steps, "b k n c -> b (k n) c")
            else:
                steps = flat(steps)
            return self.layer2(self.layer1(steps)[0])[0].view(input_labels.shape)
        """,
    ),
    model(
        "device_chosen_in_two_lines_and_a_script",
        (
            "class MANN(nn.Module):",
            'device = "cuda"\nif not torch.cuda.is_available():\n    device = "cpu"\n\n\n'
            "@torch.jit.script\ndef blank(labels: torch.Tensor) -> torch.Tensor:\n"
            "    return torch.cat([labels[:, :-1], torch.zeros_like(labels[:, -1:])], dim=1)\n\n\n"
            "class MANN(nn.Module):",
        ),
        forward="""
            steps = torch.cat([input_images, blank(input_labels)], dim=-1).flatten(1, 2)
            state = torch.zeros(1, len(steps), self.layer1.hidden_size, device=device)
            memory, _ = self.layer1(steps, (state, state))
            return self.layer2(memory)[0].view(input_labels.shape)
        """,
    ),
    Case(
        "path_added_by_a_function",
        files={"src/helpers.py": HELPERS},
        edits=(
            (
                "load_data.py",
                CLASS_1,
                "import sys\n\n\ndef add_src():\n"
                "    sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'src'))\n\n\n"
                f"add_src()\nfrom helpers import shuffled\n\n\n{CLASS_1}",
            ),
            ("load_data.py", QUERY, "shuffled(N)"),
        ),
    ),
    Case(
        "module_loaded_by_its_path",
        files={"helpers.py": HELPERS},
        edits=(
            (
                "load_data.py",
                CLASS_1,
                "import importlib.util\nfrom pathlib import Path\n\n"
                "spec = importlib.util.spec_from_file_location(\n"
                "    'helpers', Path(__file__).with_name('helpers.py')\n)\n"
                "helpers = importlib.util.module_from_spec(spec)\n"
                f"spec.loader.exec_module(helpers)\n\n\n{CLASS_1}",
            ),
            ("load_data.py", QUERY, "helpers.shuffled(N)"),
        ),
    ),
    model(
        "inputs_want_gradients",
        forward="""
            input_images.requires_grad_()
            labels = torch.cat([input_labels[:, :-1], torch.zeros_like(input_labels[:, -1:])], 1)
            steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
            return self.layer2(self.layer1(steps)[0])[0].view(input_labels.shape)
        """,
    ),
    Case(
        "another_folder_is_entered",
        edits=(
            (
                "load_data.py",
                "class DataGenerator(IterableDataset):",
                "os.chdir(os.path.expanduser('/tmp'))\n\n\nclass DataGenerator(IterableDataset):",
            ),
        ),
    ),
    Case(
        "types_and_dataclasses",
        sample="""
            N, K = self.num_classes, self.num_samples_per_class - 1

            @dataclass(order=True)
            class Drawing:
                key: float
                pixels: np.ndarray = field(compare=False)
                label: np.ndarray = field(compare=False)

            table: list[list[Drawing]] = [[] for _ in range(K + 1)]
            for n, folder in enumerate(random.sample(self.folders, N)):
                for row, file in zip(table, random.sample(list_images(folder), K + 1)):
                    pixels = self.image_file_to_array(file, self.dim_input)
                    row.append(Drawing(random.random(), pixels, np.eye(N, dtype="f4")[n]))
            table[-1].sort()
            images: np.ndarray = np.array([[drawing.pixels for drawing in row] for row in table])
            labels: np.ndarray = np.array([[drawing.label for drawing in row] for row in table])
            return images, labels
        """,
        edits=(
            ("load_data.py", IMPORTS_1, f"from __future__ import annotations\n{IMPORTS_1}"),
            (
                "load_data.py",
                "import torch\n",
                "from dataclasses import dataclass, field\nimport torch\n",
            ),
            ("load_data.py", "def _sample(self):", "def _sample(self) -> tuple[np.ndarray, ...]:"),
        ),
    ),
    Case(
        "star_import",
        edits=(
            (
                "hw1.py",
                "from load_data import DataGenerator, DataProblem\n",
                "from load_data import *\n",
            ),
        ),
    ),
    Case(
        "libraries_that_are_not_there",
        edits=(
            (
                "load_data.py",
                IMPORTS_1,
                f"from google_drive_downloader import GoogleDriveDownloader as gdd\n"
                f"import sklearn.utils\n{IMPORTS_1}",
            ),
            (
                "hw1.py",
                IMPORTS_2,
                f"{IMPORTS_2}import matplotlib.pyplot as plt\nimport neptune\n"
                "import torchvision.transforms as T\nimport wandb\nfrom dnc import DNC\n",
            ),
            (
                "hw1.py",
                "# From here on everything is given.\n",
                "class Longer(DNC):\n    transform = T.Compose([T.ToTensor()])\n\n\n"
                "def plot(losses):\n    wandb.log({'loss': losses[-1]})\n    plt.plot(losses)\n",
            ),
        ),
    ),
    Case("class_and_nothing_else", files={"hw1.py": MANN_ONLY}),
    Case("starter_of_2022", files={"hw1.py": HW1, "load_data.py": LOAD_DATA}),
]

CORRECT = SAMPLERS + FORWARDS + LOSSES + WHOLE_FILES
