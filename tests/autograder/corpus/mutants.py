"""Submissions with one bug. Each loses points in its own part and keeps those of the others."""

import textwrap
from dataclasses import replace

from .case import FILES, FOLDERS, QUERY, RETURN_TASK, Case

# More lines of the reference that are replaced below.
ROWS = "[[*range(N)]] * K + [query]"
WHOLE_TASK = "np.concatenate(images).reshape(K + 1, N, self.dim_input)"
ONE_HOT = "np.eye(N, dtype=np.float32)[np.array(rows)]"
BLANKED = "torch.cat([support_labels, torch.zeros_like(query_labels)], dim=1)"
STEPS = "torch.cat([input_images, labels], dim=-1).flatten(1, 2)"
RETURN_SCORES = "return scores.view(input_labels.shape)\n"
MEMORY = "memory, _ = self.layer1(steps)\n"
# The constructor, which keeps the name of the split.
KNOWS_SPLIT = (
    "        self.num_classes = num_classes\n        self.num_samples_per_class",
    "        self.batch_type = batch_type\n        self.num_classes = num_classes\n"
    "        self.num_samples_per_class",
)


def at_the_end(line: str) -> tuple[str, str]:
    """The edit that runs a line before `_sample` returns."""
    return RETURN_TASK, f"{line}\n        {RETURN_TASK}"


def of_scores(expression: str) -> tuple[str, str]:
    """The edit that makes `forward` return something of its scores [B, T, N]."""
    return RETURN_SCORES, f"return ({expression}).view(input_labels.shape)\n"


def of_scores_reshaped(expression: str) -> tuple[str, str]:
    """The same for scores [B, K+1, N, N]."""
    return RETURN_SCORES, f"return scores.view(input_labels.shape){expression}\n"


def shifted(steps: int) -> tuple[str, str]:
    """The edit that gives each image the label of another one, so many steps before it."""
    return STEPS, STEPS.replace(
        "labels]", f"labels.flatten(1, 2).roll({steps}, 1).view_as(labels)]"
    )


def sampler(name: str, *edits: tuple[str, str], mistake: str | None = None, body: str = "") -> Case:
    """A bug in `_sample` or in what it stands on, as edits of load_data.py or as a new body."""
    edits = tuple(("load_data.py", *edit) for edit in edits)
    return Case(f"sampler_{name}", "sampler", mistake, sample=body, edits=edits)


def forward(name: str, *edits: tuple[str, str], mistake: str | None = None, body: str = "") -> Case:
    """A bug in `forward`."""
    edits = tuple(("hw1.py", *edit) for edit in edits)
    return Case(f"forward_{name}", "forward", mistake, forward=body, edits=edits)


def loss(name: str, body: str, mistake: str | None = None) -> Case:
    """A bug in `loss_function`: q, y [B, N, N] are the query row of predictions and labels."""
    query = "q, y = preds[:, -1], labels[:, -1]\n"
    return Case(f"loss_{name}", "loss", mistake, loss=query + textwrap.dedent(body))


def stops(case: Case) -> Case:
    """A bug that ends in an exception."""
    return replace(case, stops=True)


