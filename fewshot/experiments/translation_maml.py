"""`python -m fewshot.experiments.translation_maml`: low-resource translation by MAML, in small.

Gu et al. 2018 ("Meta-learning for low-resource neural machine translation"): many languages have
plenty of sentences with translations, a new one has few. Which weights are the best to begin with
when it comes? Those of no training (scratch), those that translate the many languages best
(transfer), or those from which a few steps of learning lead furthest (MAML, first order)?
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import matplotlib as mpl
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from fewshot.analysis.figures import LINES, STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed
from fewshot.data.languages import Language, draw, english, language
from fewshot.learners.learner import cosine
from fewshot.learners.optimization.translator import END, START, Translator

PARTS = {"training": (0, 64), "validation": (5000, 6), "test": (6000, 16)}  # first, how many
SENTENCES = (8, 32, 128)  # what is known of a new language
ASKED = 64  # other sentences of it, to be translated
QUANTILE = 2.131  # of Student's t, for a 95 % interval over 16 test languages
METHODS = ("scratch", "transfer", "MAML")

# Training: the first half is the same for transfer and MAML.
TOGETHER = 16  # languages in a step
EACH = 8  # sentences of each
RATE = 3e-3  # of Adam
META_LANGUAGES = 8
INNER_STEPS = 3
INNER_RATE = 0.1
INNER_EACH = 16
SAVE_EVERY = 100

# Adaptation: what there is to choose from, on the validation languages.
PER_STEP = 16  # sentences of each language
OPTIMIZERS: dict[str, Callable] = {
    "SGD 0.03": lambda weights: torch.optim.SGD(weights, 0.03),
    "SGD 0.1": lambda weights: torch.optim.SGD(weights, 0.1),
    "Adam 0.001": lambda weights: torch.optim.Adam(weights, 1e-3),
    "Adam 0.003": lambda weights: torch.optim.Adam(weights, 3e-3),
}
TRAINED = (("SGD 0.03", "SGD 0.1", "Adam 0.001"), (3, 10, 30))  # optimizers, and numbers of steps
CHOICES = {
    "scratch": (("Adam 0.001", "Adam 0.003"), (30, 100)),
    "transfer": TRAINED,
    "MAML": TRAINED,
}

Weights = dict[str, torch.Tensor]


def languages(part: str, seed: int) -> list[Language]:
    """The languages of a part; no two parts share one."""
    first, count = PARTS[part]
    return [language(10_000 * seed + first + i) for i in range(1, count + 1)]


@dataclass(frozen=True)
class Corpus:
    """Sentences of L languages and their translations.

    Attributes:
        vectors: float32 [L, CONCEPTS, WIDTH].
        source: int64 [L, n, 8].
        target: int64 [L, n, 8].
    """

    vectors: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor

    @classmethod
    def draw(cls, spoken: list[Language], count: int, generator: torch.Generator) -> "Corpus":
        """`count` random sentences of each language."""
        meanings = [draw(count, generator) for _ in spoken]
        return cls(
            torch.stack([each.vectors for each in spoken]),
            torch.stack([each.say(said) for each, said in zip(spoken, meanings, strict=True)]),
            torch.stack([english().say(said) for said in meanings]),
        )

    def part(self, sentences: slice | torch.Tensor) -> "Corpus":
        """Some of the sentences of each language."""
        return Corpus(self.vectors, self.source[:, sentences], self.target[:, sentences])


def loss(model: Translator, weights: Weights, corpus: Corpus) -> torch.Tensor:
    """The mean cross entropy of the translations and of where they end, a scalar."""
    begun = F.pad(corpus.target, (1, 0), value=START)
    logits = functional_call(model, weights, (corpus.vectors, corpus.source, begun))
    return F.cross_entropy(logits.flatten(0, 2), F.pad(corpus.target, (0, 1), value=END).flatten())


def of_each(what: Callable, model: Translator, weights: Weights, corpus: Corpus):
    """`what` (of a model, weights and a corpus) of each language at its own weights, [L, ...]."""

    def of_one(weights, vectors, source, target):
        return what(model, weights, Corpus(vectors[None], source[None], target[None]))

    with sdpa_kernel(SDPBackend.MATH):  # the attention that vmap knows
        return vmap(of_one)(weights, corpus.vectors, corpus.source, corpus.target)


# Each language's gradient at its own weights: [L, ...] → [L, ...].
own_gradients = partial(of_each, grad(loss, argnums=1))


def spread(weights: Weights, count: int) -> Weights:
    """The same weights for each of `count` languages."""
    return {name: w.detach().expand(count, *w.shape).clone() for name, w in weights.items()}


def transfer_step(model: Translator, spoken: list[Language], generator: torch.Generator) -> None:
    """Set the gradient of plain multilingual training."""
    some = torch.randint(len(spoken), (TOGETHER,), generator=generator)
    corpus = Corpus.draw([spoken[i] for i in some], EACH, generator)
    loss(model, dict(model.named_parameters()), corpus).backward()


def maml_step(model: Translator, spoken: list[Language], generator: torch.Generator) -> None:
    """Set the gradient of first-order MAML.

    θ_l = θ, then INNER_STEPS times θ_l ← θ_l - α ∇L(θ_l; support of l)
    ∇   = mean over l of ∇L(θ_l; query of l)
    """
    some = torch.randint(len(spoken), (META_LANGUAGES,), generator=generator)
    corpus = Corpus.draw([spoken[i] for i in some], 2 * INNER_EACH, generator)
    support, query = corpus.part(slice(INNER_EACH)), corpus.part(slice(INNER_EACH, None))
    weights = spread(dict(model.named_parameters()), META_LANGUAGES)
    for _ in range(INNER_STEPS):
        gradients = own_gradients(model, weights, support)
        weights = {name: w - INNER_RATE * gradients[name] for name, w in weights.items()}
    gradients = own_gradients(model, weights, query)
    for name, parameter in model.named_parameters():
        parameter.grad = gradients[name].mean(dim=0)


def train(model: Translator, name: str, steps: int, options: argparse.Namespace) -> None:
    """One phase of training, from where the last run has saved it."""
    step = maml_step if name == "MAML" else transfer_step
    # Only adaptation may change what a language's words are by themselves.
    learned = [weight for key, weight in model.named_parameters() if key != "own"]
    optimizer = torch.optim.Adam(learned, RATE)
    second_half = name != "together"
    # With the seed of the first half, the second would begin with the same sentences again.
    generator = torch.Generator().manual_seed(options.seed + second_half)
    settings = {"steps": options.steps, "seed": options.seed}
    checkpoint = Checkpoint(options.out / f"{name}.pt", settings, model, optimizer, generator)
    if done := checkpoint.restore().get("done", 0):
        print(f"{name}: going on after {done:,} steps.", flush=True)
    spoken = languages("training", options.seed)
    with tqdm(initial=done, total=steps, desc=name, unit="step") as bar:
        while done < steps:
            optimizer.zero_grad()
            step(model, spoken, generator)
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            spent = (done / steps + second_half) / 2  # one cosine over both halves
            optimizer.param_groups[0]["lr"] = RATE * cosine(spent)
            optimizer.step()
            done += 1
            bar.update()
            if done % SAVE_EVERY == 0 or done == steps:
                checkpoint.save(done=done)


def adapt(
    model: Translator, weights: Weights, corpus: Corpus, optimizer: Callable, steps: tuple[int, ...]
) -> dict[int, Weights]:
    """Learn from the few sentences of each language by itself: steps → weights [L, ...]."""
    generator = torch.Generator().manual_seed(0)
    weights = spread(weights, len(corpus.vectors))
    optimizer = optimizer(list(weights.values()))  # coordinate by coordinate: languages never mix
    found = {}
    for step in range(1, steps[-1] + 1):
        some = torch.randperm(corpus.source.shape[1], generator=generator)[:PER_STEP]
        gradients = own_gradients(model, weights, corpus.part(some))
        for name, weight in weights.items():
            weight.grad = gradients[name]
        optimizer.step()
        if step in steps:
            found[step] = {name: weight.clone() for name, weight in weights.items()}
    return found


@torch.no_grad()
def translate(model: Translator, weights: Weights, corpus: Corpus) -> torch.Tensor:
    """The most probable next word, again and again: int64 [L, n, 9]."""

    def logits(model, weights, corpus):  # here `target` is what has been said
        return functional_call(model, weights, (corpus.vectors, corpus.source, corpus.target))[0]

    said = torch.full((*corpus.source.shape[:2], 1), START)
    for _ in range(corpus.target.shape[2] + 1):
        seen = Corpus(corpus.vectors, corpus.source, said)
        following = of_each(logits, model, weights, seen)[:, :, -1:].argmax(-1)
        said = torch.cat([said, following], dim=2)
    return said[:, :, 1:]


def score(translations: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The part of the words, and of the sentences, that are right: [2, L].

    A word is right if it stands in its place; what comes after the end of a translation is not
    looked at, and words count up to the end of the longer of the two.
    """
    target = F.pad(target, (0, 1), value=END)
    ended = (translations == END).cummax(dim=2).values
    translations = translations.masked_fill(ended, END)
    counted = (translations != END) | (target != END)
    right = translations == target
    words = (right & counted).sum((1, 2)) / counted.sum((1, 2))
    return torch.stack([words, right.all(dim=2).float().mean(dim=1)])


