"""Home Depot product search, from scratch: learned n-grams beside exact ones.

recjax data prepare home_depot
recjax train experiments/omnisearchsage_home_depot.py --workdir runs/omni_home_depot

An embedding has two parts whose scores add up. 512 numbers are learned, as in
`two_tower_home_depot.py` but from larger batches. 2,048 are not: each n-gram has a
random direction there, so that their scores are nearly those of the shared n-grams
themselves, weighted by the learned importance. What was learned finds other words for
the same thing, what was not tells apart what the learned part has moved together.
"""

from dataclasses import replace

from recjax.data.search import Search
from recjax.data.text.ngrams import TextRules
from recjax.data.text_features import NGrams
from recjax.evals.cheap import Bm25Baseline
from recjax.evals.corpus import CorpusRanking
from recjax.experiment import Experiment
from recjax.export.bundle import Bundle
from recjax.losses import SampledSoftmax
from recjax.models import Table, Tower, TwoTower
from recjax.nn.inputs import Bag
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine

LEARNED, EXACT = 512, 2_048
SHARE = 0.5
"""How much the exact score counts, where the learned one counts 1."""


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="omnisearchsage_home_depot",
        seed=0,
        steps=1_500,
        data=Search(
            "home_depot",
            # The other 1,023 positives are the negatives: most of them are titles drawn
            # uniformly, so none are drawn besides.
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
            title_share=0.7,
        ),
        model=TwoTower(
            # Queries have length 1 in both parts, titles the root of their length: so
            # longer ones may say more, half of BM25's idea of length.
            query=Tower(
                {"text": Bag("token", "importance", 1.0)},
                LEARNED,
                normalize=False,
                fixed={"text": Bag("exact", "importance", 1.0)},
            ),
            candidate=Tower(
                {"text": Bag("token", "importance", 0.5)},
                LEARNED,
                normalize=False,
                fixed={"text": Bag("exact", "importance", 0.5)},
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
                ".*": Adam(1e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
        evals={
            "omnisearchsage": CorpusRanking("test"),
            "bm25": Bm25Baseline("test", ties="order"),
            "validation": CorpusRanking("validation"),
        },
        export=Bundle(),
    )


def tiny() -> Experiment:
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