SAMPLER = [
    sampler(
        "array_shuffled_in_place",
        (QUERY, "[*range(N)]"),
        at_the_end(
            "both = np.concatenate([images[-1], labels[-1]], axis=-1)\n"
            "        random.shuffle(both)\n"
            "        images[-1], labels[-1] = both[:, :784], both[:, 784:]"
        ),
        mistake="query_images_repeated",
    ),
    sampler(
        "everything_shuffled",
        body="""
            N, rows = self.num_classes, self.num_samples_per_class
            pairs = get_images(random.sample(self.folders, N), range(N), nb_samples=rows)
            images = np.array([self.image_file_to_array(file, 784) for _, file in pairs])
            labels = np.eye(N, dtype=np.float32)[[label for label, _ in pairs]]
            return images.reshape(rows, N, 784), labels.reshape(rows, N, N)
        """,
        mistake="everything_shuffled",
    ),
    sampler(
        "character_by_character",
        body="""
            N, rows = self.num_classes, self.num_samples_per_class
            folders = random.sample(self.folders, N)
            pairs = get_images(folders, range(N), nb_samples=rows, shuffle=False)
            images = np.array([self.image_file_to_array(file, 784) for _, file in pairs])
            labels = np.eye(N, dtype=np.float32)[[label for label, _ in pairs]]
            return images.reshape(rows, N, 784), labels.reshape(rows, N, N)
        """,
        mistake="class_major",
    ),
    sampler(
        "query_never_in_its_place",
        (
            QUERY,
            "next(p for p in iter(lambda: random.sample(range(N), N), 0) "
            "if all(i != place for place, i in enumerate(p)))",
        ),
    ),
    sampler(
        "numbered_anew_in_each_task",
        at_the_end("labels = labels[..., np.random.permutation(N)]"),
    ),
    sampler(
        "one_task_for_ever",
        (
            "            yield self._sample()",
            "            yield self.__dict__.setdefault('t', self._sample())",
        ),
    ),
    sampler("labels_reversed", (ONE_HOT, f"{ONE_HOT}[..., ::-1].copy()")),
    sampler(
        "arrays_used_again",
        at_the_end(
            "if not hasattr(self, 'arrays'):\n"
            "            self.arrays = np.empty_like(images), np.empty_like(labels)\n"
            "        self.arrays[0][:], self.arrays[1][:] = images, labels\n"
            "        images, labels = self.arrays"
        ),
        mistake="same_tasks",
    ),
    sampler(
        "query_labels_by_the_inverse",
        at_the_end("labels[-1] = np.eye(N)[np.argsort(labels[-1].argmax(-1))]"),
        mistake="query_shuffled_apart",
    ),
    sampler(
        "splits_exchanged",
        (
            "}[batch_type]",
            '}[{"train": "test", "test": "train"}.get(batch_type, batch_type)]',
        ),
        mistake="splits_exchanged",
    ),
    sampler("query_is_fainter", at_the_end("images[-1] *= 0.6")),
    sampler(
        "noise_on_the_images",
        at_the_end("images = images + 0.3 * np.random.rand(*images.shape).astype(np.float32)"),
    ),
    sampler(
        "query_in_support",
        (
            FILES,
            "[random.sample(f, K) + random.sample(f, 1) for f in map(list_images, folders)]",
        ),
        mistake="query_in_support",
    ),
    sampler(
        "query_is_the_first_shot",
        (FILES, "[f + f[:1] for f in (random.sample(list_images(p), K) for p in folders)]"),
        mistake="query_in_support",
    ),
    sampler(
        "class_major",
        body="""
            N, K = self.num_classes, self.num_samples_per_class - 1
            folders = random.sample(self.folders, N)
            pairs = get_images(folders, range(N), nb_samples=K + 1, shuffle=False)
            support = [pair for i, pair in enumerate(pairs) if i % (K + 1) < K]
            query = pairs[K :: K + 1]
            random.shuffle(query)
            images = [self.image_file_to_array(f, self.dim_input) for _, f in support + query]
            labels = [np.eye(N, dtype=np.float32)[n] for n, _ in support + query]
            return np.array(images).reshape(K + 1, N, 784), np.array(labels).reshape(K + 1, N, N)
        """,
        mistake="class_major",
    ),
    sampler(
        "class_major_images",
        (
            WHOLE_TASK,
            "np.concatenate(images).reshape(K + 1, N, self.dim_input)\n"
            "        shots = images[:-1].swapaxes(0, 1).reshape(K, N, self.dim_input)\n"
            "        images = np.concatenate([shots, images[-1:]])",
        ),
        mistake="class_major",
    ),
    sampler(
        "characters_repeated",
        (FOLDERS, "random.choices(self.folders, k=N)"),
        mistake="characters_repeated",
    ),
    sampler("query_not_shuffled", (QUERY, "[*range(N)]"), mistake="query_not_shuffled"),
    sampler(
        "query_images_shuffled_alone",
        (ONE_HOT, "np.eye(N, dtype=np.float32)[None].repeat(K + 1, axis=0)"),
        mistake="query_images_shuffled_alone",
    ),
    sampler(
        "query_labels_shuffled_alone",
        ("for n in row\n", "for n in range(N)\n"),
        mistake="query_labels_shuffled_alone",
    ),
    sampler(
        "support_shuffled",
        (ROWS, "[random.sample(range(N), N) for _ in range(K)] + [query]"),
        mistake="support_shuffled",
    ),
    sampler(
        "val_in_train",
        (
            '"train": self.metatrain_character_folders',
            '"train": folders[: TRAIN_CHARACTERS + VAL_CHARACTERS]',
        ),
        mistake="val_in_train",
    ),
    sampler(
        "split_ignored",
        (FOLDERS, "random.sample(self.metatrain_character_folders, N)"),
        mistake="split_ignored",
    ),
    sampler(
        "val_is_test",
        ('"val": self.metaval_character_folders', '"val": self.metatest_character_folders'),
    ),
    sampler("same_tasks", (FOLDERS, f"(random.seed(0), {FOLDERS})[1]"), mistake="same_tasks"),
    sampler("same_query_order", (QUERY, "[*range(N)][::-1]"), mistake="same_query_order"),
    sampler(
        "query_rotated",
        (QUERY, "(2 * [*range(N)])[(start := random.randrange(N)) : start + N]"),
        mistake="query_rotated",
    ),
    sampler(
        "query_sorted",
        (QUERY, "sorted(range(N), key=folders.__getitem__)"),
        mistake="query_sorted",
    ),
    sampler("query_first", (ROWS, "[query] + [[*range(N)]] * K"), mistake="query_first"),
    sampler(
        "one_image_repeated",
        (FILES, "[[random.choice(list_images(folder))] * (K + 1) for folder in folders]"),
        mistake="one_image_repeated",
    ),
    sampler("low_contrast", (WHOLE_TASK, f"{WHOLE_TASK} / 255"), mistake="low_contrast"),
    sampler(
        "booleans_divided", (WHOLE_TASK, f"1 - (1 - {WHOLE_TASK}) / 255"), mistake="low_contrast"
    ),
    sampler("labels_not_one_hot", (ONE_HOT, "np.array(rows)"), mistake="labels_not_one_hot"),
    sampler(
        "axes_swapped",
        (RETURN_TASK, "return images.swapaxes(0, 1), labels.swapaxes(0, 1)\n"),
        mistake="axes_swapped",
    ),
    sampler(
        "images_not_flat",
        (RETURN_TASK, "return images.reshape(K + 1, N, 28, 28), labels\n"),
        mistake="images_not_flat",
    ),
    sampler(
        "first_images_only",
        (FILES, "[list_images(folder)[: K + 1] for folder in folders]"),
        mistake="first_images_only",
    ),
    sampler(
        "shuffled_in_training_only",
        KNOWS_SPLIT,
        (QUERY, f"{QUERY} if self.batch_type == 'train' else [*range(N)]"),
        mistake="query_not_shuffled",
    ),
    sampler(
        "labels_unshuffled_in_the_test",
        KNOWS_SPLIT,
        at_the_end("labels[-1] = np.eye(N) if self.batch_type != 'train' else labels[-1]"),
        mistake="query_images_shuffled_alone",
    ),
    sampler(
        "query_in_support_in_the_test",
        KNOWS_SPLIT,
        (
            "        query = ",
            "        if self.batch_type == 'test':\n"
            "            files = [f[:K] + [random.choice(f[:K])] for f in files]\n        query = ",
        ),
        mistake="query_in_support",
    ),
    sampler(
        "first_images_in_the_test",
        KNOWS_SPLIT,
        (
            FILES,
            f"{FILES}\n        if self.batch_type == 'test':\n"
            "            files = [list_images(folder)[: K + 1] for folder in folders]",
        ),
    ),
    sampler(
        "groups_of_characters",
        (
            FOLDERS,
            "self.folders[(n := N * random.randrange(len(self.folders) // N)) : n + N]",
        ),
    ),
    sampler("last_character_never", (FOLDERS, "random.sample(self.folders[:-1], N)")),
    sampler(
        "last_image_never",
        (FILES, "[random.sample(list_images(folder)[:-1], K + 1) for folder in folders]"),
    ),
    sampler(
        "query_is_the_last_file",
        (FILES, "[[*random.sample(list_images(f)[:-1], K), list_images(f)[-1]] for f in folders]"),
    ),
    sampler(
        "support_image_repeated",
        (
            FILES,
            "[[*random.choices(f[1:], k=K), f[0]]\n"
            "                 for f in (random.sample(list_images(p), 20) for p in folders)]",
        ),
        mistake="images_repeated",
    ),
    sampler(
        "query_usually_shuffled",
        (QUERY, "random.sample(range(N), N) if random.random() < 0.9 else [*range(N)]"),
    ),
    sampler(
        "query_order_never_twice_in_a_row",
        (
            f"query = {QUERY}\n",
            "query = before = getattr(self, 'query', None)\n"
            "        while query == before:\n"
            "            query = random.sample(range(N), N)\n"
            "        self.query = query\n",
        ),
    ),
    sampler("query_character_repeated", (QUERY, "random.choices(range(N), k=N)")),
    sampler("query_labels_of_the_inverse_order", at_the_end("labels[-1] = labels[-1].T")),
    sampler("query_labels_missing", at_the_end("labels[-1] = 0")),
    sampler("labels_of_the_first_shot_only", at_the_end("labels[1:-1] = 0")),
    sampler("labels_first", (RETURN_TASK, "return labels, images\n"), mistake="pair_swapped"),
    sampler("row_missing", (RETURN_TASK, "return images[1:], labels[1:]\n"), mistake="row_missing"),
    sampler(
        "query_shuffled_apart",
        at_the_end("np.random.shuffle(labels[-1])"),
        mistake="query_shuffled_apart",
    ),
    sampler(
        "characters_chosen_once",
        (FOLDERS, f"self.chosen = getattr(self, 'chosen', None) or {FOLDERS}"),
    ),
    sampler(
        "characters_that_are_neighbours",
        (
            FOLDERS,
            "self.folders[(start := random.randrange(len(self.folders) - N + 1)) : start + N]",
        ),
    ),
    sampler(
        "images_transposed",
        (WHOLE_TASK, f"{WHOLE_TASK}\n        images = images.reshape(-1, 28, 28).swapaxes(1, 2)"),
        (RETURN_TASK, "return images.reshape(K + 1, N, self.dim_input), labels\n"),
    ),
    sampler(
        "one_task_and_no_more",
        ("        while True:\n            yield self._sample()", "        yield self._sample()"),
    ),
    sampler(
        "val_from_train",
        (
            FOLDERS,
            "random.sample(self.metatest_character_folders\n"
            "            if self.folders is self.metatest_character_folders\n"
            "            else self.metatrain_character_folders, N)",
        ),
        mistake="train_in_val",
    ),
    sampler(
        "order_shared_by_two_tasks",
        (
            f"query = {QUERY}\n",
            "self.count = getattr(self, 'count', 0) + 1\n"
            "        if self.count % 2 == 0 or self.count == 1:\n"
            f"            self.query = {QUERY}\n        query = self.query\n",
        ),
    ),
    sampler(
        "one_alphabet",
        (
            FOLDERS,
            "[]\n        while len(folders) < N:\n"
            "            alphabet = os.path.dirname(random.choice(self.folders))\n"
            "            folders = [f for f in self.folders if os.path.dirname(f) == alphabet]\n"
            "            folders = folders if len(folders) >= N else self.folders\n"
            "            folders = random.sample(folders, N)",
        ),
    ),
    sampler(
        "half_of_the_training_images",
        (
            FILES,
            "[random.sample(list_images(f)[\n"
            "            : 10 if self.folders is self.metatrain_character_folders else 20\n"
            "        ], K + 1) for f in folders]",
        ),
    ),
]