def choose(
    model: Translator, start: Weights, method: str, known: int, corpus: Corpus
) -> tuple[str, int]:
    """The optimizer and the number of steps that are best on the validation languages.

    Args:
        corpus: of these; the first `known` sentences are learned from, the last ones asked about.
    """
    few, asked = corpus.part(slice(known)), corpus.part(slice(-ASKED, None))
    errors = {}
    names, steps = CHOICES[method]
    for name in names:
        for step, weights in adapt(model, start, few, OPTIMIZERS[name], steps).items():
            with torch.no_grad():
                errors[name, step] = of_each(loss, model, weights, asked).nan_to_num(1e9).mean()
    return min(errors, key=errors.get)


def examine(model: Translator, starts: dict[str, Weights], seed: int) -> dict:
    """(method, sentences) → what it chose, and the scores [2, L] on the test languages.

    With no sentences nothing is learned, and the method's weights are used as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    validation, test = (
        Corpus.draw(languages(part, seed), max(SENTENCES) + ASKED, generator)
        for part in ("validation", "test")
    )
    asked = test.part(slice(-ASKED, None))
    results = {}
    for method, known in tqdm(list(product(METHODS, (0, *SENTENCES))), "adapting", unit="cell"):
        start = starts[method]
        if known:
            name, steps = choose(model, start, method, known, validation)
            few = test.part(slice(known))
            weights = adapt(model, start, few, OPTIMIZERS[name], (steps,))[steps]
        else:
            name, steps, weights = "", 0, spread(start, len(test.vectors))
        right = score(translate(model, weights, asked), asked.target)
        results[method, known] = (f"{name}, {steps} steps" if known else "none", right)
    return results


def interval(values: torch.Tensor) -> tuple[float, float]:
    """The mean over languages, and half its 95 % interval by Student's t, in percent."""
    half = QUANTILE * values.std().item() / len(values) ** 0.5
    return 100 * values.mean().item(), 100 * half


