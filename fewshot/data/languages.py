"""Invented languages, as many as there are numbers: what a sentence means, and how they say it.

A sentence says that someone does something to someone: each noun may have an adjective and may be
many, and it may be past. All languages can say the same, and each has

- words of its own for every concept,
- an order of subject, verb and object,
- adjectives, plurals and pasts before or after what they belong to.

So in one language the first noun acts and in another it is acted upon, and no sentence by itself
tells which. What languages share is in the vectors of their words, which stand for word embeddings
learned from text of one language and mapped into a common space, as in Gu et al. 2018 ("Universal
neural machine translation for extremely low resource languages"): words of one concept have
vectors that differ by noise. English, the target of all translation here, has its concepts' own.
"""

from dataclasses import dataclass
from itertools import permutations

import torch

NOUNS, VERBS, ADJECTIVES = 24, 12, 8
PLURAL, PAST = NOUNS + VERBS + ADJECTIVES, NOUNS + VERBS + ADJECTIVES + 1
CONCEPTS = PAST + 1
WIDTH = 16  # of a word's vector
NOISE = 0.6  # beside vectors whose entries have variance 1
LONGEST = 8  # words of a sentence
NOTHING = CONCEPTS  # fills the end of a shorter sentence

# The places of a meaning: adjective, noun, plural; verb, past; adjective, noun, plural.
SUBJECT, VERB, OBJECT = (0, 1, 2), (3, 4), (5, 6, 7)
ORDERS = list(permutations(range(3)))


@dataclass(frozen=True)
class Language:
    """How a language says things.

    Attributes:
        places: int64 [8], the places of a meaning in the order of this language.
        words: int64 [CONCEPTS], the word of each concept, a number that tells nothing.
        vectors: float32 [CONCEPTS, WIDTH], by word.
    """

    places: torch.Tensor
    words: torch.Tensor
    vectors: torch.Tensor

    def say(self, meanings: torch.Tensor) -> torch.Tensor:
        """int64 [n, 8], as `draw` gives them → words int64 [n, 8], `NOTHING` at the end."""
        table = torch.cat([self.words, torch.tensor([NOTHING])])
        said = table[meanings[:, self.places]]
        return said.gather(1, (said == NOTHING).to(torch.int8).argsort(dim=1, stable=True))


def concepts() -> torch.Tensor:
    """The common space: float32 [CONCEPTS, WIDTH], the vectors of English."""
    return torch.randn(CONCEPTS, WIDTH, generator=torch.Generator().manual_seed(0))


def english() -> Language:
    """Subject, verb, object; adjectives before, the rest after; word i is concept i."""
    return Language(torch.arange(LONGEST), torch.arange(CONCEPTS), concepts())


def language(seed: int) -> Language:
    """The language of a number from 1 on: always the same, and another for every number."""
    generator = torch.Generator().manual_seed(seed)
    order, adjective, plural, past = (
        int(torch.randint(choices, (), generator=generator)) for choices in (len(ORDERS), 2, 2, 2)
    )

    def noun_phrase(adj: int, noun: int, many: int) -> list[int]:
        inner = [many, noun] if plural else [noun, many]
        return [adj, *inner] if adjective else [*inner, adj]

    verb = VERB if past else VERB[::-1]
    phrases = [noun_phrase(*SUBJECT), list(verb), noun_phrase(*OBJECT)]
    places = torch.tensor([place for phrase in ORDERS[order] for place in phrases[phrase]])
    words = torch.randperm(CONCEPTS, generator=generator)
    vectors = torch.empty(CONCEPTS, WIDTH)
    noise = torch.randn(CONCEPTS, WIDTH, generator=generator)
    vectors[words] = concepts() + NOISE * noise
    return Language(places, words, vectors)


def draw(count: int, generator: torch.Generator) -> torch.Tensor:
    """Random meanings: int64 [count, 8], a concept in each place or `NOTHING`."""

    def pick(first: int, choices: int) -> torch.Tensor:
        return first + torch.randint(choices, (count,), generator=generator)

    def perhaps(concept: torch.Tensor | int) -> torch.Tensor:
        there = torch.rand(count, generator=generator) < 0.5
        return torch.where(there, concept, NOTHING)

    def noun_phrase() -> list[torch.Tensor]:
        return [perhaps(pick(NOUNS + VERBS, ADJECTIVES)), pick(0, NOUNS), perhaps(PLURAL)]

    return torch.stack([*noun_phrase(), pick(NOUNS, VERBS), perhaps(PAST), *noun_phrase()], dim=1)
