"""Home Depot product search with MiniLM: learned n-grams, exact ones, and meaning.

recjax data prepare home_depot
recjax train experiments/omnisearchsage_home_depot_minilm.py --workdir runs/omni_minilm

The same as `omnisearchsage_home_depot.py` (learned and exact n-grams), and beside them
MiniLM's vector of the same text, as its makers trained it: scores add up. Training
never sees that part, so it takes no longer; embedding the products does. MiniLM (90 MB)
is fetched when it is not there.
"""

from dataclasses import replace

from recjax.bundle.two_tower import Bundle
from recjax.data.search import Search
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses import SampledSoftmax
from recjax.models import Table, Tower, TwoTower
from recjax.nn.inputs import EmbeddingBag, Scaled
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.optim import Adam, Frozen, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.pretrained.warm_start import Bert
from recjax.text.features import NGrams, Pieces
from recjax.text.ngrams import TextRules

LEARNED, EXACT = 512, 2_048
SHARE = 0.5
"""How much the exact score counts, where the learned one counts 1."""
MINILM = "minilm_l6"
ENCODER = TransformerSettings(30_522, max_length=32)


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="omnisearchsage_home_depot_minilm",
        seed=0,
        steps=1_500,
        data=Search(
            "home_depot",
            batch_size=1_024,
            negatives=0,
            ngrams=NGrams(
                100_000,
                200_000,
                30_000,
                min_count=2,
                rules=TextRules(split_digits=True, strip_plurals=True, once=True),
                kind_weights=(1.0, 0.5, 0.5),
                idf_power=0.5,
            ),
            query_length=48,
            title_length=112,
            pieces=Pieces(folder=MINILM),
            query_pieces=24,
            title_pieces=32,
            title_share=0.7,
        ),
        model=TwoTower(
            # Queries have length 1 in both parts, titles the root of their length: so
            # longer ones may say more, half of BM25's idea of length.
            query=Tower(
                {"text": EmbeddingBag("token", "importance", 1.0)},
                LEARNED,
                normalize=False,
                frozen_inputs={
                    "text": EmbeddingBag("exact", "importance", 1.0),
                    "pieces": Scaled(Transformer(ENCODER, dtype="float32")),
                },
            ),
            candidate=Tower(
                {"text": EmbeddingBag("token", "importance", 0.5)},
                LEARNED,
                normalize=False,
                frozen_inputs={
                    "text": EmbeddingBag("exact", "importance", 0.5),
                    "pieces": Scaled(Transformer(ENCODER, dtype="float32")),
                },
            ),
            tables={
                "token": Table(LEARNED, scale=LEARNED**-0.5, distinct=24_576),
                "importance": Table(1, from_weight=True, distinct=24_576),
                # A title's length is under a root, so its scale is too.
                "exact": Table(EXACT, scale=SHARE**2 * EXACT**-0.5),
            },
            temperature=0.2,
        ),
        losses={"softmax": SampledSoftmax()},
        optimizer=Optimizer(
            rules={
                "tables/importance": RowwiseAdagrad(0.1),
                "tables/.*": RowwiseAdagrad(0.02),
                ".*_fixed/.*": Frozen(),
                ".*": Adam(1e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
        warm_start={
            "query/pieces_fixed/of": Bert(MINILM),
            "candidate/pieces_fixed/of": Bert(MINILM),
        },
        evals={
            "omnisearchsage": Ranking("test"),
            "bm25": Ranking("test", Bm25(), ties="order"),
            "validation": Ranking("validation"),
        },
        # A SavedModel cannot make word pieces.
        export=Bundle(),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    fixed = {"pieces": Scaled(Transformer(encoder))}
    model = replace(
        full.model,
        query=full.model.query.clone(
            frozen_inputs={**full.model.query.frozen_inputs, **fixed}
        ),
        candidate=full.model.candidate.clone(
            frozen_inputs={**full.model.candidate.frozen_inputs, **fixed}
        ),
    )
    data = replace(
        full.data,
        batch_size=64,
        ngrams=replace(full.data.ngrams, unigrams=2_000, bigrams=2_000, trigrams=2_000),
        query_length=16,
        title_length=32,
        pieces=Pieces(encoder.vocabulary),
        query_pieces=12,
        title_pieces=12,
    )
    return replace(
        full,
        name="omnisearchsage_home_depot_minilm_tiny",
        steps=20,
        data=data,
        model=model,
        warm_start={},
    )
