"""A small transformer that translates into English from any language whose words have vectors."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.languages import CONCEPTS, LONGEST, NOTHING, WIDTH, concepts

EMBEDDING, HEADS, LAYERS = 48, 4, 2
START = END = NOTHING  # English: what comes before a sentence, and what fills its end


class Translator(nn.Module):
    """Words are looked up by their vectors, as in Gu et al. 2018, so that languages share them.

        α(x, m) = softmax_m(q(x)ᵀ A k_m)
        e(x)    = Σ_m α(x, m)·v_m + δ(x)

    with q(x) the vector of word x in its language, k_m those of English, and values v_m and A
    common to all languages. δ is what a language learns about its words for itself. It is a part
    of adaptation alone, and 0 before: a word's number means something else in each language.
    Then comes a transformer of two layers on both sides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(CONCEPTS + 1, EMBEDDING))  # δ
        self.align = nn.Parameter(torch.eye(WIDTH) / 2)  # A
        self.values = nn.Parameter(torch.randn(CONCEPTS, EMBEDDING))
        self.english = nn.Embedding(CONCEPTS + 1, EMBEDDING)
        self.place = nn.Parameter(torch.randn(2, LONGEST + 1, EMBEDDING) / 2)
        shape = {"dim_feedforward": 2 * EMBEDDING, "dropout": 0, "batch_first": True}
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(EMBEDDING, HEADS, norm_first=True, **shape),
            LAYERS,
            nn.LayerNorm(EMBEDDING),
            enable_nested_tensor=False,
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(EMBEDDING, HEADS, norm_first=True, **shape),
            LAYERS,
            nn.LayerNorm(EMBEDDING),
        )
        self.output = nn.Linear(EMBEDDING, CONCEPTS + 1)
        self.register_buffer("keys", concepts())
        self.register_buffer(
            "future", torch.ones(LONGEST + 1, LONGEST + 1, dtype=torch.bool).triu(1)
        )

    def forward(
        self, vectors: torch.Tensor, source: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """What each next English word is, given those before.

        Args:
            vectors: of the words of L languages, float32 [L, CONCEPTS, WIDTH].
            source: sentences of each, int64 [L, n, 8].
            target: the beginnings of their translations, int64 [L, n, T], T up to 9, START first.

        Returns:
            logits float32 [L, n, T, CONCEPTS + 1].
        """
        words = (vectors @ self.align @ self.keys.T).softmax(-1) @ self.values
        words = F.pad(words, (0, 0, 0, 1)) + self.own
        L, n, T = target.shape
        heard = words[torch.arange(L)[:, None, None], source] + self.place[0, :LONGEST]
        begun = self.english(target) + self.place[1, :T]
        states = self.decoder(
            begun.flatten(0, 1), self.encoder(heard.flatten(0, 1)), tgt_mask=self.future[:T, :T]
        )
        return self.output(states).view(L, n, T, -1)
