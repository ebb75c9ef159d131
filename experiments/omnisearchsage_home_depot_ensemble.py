"""Home Depot product search by three models at once, exact n-grams, and MiniLM.

recjax data prepare home_depot
recjax train experiments/omnisearchsage_home_depot_ensemble.py --workdir runs/ensemble
recjax train experiments/omnisearchsage_home_depot_ensemble.py --workdir runs/scratch \
    --variant "no MiniLM"

The learned n-grams of `omnisearchsage_home_depot.py` three times over: each member
learns from pairs and spans of its own, and their scores add up, so that what one got
wrong by chance averages out. Their losses go without logQ, which ranked better on
validation. The first brings, for all of them, exact n-grams and MiniLM's vector as in
`omnisearchsage_home_depot_minilm.py`; MiniLM (90 MB) is fetched when it is not there.
"""

from dataclasses import replace

import recjax as rj
from recjax.models import Ensemble
from recjax.nn.inputs import Scaled
from recjax.text.ngrams import TextRules

MEMBERS = 3
LEARNED, EXACT = 512, 2_048
SHARE = 0.5 * MEMBERS
"""How much the exact score counts, where the learned one of a member counts 1."""
FUSION = rj.evals.Fusion(
    {
        "model": None,
        "words": rj.evals.Bm25(),
        "letters": rj.evals.Bm25("trigrams", k1=0.6, b=0.5),
    }
)
"""The model, and words and runs of letters matched as BM25 does, added up."""
MINILM = "minilm_l6"
ENCODER = rj.nn.TransformerSettings(30_522, max_length=32)


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="omnisearchsage_home_depot_ensemble",
        seed=0,
        steps=1_500,
        data=rj.data.Search(
            "home_depot",
            batch_size=1_024 * MEMBERS,
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
        model=ensemble(ENCODER),
        losses={
            f"softmax_{m}": rj.losses.SampledSoftmax(of=str(m), logq=False)
            for m in range(MEMBERS)
        },
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/importance.*": rj.optim.RowwiseAdagrad(0.1),
                "tables/.*": rj.optim.RowwiseAdagrad(0.02),
                ".*_fixed/.*": rj.optim.Frozen(),
                ".*": rj.optim.Adam(1e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        warm_start={
            "query_0/pieces_fixed/of": rj.pretrained.Bert(MINILM),
            "candidate_0/pieces_fixed/of": rj.pretrained.Bert(MINILM),
        },
        evals={
            "omnisearchsage": rj.evals.Ranking("test"),
            "bm25": rj.evals.Ranking("test", rj.evals.Bm25(), ties="order"),
            "validation": rj.evals.Ranking("validation"),
            "fusion": rj.evals.Ranking("test", FUSION),
        },
        # A SavedModel cannot make word pieces.
        export=rj.bundle.Bundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the experiment with MiniLM and without."""
    data = replace(base.data, pieces=None)
    alone = replace(base, data=data, model=ensemble(None), warm_start={})
    return {"all": base, "no MiniLM": alone}


def ensemble(encoder: rj.nn.TransformerSettings | None) -> Ensemble:
    """Returns the members; the first brings exact n-grams, and an encoder if any."""
    alone = rj.models.TwoTower(
        # Queries have length 1 in all parts, titles the root of their length.
        query=tower(1.0),
        candidate=tower(0.5),
        tables={
            "token": rj.models.Table(LEARNED, scale=LEARNED**-0.5, distinct=24_576),
            "importance": rj.models.Table(1, from_weight=True, distinct=24_576),
        },
        temperature=0.2,
    )
    # A title's length is under a root, so the scale of exact n-grams is too.
    exact = rj.models.Table(EXACT, scale=SHARE**2 * EXACT**-0.5)
    first = replace(
        alone,
        query=alone.query.clone(frozen_inputs=fixed(1.0, encoder)),
        candidate=alone.candidate.clone(frozen_inputs=fixed(0.5, encoder)),
        tables={**alone.tables, "exact": exact},
    )
    return Ensemble((first, *[alone] * (MEMBERS - 1)))


def tower(norm: float) -> rj.nn.Tower:
    """Returns a tower of n-grams whose vectors have this root of length divided out."""
    text = rj.nn.EmbeddingBag("token", "importance", norm)
    return rj.nn.Tower({"text": text}, LEARNED, normalize=False)


def fixed(
    norm: float, encoder: rj.nn.TransformerSettings | None
) -> dict[str, rj.nn.EmbeddingBag | Scaled]:
    """Returns what is joined once training is over."""
    exact = {"text": rj.nn.EmbeddingBag("exact", "importance", norm)}
    if encoder is None:
        return exact
    pieces = Scaled(rj.nn.Transformer(encoder), MEMBERS**0.5)
    return {**exact, "pieces": pieces}


def tiny() -> rj.Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = rj.nn.TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    data = replace(
        full.data,
        batch_size=64 * MEMBERS,
        ngrams=replace(full.data.ngrams, unigrams=2_000, bigrams=2_000, trigrams=2_000),
        query_length=16,
        title_length=32,
        pieces=rj.text.Pieces(encoder.vocabulary),
        query_pieces=12,
        title_pieces=12,
    )
    return replace(
        full,
        name="omnisearchsage_home_depot_ensemble_tiny",
        steps=20,
        data=data,
        model=ensemble(encoder),
        warm_start={},
    )
