"""Product search on day one: matching words and meaning added up, nothing is trained.

recjax data prepare home_depot
recjax train experiments/search_without_training.py --workdir runs/search

BM25 finds the words of a query in titles, and runs of three letters, which misspelt
words and compounds share; MiniLM, as its makers trained it, finds what is close in
meaning. How much each counts is chosen on judged queries that are not those of the
test: `choose_on` may name the training queries too, since no part learns from them, so
some tens of judged queries are enough:

recjax train experiments/search_without_training.py --variant "few labels" \
    --workdir runs/few

chooses on 50 and on 500 of them, three draws each. `reranked` finds by BM25 alone, and
has MiniLM re-rank the best 30. MiniLM (90 MB) is fetched when it is
not there; embedding 54,667 titles takes most of the time. The bundle answers by all
that helps: `recjax export runs/search --to bundles/search`.
"""

from dataclasses import replace

import recjax as rj

MINILM = "minilm_l6"
LETTERS = rj.evals.Bm25("trigrams", k1=0.6, b=0.5)
"""k1 and b are chosen on validation queries."""
LABELS, DRAWS = (50, 500), 3


def tower(settings: rj.nn.TransformerSettings) -> rj.nn.Tower:
    """Returns the encoder as it is."""
    return rj.nn.Tower({"pieces": rj.nn.Transformer(settings)}, settings.width)


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    encoder = rj.nn.TransformerSettings(30_522, max_length=32)
    fusion = rj.evals.Fusion(
        {"words": rj.evals.Bm25(), "letters": LETTERS, "meaning": None},
        choose_on=("train", "validation"),
        unjudged={"words": 1.0, "meaning": 2.0},
    )
    second = replace(
        fusion,
        parts={n: part for n, part in fusion.parts.items() if n != "meaning"},
        unjudged={"words": 1.0},
        rerank={"meaning": None},
    )
    return rj.Experiment(
        name="search_without_training",
        seed=0,
        steps=0,
        data=rj.data.Search(
            "home_depot",
            batch_size=64,
            negatives=0,
            ngrams=rj.text.NGrams(1_000, 0, 0),
            pieces=rj.text.Pieces(folder=MINILM),
            query_pieces=24,
            title_pieces=32,
        ),
        model=rj.models.TwoTower(query=tower(encoder), candidate=None, tables={}),
        losses={"softmax": rj.losses.SampledSoftmax()},
        optimizer=rj.optim.Optimizer(
            rules={".*": rj.optim.Frozen()}, schedule=rj.optim.WarmupCosine(warmup=1)
        ),
        warm_start={"query/pieces": rj.pretrained.Bert(MINILM)},
        evals={
            "fusion": rj.evals.Ranking("test", fusion),
            "reranked": rj.evals.Ranking("test", second),
            "minilm": rj.evals.Ranking("test"),
            "bm25": rj.evals.Ranking("test", rj.evals.Bm25()),
            "letters": rj.evals.Ranking("test", LETTERS),
        },
        export=rj.bundle.Bundle(fusion=fusion),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the experiment, and one that chooses on few training queries."""
    fusion = base.export.fusion
    drawn = {
        f"{labels} labels, draw {draw}": rj.evals.Ranking(
            "test",
            replace(fusion, choose_on=("train",), queries=labels, draw=draw),
        )
        for labels in LABELS
        for draw in range(DRAWS)
    }
    alone = {n: base.evals[n] for n in ("minilm", "bm25", "letters")}
    return {"all": base, "few labels": replace(base, evals={**drawn, **alone})}


def tiny() -> rj.Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = rj.nn.TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    data = replace(
        full.data,
        batch_size=32,
        pieces=rj.text.Pieces(encoder.vocabulary),
        query_pieces=12,
        title_pieces=12,
    )
    model = replace(full.model, query=tower(encoder))
    return replace(
        full,
        name="search_without_training_tiny",
        data=data,
        model=model,
        warm_start={},
    )
