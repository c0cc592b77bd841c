"""Every learner that `compare` knows, by name."""

from collections.abc import Callable
from functools import partial

from fewshot.learners.blackbox import cells_on_blocks
from fewshot.learners.blackbox.mann import MANN
from fewshot.learners.blackbox.snail import SNAIL
from fewshot.learners.generative.glyph_prototypical import GlyphPrototypical
from fewshot.learners.generative.hallucination import Hallucination
from fewshot.learners.generative.k_shot import KShot, KShotPlain
from fewshot.learners.learner import Learner
from fewshot.learners.metric.matching import Matching
from fewshot.learners.metric.nearest import NearestEmbeddings, NearestPixels
from fewshot.learners.metric.prototypical import Prototypical
from fewshot.learners.metric.relation import Relation
from fewshot.learners.metric.siamese import Siamese, SiameseTriplet
from fewshot.learners.optimization.maml import MAML
from fewshot.learners.optimization.meta_lstm import MetaLSTM
from fewshot.learners.optimization.meta_networks import MetaNetworks
from fewshot.learners.optimization.reptile import Reptile

# (num_classes N, num_shot K) → a new learner for such tasks.
LEARNERS: dict[str, Callable[[int, int], Learner]] = {
    "glyph_prototypical": GlyphPrototypical,
    "hallucination": Hallucination,
    "k_shot": KShot,
    "k_shot_plain": KShotPlain,
    "maml": MAML,
    "maml_first_order": partial(MAML, first_order=True),
    "mann": MANN,
    "mann_lrua": cells_on_blocks.least_recently_used,
    "matching": Matching,
    "meta_lstm": MetaLSTM,
    "meta_networks": MetaNetworks,
    "nearest_embeddings": NearestEmbeddings,
    "nearest_pixels": NearestPixels,
    "ntm": cells_on_blocks.neural_turing_machine,
    "prototypical": Prototypical,
    "queue_memory": cells_on_blocks.queue,
    "relation": Relation,
    "reptile": Reptile,
    "siamese": Siamese,
    "siamese_triplet": SiameseTriplet,
    "snail": SNAIL,
}
