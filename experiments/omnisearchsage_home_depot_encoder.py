"""Home Depot: MiniLM fine-tuned on what its queries and products say.

recjax data prepare home_depot
recjax train  experiments/omnisearchsage_home_depot_encoder.py --workdir runs/encoder
recjax export runs/encoder --to bundles/encoder

One encoder embeds queries and titles, from the weights of MiniLM (90 MB, fetched when
it is not there). The folder that is exported holds its new weights, and any reader of
such folders takes it: `omnisearchsage_home_depot_minilm.py` joins it to n-grams.
"""

from dataclasses import replace

import recjax as rj
from recjax.bundle.pretrained_export import EncoderFolder

MINILM = "minilm_l6"
ENCODER = rj.nn.TransformerSettings(30_522, max_length=64, dropout=0.0)
WIDTH = ENCODER.width


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="omnisearchsage_home_depot_encoder",
        seed=0,
        steps=500,
        data=rj.data.Search(
            "home_depot",
            batch_size=128,
            negatives=0,
            # The towers read word pieces alone.
            ngrams=rj.text.NGrams(1, 1, 1),
            query_length=1,
            title_length=1,
            pieces=rj.text.Pieces(folder=MINILM),
            query_pieces=12,
            title_pieces=28,
            title_share=0.3,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower({"pieces": rj.nn.Transformer(ENCODER)}, WIDTH),
            candidate=None,
            tables={},
            temperature=0.05,
        ),
        losses={"softmax": rj.losses.SampledSoftmax()},
        optimizer=rj.optim.Optimizer(
            rules={".*": rj.optim.Adam(1e-4)}, schedule=rj.optim.WarmupCosine(warmup=30)
        ),
        warm_start={"query/pieces": rj.pretrained.Bert(MINILM)},
        evals={"encoder": rj.evals.Ranking("validation")},
        export=EncoderFolder("query/pieces"),
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small and without MiniLM, for integration tests."""
    full = experiment()
    encoder = rj.nn.TransformerSettings(
        500, width=16, layers=1, heads=2, feed_forward=32, max_length=12
    )
    tower = rj.nn.Tower({"pieces": rj.nn.Transformer(encoder)}, encoder.width)
    data = replace(
        full.data,
        batch_size=64,
        pieces=rj.text.Pieces(encoder.vocabulary),
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
