"""Invented languages, a translator of them, and the three ways to begin with a new one."""

import copy
import re
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from fewshot.data.languages import (
    CONCEPTS,
    LONGEST,
    NOISE,
    NOTHING,
    NOUNS,
    PAST,
    PLURAL,
    VERBS,
    WIDTH,
    concepts,
    draw,
    english,
    language,
)
from fewshot.experiments import translation_maml
from fewshot.experiments.translation_maml import (
    Corpus,
    adapt,
    languages,
    loss,
    main,
    maml_step,
    own_gradients,
    score,
    spread,
    transfer_step,
    translate,
    weights_of,
)
from fewshot.learners.optimization.translator import END, START, Translator


def stream(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return Translator()


@pytest.fixture
def corpus():
    return Corpus.draw([language(1), language(2), language(3)], 6, stream())


def test_a_language_is_that_of_its_number():
    one, again, two = language(7), language(7), language(8)
    for name in ("places", "words", "vectors"):
        assert torch.equal(getattr(one, name), getattr(again, name))
        assert not torch.equal(getattr(one, name), getattr(two, name))


def test_a_corpus_is_that_of_its_seed():
    spoken = [language(1), language(2)]
    one, again, other = (Corpus.draw(spoken, 5, stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.source, again.source)
    assert torch.equal(one.target, again.target)
    assert not torch.equal(one.source, other.source)


@pytest.mark.parametrize("seed", [1, 2, 123])
def test_held_out_languages_are_never_trained_on(seed):
    """No two of 86 share a lexicon; that two share one by chance has a probability of 1e-50."""
    parts = {part: languages(part, seed) for part in ("training", "validation", "test")}
    assert [len(found) for found in parts.values()] == [64, 6, 16]
    lexicons = [tuple(each.words.tolist()) for found in parts.values() for each in found]
    assert len(set(lexicons)) == len(lexicons)
    other = {tuple(each.words.tolist()) for each in languages("training", seed + 1)}
    assert not other & set(lexicons)


def test_training_draws_on_training_languages_alone(model, monkeypatch):
    spoken = languages("training", 1)
    seen = []
    original = Corpus.draw.__func__

    def spy(cls, spoken, count, generator):
        seen.extend(spoken)
        return original(cls, spoken, count, generator)

    monkeypatch.setattr(Corpus, "draw", classmethod(spy))
    transfer_step(model, spoken, stream())
    maml_step(model, spoken, stream())
    assert seen
    assert all(any(each is one for one in spoken) for each in seen)


def test_meanings():
    """Of 4,000 each share is within .5 ± .05 but for a chance of 1e-9."""
    meanings = draw(4000, stream())
    assert meanings.shape == (4000, LONGEST)
    for place in (1, 6):
        assert meanings[:, place].unique().tolist() == list(range(NOUNS))
    assert meanings[:, 3].unique().tolist() == list(range(NOUNS, NOUNS + VERBS))
    for place in (0, 5):
        assert meanings[:, place].unique().tolist() == [*range(NOUNS + VERBS, PLURAL), NOTHING]
    for place, concept in ((2, PLURAL), (4, PAST), (7, PLURAL)):
        assert meanings[:, place].unique().tolist() == sorted([concept, NOTHING])
    for place in (0, 2, 4, 5, 7):
        there = (meanings[:, place] != NOTHING).float().mean().item()
        assert there == pytest.approx(0.5, abs=0.05)


def test_english():
    adjective, cat, hat, see = NOUNS + VERBS, 1, 2, NOUNS
    meanings = torch.tensor(
        [
            [adjective, cat, PLURAL, see, PAST, adjective, hat, PLURAL],
            [NOTHING, cat, NOTHING, see, PAST, NOTHING, hat, NOTHING],
        ]
    )
    said = english().say(meanings)
    assert said[0].tolist() == meanings[0].tolist()
    assert said[1].tolist() == [cat, see, PAST, hat, *[NOTHING] * 4]


def test_every_language_says_the_same_in_its_own_words_and_order():
    meanings = draw(200, stream())
    orders, sides = set(), set()
    for seed in range(1, 80):
        spoken = language(seed)
        assert sorted(spoken.places.tolist()) == list(range(LONGEST))
        said = spoken.say(meanings)
        concept_of = torch.cat([spoken.words.argsort(), torch.tensor([NOTHING])])
        understood = concept_of[said]
        for ours, theirs in zip(understood.tolist(), meanings.tolist(), strict=True):
            assert sorted(ours) == sorted(theirs)
            length = sum(concept != NOTHING for concept in ours)
            assert NOTHING not in ours[:length], "what is not said leaves no gap"
        place = {p: i for i, p in enumerate(spoken.places.tolist())}
        orders.add(tuple(sorted((1, 3, 6), key=place.get)))
        first, second = (
            (place[a] < place[n], place[m] < place[n]) for a, n, m in ((0, 1, 2), (5, 6, 7))
        )
        assert first == second, "subject and object alike"
        sides.add((*first, place[4] < place[3]))
    # All 6 and 8 in 79 languages but for a chance of 6·(5/6)^79 + 8·(7/8)^79 < 3e-4, once.
    assert len(orders) == 6
    assert len(sides) == 8


def test_vectors_are_those_of_the_concept_and_noise():
    """The 58,880 differences' deviation is within 3 % of the true one but for a chance of 1e-20."""
    differences = torch.stack(
        [spoken.vectors[spoken.words] - concepts() for spoken in map(language, range(1, 81))]
    )
    assert differences.std().item() == pytest.approx(NOISE, rel=0.03)
    assert concepts().shape == (CONCEPTS, WIDTH)


def test_a_words_number_tells_nothing(model, corpus):
    """Other numbers for the words, and their vectors with them, give the same translation."""
    order = torch.randperm(CONCEPTS, generator=stream())
    rows = order.argsort()
    renamed = torch.cat([order, torch.tensor([NOTHING])])[corpus.source]
    begun = F.pad(corpus.target, (1, 0), value=START)
    with torch.no_grad():
        straight = model(corpus.vectors, corpus.source, begun)
        torch.testing.assert_close(
            model(corpus.vectors[:, rows], renamed, begun), straight, atol=1e-5, rtol=1e-5
        )
        model.own.normal_(generator=stream())
        apart = model(corpus.vectors[:, rows], renamed, begun)
        assert not torch.allclose(apart, model(corpus.vectors, corpus.source, begun), atol=0.1)


def test_the_translator_looks_at_no_later_word(model, corpus):
    begun = F.pad(corpus.target, (1, 0), value=START)
    changed = begun.clone()
    changed[:, :, 4:] = (changed[:, :, 4:] + 1) % CONCEPTS
    with torch.no_grad():
        one, two = (model(corpus.vectors, corpus.source, seen) for seen in (begun, changed))
    torch.testing.assert_close(one[:, :, :4], two[:, :, :4])
    assert not torch.allclose(one[:, :, 4:], two[:, :, 4:])
    short = model(corpus.vectors, corpus.source, begun[:, :, :4])
    torch.testing.assert_close(short, one[:, :, :4], atol=1e-5, rtol=1e-5)


def test_languages_adapt_by_themselves(model, corpus):
    weights = {
        name: w + 0.01 * torch.randn(w.shape, generator=stream())
        for name, w in spread(weights_of(model), 3).items()
    }
    together = own_gradients(model, weights, corpus)
    for i in range(3):
        alone = {name: w[i].detach().requires_grad_() for name, w in weights.items()}
        one = Corpus(corpus.vectors[[i]], corpus.source[[i]], corpus.target[[i]])
        gradients = torch.autograd.grad(loss(model, alone, one), list(alone.values()))
        for (name, found), expected in zip(together.items(), gradients, strict=True):
            torch.testing.assert_close(found[i], expected, atol=1e-5, rtol=1e-4, msg=name)


def test_adaptation_is_the_optimizer_on_the_few_sentences(model, corpus):
    start = weights_of(model)
    kept = copy.deepcopy(start)
    found = adapt(model, start, corpus, lambda weights: torch.optim.SGD(weights, 0.05), (1, 3))
    expected = spread(start, 3)
    for step in (1, 2, 3):
        gradients = own_gradients(model, expected, corpus)
        expected = {name: w - 0.05 * gradients[name] for name, w in expected.items()}
        if step in found:
            for name, weight in expected.items():
                torch.testing.assert_close(found[step][name], weight, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(kept[name], weight) for name, weight in start.items())
    assert found[3]["own"].abs().max() > 0, "a language learns about its own words"


def test_mamls_gradient_is_that_at_the_adapted_weights(model):
    spoken = languages("training", 1)
    maml_step(model, spoken, stream())
    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}

    generator, each = stream(), translation_maml.INNER_EACH
    some = torch.randint(64, (translation_maml.META_LANGUAGES,), generator=generator)
    drawn = Corpus.draw([spoken[i] for i in some], 2 * each, generator)
    total = {name: torch.zeros_like(weight) for name, weight in found.items()}
    for i in range(len(some)):
        one = Corpus(drawn.vectors[[i]], drawn.source[[i]], drawn.target[[i]])
        adapted = copy.deepcopy(model)
        optimizer = torch.optim.SGD(adapted.parameters(), translation_maml.INNER_RATE)
        for sentences in [slice(each)] * translation_maml.INNER_STEPS + [slice(each, None)]:
            optimizer.zero_grad()
            weights = dict(adapted.named_parameters())
            loss(adapted, weights, one.part(sentences)).backward()
            if sentences.start is None:
                optimizer.step()
        for name, weight in adapted.named_parameters():
            total[name] += weight.grad / len(some)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, total[name], atol=1e-5, rtol=1e-3, msg=name)


