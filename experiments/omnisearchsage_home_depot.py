"""Home Depot product search, from scratch: learned n-grams beside exact ones.

recjax data prepare home_depot
recjax train experiments/omnisearchsage_home_depot.py --workdir runs/omni_home_depot
recjax sweep experiments/omnisearchsage_home_depot.py --workdir runs/omni_ablations \
    --seeds 0,1,2 --show validation/recall@10,validation/recall@100,validation/ndcg@10

An embedding has two parts whose scores add up. 512 numbers are learned, as in
`two_tower_home_depot.py` but from larger batches. 2,048 are not: each n-gram has a
random direction there, so that their scores are nearly those of the shared n-grams
themselves, weighted by the learned importance. What was learned finds other words for
the same thing, what was not tells apart what the learned part has moved together.
"""

from dataclasses import replace
from typing import Any

import recjax as rj
from recjax.nn.inputs import Scaled
from recjax.text.ngrams import TextRules

LEARNED, EXACT = 512, 2_048
SHARE = 0.5
"""How much the exact score counts, where the learned one counts 1."""
WIDTHS = ((64, 0.1), (128, 0.1), (256, 0.1), (LEARNED, 1.0))


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="omnisearchsage_home_depot",
        seed=0,
        steps=1_500,
        data=rj.data.Search(
            "home_depot",
            # The other 1,023 positives are the negatives: most of them are titles drawn
            # uniformly, so none are drawn besides.
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
            title_share=0.7,
        ),
        model=rj.models.TwoTower(
            # Queries have length 1 in both parts, titles the root of their length: so
            # longer ones may say more, half of BM25's idea of length.
            query=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 1.0)},
                LEARNED,
                normalize=False,
                frozen_inputs={"text": rj.nn.EmbeddingBag("exact", "importance", 1.0)},
            ),
            candidate=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 0.5)},
                LEARNED,
                normalize=False,
                frozen_inputs={"text": rj.nn.EmbeddingBag("exact", "importance", 0.5)},
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
                ".*": rj.optim.Adam(1e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "omnisearchsage": rj.evals.Ranking("test"),
            "bm25": rj.evals.Ranking("test", rj.evals.Bm25(), ties="order"),
            "validation": rj.evals.Ranking("validation"),
        },
        export=rj.bundle.Bundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the ablations, on validation alone; small batches for drawn negatives."""
    base = replace(base, evals={"validation": base.evals["validation"]})
    size = base.data.batch_size // 4
    small = replace(base, data=replace(base.data, batch_size=size))
    cosines = replace(base, model=with_cosines(base.model))
    return {
        "all": base,
        "no exact n-grams": replace(base, model=without_exact(base.model)),
        "no logQ": with_loss(base, logq=False),
        "no masks": with_loss(base, mask_same_item=False, mask_same_query=False),
        "unigrams alone": with_ngrams(base, bigrams=0, trigrams=0),
        "no character trigrams": with_ngrams(base, trigrams=0),
        "a tenth of the n-grams": with_ngrams(
            base, unigrams=10_000, bigrams=20_000, trigrams=3_000
        ),
        "word pieces": with_pieces(base),
        "cosines": cosines,
        "cosines of four widths": with_loss(cosines, widths=WIDTHS),
        "small batch": small,
        **{
            f"small batch, {count} random negatives": with_negatives(small, count)
            for count in (1, 4, 16)
        },
    }


def with_loss(full: rj.Experiment, **changes: Any) -> rj.Experiment:
    """Returns the experiment with a change of its loss."""
    loss = replace(full.losses["softmax"], **changes)
    return replace(full, losses={"softmax": loss})


def with_negatives(full: rj.Experiment, count: int) -> rj.Experiment:
    """Returns the experiment with negatives drawn for each pair."""
    data = replace(full.data, negatives=count * full.data.batch_size)
    # 4,352 titles of 16 negatives a pair touch 32 thousand distinct n-grams.
    tables = {
        name: replace(t, distinct=40_960) if t.distinct and count > 4 else t
        for name, t in full.model.tables.items()
    }
    model = replace(full.model, tables=tables)
    return with_loss(replace(full, data=data, model=model), random=True)


def with_ngrams(full: rj.Experiment, **changes: int) -> rj.Experiment:
    """Returns the experiment with other sizes of the vocabulary."""
    ngrams = replace(full.data.ngrams, **changes)
    return replace(full, data=replace(full.data, ngrams=ngrams))


def with_pieces(full: rj.Experiment) -> rj.Experiment:
    """Returns the experiment on learned word pieces instead of n-grams."""
    model = full.model
    sides = {
        side: tower.clone(
            inputs={"pieces": tower.inputs["text"]},
            frozen_inputs={"pieces": tower.frozen_inputs["text"]},
        )
        for side, tower in (("query", model.query), ("candidate", model.candidate))
    }
    data = replace(full.data, pieces=rj.text.Pieces(16_000), title_pieces=64)
    return replace(full, data=data, model=replace(model, **sides))


def with_cosines(model: rj.models.TwoTower) -> rj.models.TwoTower:
    """Returns the model whose titles all have the same length in each part."""
    exact = Scaled(rj.nn.EmbeddingBag("exact", "importance", 1.0), SHARE)
    return replace(
        model,
        query=model.query.clone(normalize=True),
        candidate=model.candidate.clone(normalize=True, frozen_inputs={"text": exact}),
    )


def without_exact(model: rj.models.TwoTower) -> rj.models.TwoTower:
    """Returns the model without the part that is not learned."""
    return replace(
        model,
        query=model.query.clone(frozen_inputs={}),
        candidate=model.candidate.clone(frozen_inputs={}),
        tables={name: t for name, t in model.tables.items() if name != "exact"},
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(
        full.data,
        batch_size=64,
        ngrams=replace(full.data.ngrams, unigrams=2_000, bigrams=2_000, trigrams=2_000),
        query_length=16,
        title_length=32,
    )
    return replace(full, name="omnisearchsage_home_depot_tiny", steps=20, data=data)