FORWARD = [
    forward(
        "lstm_of_two_layers",
        ("hidden_dim, batch_first=True)\n", "hidden_dim, num_layers=2, batch_first=True)\n"),
    ),
    forward(
        "images_divided_by_255",
        (STEPS, STEPS.replace("input_images", "input_images / 255")),
        mistake="divided_by_255",
    ),
    stops(
        forward(
            "zeros_of_the_first_batch",
            (
                "torch.zeros_like(query_labels)",
                "self.__dict__.setdefault('zeros', torch.zeros_like(query_labels))",
            ),
        )
    ),
    forward(
        "first_layer_frozen",
        (
            "initialize_weights(self.layer1)\n",
            "initialize_weights(self.layer1)\n        self.layer1.requires_grad_(False)\n",
        ),
        mistake="layer1_detached",
    ),
    stops(forward("return_forgotten", (RETURN_SCORES, "scores.view(input_labels.shape)\n"))),
    stops(forward("name_misspelt", ("def forward(", "def foward("))),
    forward("query_labels_seen", (BLANKED, "input_labels"), mistake="query_labels_seen"),
    forward(
        "query_labels_faint",
        (BLANKED, "torch.cat([support_labels, 0.01 * query_labels], dim=1)"),
    ),
    forward(
        "query_labels_uniform",
        (BLANKED, "torch.cat([support_labels, query_labels * 0 + 1 / self.num_classes], dim=1)"),
    ),
    forward(
        "all_labels_zeroed",
        (BLANKED, "torch.zeros_like(input_labels)"),
        mistake="all_labels_zeroed",
    ),
    forward(
        "support_zeroed",
        (BLANKED, "torch.cat([torch.zeros_like(support_labels), query_labels], dim=1)"),
        mistake="support_zeroed",
    ),
    forward(
        "first_row_zeroed",
        (BLANKED, "torch.cat([torch.zeros_like(query_labels), input_labels[:, 1:]], dim=1)"),
        mistake="first_row_zeroed",
    ),
    forward(
        "last_image_zeroed",
        (BLANKED, "input_labels.clone()\n        labels[:, -1, -1] = 0"),
        mistake="last_image_zeroed",
    ),
    forward("softmax", of_scores("scores.softmax(-1)"), mistake="softmax"),
    forward("log_softmax", of_scores("scores.log_softmax(-1)"), mistake="log_softmax"),
    forward("sigmoid", of_scores("scores.sigmoid()"), mistake="sigmoid"),
    forward(
        "support_reordered",
        body="""
            B, K1, N, _ = input_images.shape
            labels = input_labels.clone()
            labels[:, -1] = 0
            both = torch.cat([input_images, labels], dim=-1)
            support = both[:, :-1].transpose(1, 2).flatten(1, 2)
            memory, _ = self.layer1(torch.cat([support, both[:, -1]], dim=1))
            scores, _ = self.layer2(memory)
            return scores.reshape(B, K1, N, N)
        """,
        mistake="support_reordered",
    ),
    forward(
        "outputs_of_all_rows_reordered",
        (STEPS, STEPS.replace("flatten(1, 2)", "transpose(1, 2).flatten(1, 2)")),
        mistake="outputs_reordered",
    ),
    forward(
        "query_first",
        body="""
            labels = input_labels.clone()
            labels[:, -1] = 0
            rows = torch.cat([input_images, labels], dim=-1).roll(1, dims=1)
            memory, _ = self.layer1(rows.flatten(1, 2))
            scores, _ = self.layer2(memory)
            return scores.view(input_labels.shape).roll(-1, dims=1)
        """,
        mistake="query_first",
    ),
    forward(
        "batch_as_time",
        (MEMORY, "memory, _ = self.layer1(steps.transpose(0, 1))\n"),
        ("self.layer2(memory)\n", "self.layer2(memory)\n        scores = scores.transpose(0, 1)\n"),
        (RETURN_SCORES, "return scores.reshape(input_labels.shape)\n"),
        mistake="batch_as_time",
    ),
    forward(
        "state_reset",
        body="""
            B, K1, N, _ = input_images.shape
            labels = torch.zeros_like(input_labels)
            labels[:, :-1] = input_labels[:, :-1]
            both = torch.cat([input_images, labels], dim=-1)
            support, _ = self.layer2(self.layer1(both[:, :-1].flatten(1, 2))[0])
            query, _ = self.layer2(self.layer1(both[:, -1])[0])
            return torch.cat([support, query], dim=1).view(B, K1, N, N)
        """,
        mistake="state_reset",
    ),
    forward(
        "state_detached",
        body="""
            labels = torch.zeros_like(input_labels)
            labels[:, :-1] = input_labels[:, :-1]
            both = torch.cat([input_images, labels], dim=-1)
            memory1, state1 = self.layer1(both[:, :-1].flatten(1, 2))
            support, state2 = self.layer2(memory1)
            memory2, _ = self.layer1(both[:, -1], tuple(s.detach() for s in state1))
            query, _ = self.layer2(memory2, tuple(s.detach() for s in state2))
            return torch.cat([support, query], dim=1).view(input_labels.shape)
        """,
    ),
    forward(
        "last_task_zeroed",
        (BLANKED, "input_labels.clone()\n        labels[-1, -1] = 0"),
        mistake="last_task_zeroed",
    ),
    forward(
        "rows_apart",
        (STEPS, STEPS.replace("flatten(1, 2)", "flatten(0, 1)")),
        mistake="rows_apart",
    ),
    forward(
        "character_by_character",
        (STEPS, STEPS.replace("flatten(1, 2)", "transpose(1, 2).flatten(1, 2)")),
        (
            RETURN_SCORES,
            "B, K1, N, _ = input_labels.shape\n"
            "        return scores.view(B, N, K1, N).transpose(1, 2)\n",
        ),
        mistake="character_by_character",
    ),
    forward(
        "query_images_zeroed",
        (STEPS, STEPS.replace("input_images", "input_images * labels.any(-1, keepdim=True)")),
        mistake="query_images_zeroed",
    ),
    forward(
        "changes_inputs",
        (BLANKED, "input_labels\n        query_labels.zero_()"),
        mistake="changes_inputs",
    ),
    forward("detached", of_scores("scores.detach()"), mistake="no_gradient"),
    forward(
        "through_numpy",
        of_scores("torch.from_numpy(scores.detach().numpy())"),
        mistake="no_gradient",
    ),
    forward(
        "without_a_graph",
        (
            "    def forward(self, input_images",
            "    @torch.no_grad()\n    def forward(self, input_images",
        ),
        mistake="no_gradient",
    ),
    forward(
        "doubles_in_evaluation",
        of_scores_reshaped(".softmax(-1).to(torch.float32 if self.training else torch.float64)"),
    ),
    forward("images_inverted", (STEPS, STEPS.replace("input_images", "1 - input_images"))),
    forward(
        "first_layer_detached",
        (MEMORY, f"{MEMORY}        memory = memory.detach()\n"),
        mistake="layer1_detached",
    ),
    forward("label_of_next", shifted(-1), mistake="labels_of_next"),
    forward("label_of_previous", shifted(1), mistake="labels_shifted"),
    forward("not_reshaped", (RETURN_SCORES, "return scores\n")),
    forward("squeezed", of_scores_reshaped(".squeeze()")),
    forward("outputs_transposed", of_scores_reshaped(".transpose(-1, -2)")),
    forward("support_scores_dropped", of_scores_reshaped("[:, -1:]")),
    forward(
        "memory_kept",
        (
            MEMORY,
            "kept = getattr(self, 'kept', None)\n"
            "        if kept and kept[0].shape[1] != len(steps):\n"
            "            kept = None\n"
            "        memory, kept = self.layer1(steps, kept)\n"
            "        self.kept = tuple(state.detach() for state in kept)\n",
        ),
        mistake="memory_kept",
    ),
    forward(
        "first_layer_skipped",
        (MEMORY, "memory = steps[..., : self.layer2.input_size]\n"),
    ),
    forward("second_layer_skipped", of_scores("memory[..., : self.num_classes]")),
    forward("relu_between", ("self.layer2(memory)\n", "self.layer2(memory.relu())\n")),
    forward("dropout", ("self.layer2(memory)\n", "self.layer2(F.dropout(memory, 0.1))\n")),
    forward("backwards", (STEPS, f"{STEPS}.flip(1)"), of_scores("scores.flip(1)")),
    forward("first_task_only", of_scores("scores[:1].repeat(len(scores), 1, 1)")),
    forward(
        "images_centred_over_the_batch",
        (STEPS, STEPS.replace("input_images", "input_images - input_images.mean(0)")),
    ),
    forward(
        "softmax_in_evaluation",
        of_scores("scores if self.training else scores.softmax(-1)"),
        mistake="softmax",
    ),
    forward(
        "changes_inputs_in_evaluation",
        (
            BLANKED,
            "input_labels.clone() if self.training else input_labels\n        labels[:, -1] = 0",
        ),
        mistake="changes_inputs",
    ),
    forward(
        "row_1_zeroed",
        (BLANKED, "input_labels.clone()\n        labels[:, 1] = 0"),
        mistake="second_row_zeroed",
    ),
    forward(
        "all_but_the_first_row_zeroed",
        (BLANKED, "input_labels.clone()\n        labels[:, 1:] = 0"),
        mistake="later_shots_zeroed",
    ),
    forward("images_rounded", (STEPS, STEPS.replace("input_images", "input_images.round()"))),
]