def test_translating_takes_the_most_probable_word_each_time(model, corpus):
    weights = spread(weights_of(model), 3)
    found = translate(model, weights, corpus)
    assert found.shape == (3, 6, 9)
    begun = F.pad(found[:, :, :-1], (1, 0), value=START)
    with torch.no_grad():
        assert torch.equal(model(corpus.vectors, corpus.source, begun).argmax(-1), found)
    blind = Corpus(corpus.vectors, corpus.source, torch.full_like(corpus.target, END))
    assert torch.equal(translate(model, weights, blind), found), "the answers are not looked at"


def test_scores():
    E = END
    target = torch.tensor([[[1, 2, 3, E, E, E, E, E], [4, 5, E, E, E, E, E, E]]])
    right = torch.tensor([[1, 2, 3, E, 9, 9, E, E, E], [4, 5, E, E, E, E, E, E, E]])
    short = torch.tensor([[1, 2, E, 3, E, E, E, E, E], [4, 5, E, E, E, E, E, E, E]])
    long = torch.tensor([[1, 2, 3, E, E, E, E, E, E], [4, 5, 6, 7, E, E, E, E, E]])
    assert score(right[None], target).tolist() == [[1], [1]]
    for wrong, words in ((short, 4 / 5), (long, 5 / 7)):
        found = score(wrong[None], target)
        assert found[:, 0].tolist() == pytest.approx([words, 1 / 2])