def report(results: dict, out: Path) -> None:
    """Print the table, keep it, and draw it."""
    count = PARTS["test"][1]
    lines = [
        f"Percent right on {ASKED} sentences of each of {count} test languages, the mean over",
        "languages with its 95 % interval:",
        "",
        "| sentences known | begins from | adaptation | words | whole sentences |",
        "|--:|---|---|--:|--:|",
    ]
    for known, method in product((0, *SENTENCES), METHODS):
        chosen, (words, sentences) = results[method, known]
        cells = ("{:.1f} ± {:.1f}".format(*interval(part)) for part in (words, sentences))
        lines.append(f"| {known} | {method} | {chosen} | {' | '.join(cells)} |")
    lines += ["", "MAML less transfer, language by language:", ""]
    for known in (0, *SENTENCES):
        less = results["MAML", known][1] - results["transfer", known][1]
        words, sentences = ("{:+.1f} ± {:.1f}".format(*interval(part)) for part in less)
        lines.append(f"- {known} sentences: words {words}, whole sentences {sentences}")
    print("\n".join(lines))
    (out / "table.md").write_text("\n".join(lines) + "\n")
    print("Picture:", picture(results, out / "translation_maml.png"))


def picture(results: dict, file: Path) -> Path:
    """Draw both scores over the number of sentences."""
    ticks = (0, *SENTENCES)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6))
        titles = ("words right", "whole sentences right")
        for which, (axes, title) in enumerate(zip(figure.subplots(1, 2), titles, strict=True)):
            for number, method in enumerate(METHODS):
                points = [interval(results[method, known][1][which]) for known in ticks]
                color, dashes = LINES[number]
                # A little apart, so that no interval hides another.
                places = [tick + 0.08 * (number - 1) for tick in range(len(ticks))]
                means, halves = zip(*points, strict=True)
                axes.errorbar(
                    places,
                    means,
                    halves,
                    color=color,
                    linestyle=dashes,
                    marker="os^"[number],
                    markersize=4,
                    capsize=3,
                    label=method,
                )
            axes.set_title(title)
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set_xlabel("sentences known of the new language")
            axes.set_ylim(-2, 102)
        figure.axes[0].set_ylabel("percent, mean of the test languages")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        figure.savefig(file)
    return file


def main(argv: list[str] | None = None) -> int:
    """Train, adapt and compare; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.translation_maml",
        description="Translation from languages of few sentences: scratch, transfer and MAML.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--steps",
        type=positive,
        default=1000,
        metavar="N",
        help="of training together, then of transfer's",
    )
    add("--seed", type=seed, default=1, help="of the weights, the languages and the sentences")
    add(
        "--out",
        type=Path,
        default=Path("runs/translation_maml"),
        metavar="FOLDER",
        help="of checkpoints and results",
    )
    options = parser.parse_args(argv)

    def command() -> int:
        torch.set_num_threads(1)
        torch.manual_seed(options.seed)
        model = Translator()
        with results_in(options.out):
            starts = {"scratch": weights_of(model)}
            train(model, "together", options.steps, options)
            together = weights_of(model)
            train(model, "transfer", options.steps, options)
            starts["transfer"] = weights_of(model)
            model.load_state_dict(together, strict=False)
            # A step of MAML is INNER_STEPS + 1 gradients.
            train(model, "MAML", max(1, options.steps // (INNER_STEPS + 1)), options)
            starts["MAML"] = weights_of(model)
            report(examine(model, starts, options.seed), options.out)
        return 0

    return run(command, (CommandError,))


def weights_of(model: Translator) -> Weights:
    """A copy of the weights."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


if __name__ == "__main__":
    sys.exit(main())
