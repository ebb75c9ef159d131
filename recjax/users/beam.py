"""The batch job as an Apache Beam pipeline: on Flink, Spark, Dataflow, or here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from recjax.index.item_vectors import ItemVectors
from recjax.users.build import build_shard, collect
from recjax.users.shard import Job

opened = lru_cache(1)(ItemVectors.open)


def build_beam(
    files: Sequence[Path], vectors: Path, out: Path, job: Job, options=None
) -> dict:
    """Does what `build.build` does; all folders must be seen by every worker.

    A shard's files appear whole by a rename, so a step that Beam repeats does no harm.

    Args:
      files: Parquet files of events; a user's events all in one of them.
      vectors: folder of item vectors.
      out: folder.
      job: window, now, and settings of the clustering.
      options: Beam's PipelineOptions; by default the runner in this process.
    """
    import apache_beam as beam

    shards = Path(out) / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    options = options or beam.options.pipeline_options.PipelineOptions(
        ["--runner=DirectRunner"]
    )
    with beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "Files" >> beam.Create([str(file) for file in files])
            | "Spread" >> beam.Reshuffle()
            | "Cluster" >> beam.Map(_cluster, str(vectors), str(shards), job)
        )
    return collect(files, vectors, out, job)


def _cluster(file: str, vectors: str, shards: str, job: Job) -> str:
    return build_shard(Path(file), opened(vectors), Path(shards), job)