LOSS = [
    loss(
        "writes_labels",
        "labels[:, :-1] = 0\nreturn F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1))",
        mistake="loss_changes_inputs",
    ),
    loss("row_kept_as_an_axis", "return F.cross_entropy(q[:, None], y[:, None])", "always_zero"),
    loss("accuracy", "return (q.argmax(-1) == y.argmax(-1)).float().mean()", "detached"),
    stops(loss("integer_logits", "return F.cross_entropy(q.long(), y.argmax(-1))")),
    loss(
        "all_rows",
        "return F.cross_entropy(preds.flatten(0, 2), labels.flatten(0, 2))",
        mistake="all_rows",
    ),
    loss(
        "support_rows",
        "return F.cross_entropy(preds[:, :-1].flatten(0, 2), labels[:, :-1].flatten(0, 2))",
        mistake="support_rows",
    ),
    loss(
        "first_row",
        "return F.cross_entropy(preds[:, 0].flatten(0, 1), labels[:, 0].flatten(0, 1))",
        mistake="first_row",
    ),
    loss(
        "support_rows_a_little",
        """
        everything = F.cross_entropy(preds.flatten(0, 2), labels.flatten(0, 2))
        return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)) + 0.01 * everything
        """,
    ),
    loss(
        "last_image_only",
        "return F.cross_entropy(q[:, -1], y[:, -1])",
    ),
    loss(
        "last_column",
        "return F.cross_entropy(preds[:, :, -1].flatten(0, 1), labels[:, :, -1].flatten(0, 1))",
    ),
    loss("first_task_only", "return F.cross_entropy(q[0], y[0])"),
    loss(
        "softmax_over_examples",
        "return F.cross_entropy(q, y)",
        mistake="softmax_over_examples",
    ),
    loss(
        "softmax_over_examples_by_hand",
        "return -(y * q.log_softmax(dim=1)).sum(dim=1).mean()",
        mistake="softmax_over_examples",
    ),
    loss(
        "transposed_logits",
        "return F.cross_entropy(q, y.argmax(-1))",
        mistake="transposed_logits",
    ),
    loss(
        "transposed_everything",
        "return F.cross_entropy(q.transpose(1, 2).flatten(0, 1), y.argmax(-1).flatten())",
        mistake="transposed_logits",
    ),
    loss(
        "sum",
        'return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1), reduction="sum")',
        mistake="sum_not_mean",
    ),
    loss(
        "softmax_twice",
        "return F.cross_entropy(q.softmax(-1).flatten(0, 1), y.flatten(0, 1))",
        mistake="softmax_twice",
    ),
    loss("mean_squared", "return F.mse_loss(q, y)", mistake="mean_squared"),
    loss("mean_squared_of_softmax", "return F.mse_loss(q.softmax(-1), y)"),
    loss("binary", "return F.binary_cross_entropy_with_logits(q, y)", mistake="binary"),
    loss(
        "nll_of_probabilities",
        "return F.nll_loss(q.softmax(-1).flatten(0, 1), y.argmax(-1).flatten())",
    ),
    loss(
        "nll_of_logits",
        "return F.nll_loss(q.flatten(0, 1), y.argmax(-1).flatten())",
        mistake="nll_without_log",
    ),
    loss(
        "negative",
        "return -F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1))",
        mistake="negative",
    ),
    loss(
        "not_reduced",
        'return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1), reduction="none")',
        mistake="not_reduced",
    ),
    loss(
        "detached",
        "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)).detach()",
        mistake="detached",
    ),
    loss("number", "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)).item()"),
    loss(
        "penalty_on_all_rows",
        """
        penalty = 1e-3 * preds.square().mean()
        return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)) + penalty
        """,
    ),
    loss("in_bits", "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)) / np.log(2)"),
    loss(
        "divided_by_all_rows",
        "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)) / preds.shape[1]",
        mistake="divided_by_all_rows",
    ),
    loss(
        "divided_by_tasks_only",
        'return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1), reduction="sum") / len(q)',
        mistake="mean_over_tasks",
    ),
    loss("mean_over_classes", "return -(y * q.log_softmax(-1)).mean()"),
    loss("log_of_softmax", "return -(y * q.softmax(-1).log()).sum(-1).mean()", mistake="overflow"),
    loss(
        "exp_overflows",
        "return (q.exp().sum(-1).log() - (y * q).sum(-1)).mean()",
        mistake="overflow",
    ),
    loss(
        "label_smoothing",
        "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1), label_smoothing=0.1)",
    ),
    loss(
        "classes_weighted",
        """
        weights = torch.linspace(1, 2, q.shape[-1])
        return F.cross_entropy(q.flatten(0, 1), y.argmax(-1).flatten(), weight=weights)
        """,
    ),
    loss(
        "targets_from_predictions",
        "return F.cross_entropy(q.flatten(0, 1), q.argmax(-1).flatten())",
        mistake="targets_from_predictions",
    ),
    loss(
        "transposed_targets",
        "return F.cross_entropy(q.flatten(0, 1), y.argmax(1).flatten())",
        mistake="transposed_targets",
    ),
    loss(
        "targets_in_order",
        "return F.cross_entropy(q.flatten(0, 1), torch.arange(q.shape[1]).repeat(len(q)))",
    ),
    loss(
        "of_row_1",
        """
        q, y = preds[:, 1], labels[:, 1]
        return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1))
        """,
        mistake="second_row",
    ),
    loss(
        "divided_by_shots_too",
        "return F.cross_entropy(q.flatten(0, 1), y.flatten(0, 1)) / (preds.shape[1] - 1)",
        mistake="divided_by_shots",
    ),
    loss(
        "logits_clipped",
        "return F.cross_entropy(q.clamp(-10, 10).flatten(0, 1), y.flatten(0, 1))",
    ),
    loss(
        "log_of_softmax_and_very_little",
        "return -(y * torch.log(q.softmax(-1) + 1e-30)).sum(-1).mean()",
    ),
    loss(
        "log_of_softmax_and_a_little",
        "return -(y * torch.log(q.softmax(-1) + 1e-8)).sum(-1).mean()",
    ),
]

MUTANTS = SAMPLER + FORWARD + LOSS
