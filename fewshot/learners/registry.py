"""Every learner that `compare` knows, by name."""

from collections.abc import Callable

from fewshot.learners.blackbox import cells_on_blocks
from fewshot.learners.blackbox.mann import MANN
from fewshot.learners.blackbox.snail import SNAIL
from fewshot.learners.learner import Learner
from fewshot.learners.metric.matching import Matching
from fewshot.learners.metric.nearest import NearestEmbeddings, NearestPixels
from fewshot.learners.metric.prototypical import Prototypical
from fewshot.learners.metric.relation import Relation
from fewshot.learners.metric.siamese import Siamese, SiameseTriplet

# (num_classes N, num_shot K) → a new learner for such tasks.
LEARNERS: dict[str, Callable[[int, int], Learner]] = {
    "mann": MANN,
    "mann_lrua": cells_on_blocks.least_recently_used,
    "matching": Matching,
    "nearest_embeddings": NearestEmbeddings,
    "nearest_pixels": NearestPixels,
    "ntm": cells_on_blocks.neural_turing_machine,
    "prototypical": Prototypical,
    "queue_memory": cells_on_blocks.queue,
    "relation": Relation,
    "siamese": Siamese,
    "siamese_triplet": SiameseTriplet,
    "snail": SNAIL,
}
