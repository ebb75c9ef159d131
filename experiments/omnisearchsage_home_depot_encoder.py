"""Home Depot: MiniLM fine-tuned on what its queries and products say.

recjax data prepare home_depot
recjax train  experiments/omnisearchsage_home_depot_encoder.py --workdir runs/encoder
recjax export runs/encoder --to bundles/encoder

One encoder embeds queries and titles, from the weights of MiniLM (90 MB, fetched when
it is not there). The folder that is exported holds its new weights, and any reader of
such folders takes it: `omnisearchsage_home_depot_minilm.py` joins it to n-grams.
"""

from dataclasses import replace

from recjax.bundle.pretrained_export import EncoderFolder
from recjax.data.search import Search
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses import SampledSoftmax
from recjax.models import Tower, TwoTower
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.optim import Adam, Optimizer, WarmupCosine
from recjax.pretrained.warm_start import Bert
from recjax.text.features import NGrams, Pieces

MINILM = "minilm_l6"
ENCODER = TransformerSettings(30_522, max_length=64, dropout=0.0)
WIDTH = ENCODER.width


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="omnisearchsage_home_depot_encoder",
        seed=0,
        steps=500,
        data=Search(
            "home_depot",
            batch_size=128,
            negatives=0,
            # The towers read word pieces alone.
            ngrams=NGrams(1, 1, 1),
            query_length=1,
            title_length=1,
            pieces=Pieces(folder=MINILM),
            query_pieces=12,
            title_pieces=28,
            title_share=0.3,
        ),
        model=TwoTower(
            query=Tower({"pieces": Transformer(ENCODER, dtype="float32")}, WIDTH),
            candidate=None,
            tables={},
            temperature=0.05,
        ),
        losses={"softmax": SampledSoftmax()},
        optimizer=Optimizer(rules={".*": Adam(1e-4)}, schedule=WarmupCosine(warmup=30)),
        warm_start={"query/pieces": Bert(MINILM)},
        evals={"encoder": Ranking("validation")},
        export=EncoderFolder("query/pieces"),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    tower = Tower({"pieces": Transformer(encoder, dtype="float32")}, encoder.width)
    data = replace(
        full.data,
        batch_size=64,
        pieces=Pieces(encoder.vocabulary),
        query_pieces=12,
        title_pieces=12,
    )
    return replace(
        full,
        name="omnisearchsage_home_depot_encoder_tiny",
        steps=20,
        data=data,
        model=replace(full.model, query=tower),
        warm_start={},
        export=None,
    )