def test_the_translator_learns():
    """The English by itself has 1.60 nats a word (`draw`, over 9 places): less needs the source."""
    torch.manual_seed(1)
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    generator, spoken = stream(), languages("training", 1)
    for _ in range(50):
        optimizer.zero_grad()
        transfer_step(model, spoken, generator)
        optimizer.step()
    asked = Corpus.draw(languages("test", 1), 8, generator)
    with torch.no_grad():
        assert loss(model, weights_of(model), asked) < 1.5


@pytest.fixture
def here(monkeypatch, in_process):
    """The command in this process, made small: words → exit status."""
    monkeypatch.setattr(translation_maml, "SAVE_EVERY", 1)
    parts = {"training": (0, 6), "validation": (5000, 2), "test": (6000, 3)}
    monkeypatch.setattr(translation_maml, "PARTS", parts)
    monkeypatch.setattr(translation_maml, "ASKED", 3)
    monkeypatch.setattr(translation_maml, "SENTENCES", (2, 4))
    monkeypatch.setattr(translation_maml, "TOGETHER", 2)
    monkeypatch.setattr(translation_maml, "META_LANGUAGES", 2)
    few = {"scratch": (("Adam 0.003",), (1,)), "transfer": (("SGD 0.1",), (1, 2))}
    monkeypatch.setattr(translation_maml, "CHOICES", {**few, "MAML": few["transfer"]})
    return partial(in_process, main)


def test_a_run_and_one_that_was_stopped(tmp_path, here, capsys, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert here("--steps", 4, "--out", whole) == 0
    table = (whole / "table.md").read_text()
    assert table in capsys.readouterr().out
    rows = re.findall(
        r"^\| (\d+) \| (\w+) \| .+ \| [\d.]+ ± [\d.]+ \| [\d.]+ ± [\d.]+ \|$", table, re.M
    )
    assert rows == [(n, m) for n in "024" for m in ("scratch", "transfer", "MAML")]
    assert len(re.findall(r"^- \d sentences: words [+-]", table, re.M)) == 3
    picture = np.asarray(Image.open(whole / "translation_maml.png").convert("L"), float)
    assert min(picture.shape) > 500
    assert (picture < 200).mean() > 0.01
    for file in ("together", "transfer", "MAML"):
        kept = torch.load(whole / f"{file}.pt", weights_only=True)["model"]
        assert kept["own"].eq(0).all(), "training says nothing about a word's number"

    step, calls = translation_maml.transfer_step, []

    def stops(*arguments):
        calls.append(None)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(translation_maml, "transfer_step", stops)
    assert here("--steps", 4, "--out", cut) == 130
    assert here("--steps", 4, "--out", cut) == 0
    assert len(calls) == 9, "one step was lost"
    assert (cut / "table.md").read_text() == table


def test_the_second_half_has_sentences_of_its_own(tmp_path, here, monkeypatch):
    step, seeds = translation_maml.transfer_step, []

    def watched(model, spoken, generator):
        seeds.append(generator.initial_seed())
        step(model, spoken, generator)

    monkeypatch.setattr(translation_maml, "transfer_step", watched)
    assert here("--steps", 1, "--out", tmp_path) == 0
    together, transfer = seeds
    assert together != transfer


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--steps", "0"], "'0' is no number from 1 on"),
        (["--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, here, capsys, more, said):
    assert here("--out", tmp_path, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
