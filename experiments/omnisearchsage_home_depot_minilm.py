"""Home Depot product search with MiniLM: learned n-grams, exact ones, and meaning.

recjax data prepare home_depot
recjax train experiments/omnisearchsage_home_depot_minilm.py --workdir runs/omni_minilm

The same as `omnisearchsage_home_depot.py` (learned and exact n-grams), and beside them
MiniLM's vector of the same text, as its makers trained it: scores add up. Training
never sees that part, so it takes no longer; embedding the products does. MiniLM (90 MB)
is fetched when it is not there.
"""

from dataclasses import replace

import recjax as rj
from recjax.nn.inputs import Scaled
from recjax.text.ngrams import TextRules

LEARNED, EXACT = 512, 2_048
SHARE = 0.5
"""How much the exact score counts, where the learned one counts 1."""
MINILM = "minilm_l6"
ENCODER = rj.nn.TransformerSettings(30_522, max_length=32)


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="omnisearchsage_home_depot_minilm",
        seed=0,
        steps=1_500,
        data=rj.data.Search(
            "home_depot",
            batch_size=1_024,
            negatives=0,
            ngrams=rj.text.NGrams(
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
            pieces=rj.text.Pieces(folder=MINILM),
            query_pieces=24,
            title_pieces=32,
            title_share=0.7,
        ),
        model=rj.models.TwoTower(
            # Queries have length 1 in both parts, titles the root of their length: so
            # longer ones may say more, half of BM25's idea of length.
            query=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 1.0)},
                LEARNED,
                normalize=False,
                frozen_inputs={
                    "text": rj.nn.EmbeddingBag("exact", "importance", 1.0),
                    "pieces": Scaled(rj.nn.Transformer(ENCODER)),
                },
            ),
            candidate=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 0.5)},
                LEARNED,
                normalize=False,
                frozen_inputs={
                    "text": rj.nn.EmbeddingBag("exact", "importance", 0.5),
                    "pieces": Scaled(rj.nn.Transformer(ENCODER)),
                },
            ),
            tables={
                "token": rj.models.Table(LEARNED, scale=LEARNED**-0.5, distinct=24_576),
                "importance": rj.models.Table(1, from_weight=True, distinct=24_576),
                # A title's length is under a root, so its scale is too.
                "exact": rj.models.Table(EXACT, scale=SHARE**2 * EXACT**-0.5),
            },
            temperature=0.2,
        ),
        losses={"softmax": rj.losses.SampledSoftmax()},
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/importance": rj.optim.RowwiseAdagrad(0.1),
                "tables/.*": rj.optim.RowwiseAdagrad(0.02),
                ".*_fixed/.*": rj.optim.Frozen(),
                ".*": rj.optim.Adam(1e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        warm_start={
            "query/pieces_fixed/of": rj.pretrained.Bert(MINILM),
            "candidate/pieces_fixed/of": rj.pretrained.Bert(MINILM),
        },
        evals={
            "omnisearchsage": rj.evals.Ranking("test"),
            "bm25": rj.evals.Ranking("test", rj.evals.Bm25(), ties="order"),
            "validation": rj.evals.Ranking("validation"),
        },
        # A SavedModel cannot make word pieces.
        export=rj.bundle.Bundle(),
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = rj.nn.TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    fixed = {"pieces": Scaled(rj.nn.Transformer(encoder))}
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
        pieces=rj.text.Pieces(encoder.vocabulary),
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
