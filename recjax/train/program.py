"""An experiment bound to its data and its devices: what train, eval, export share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from recjax import rng
from recjax.data.dataset import Dataset
from recjax.data.identity import Identity
from recjax.data.pipeline import HostBatch, stream
from recjax.errors import UserError
from recjax.experiment import Experiment, Runtime
from recjax.models.base import TableSpec
from recjax.pretrained import warm_start
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import by_batch, host_part, put, put_batch
from recjax.train import checkpoint
from recjax.train import state as states
from recjax.train.image_views import with_views
from recjax.train.state import State
from recjax.train.step import StepFn, compile_step, make_step
from recjax.typing import Array

log = logging.getLogger(__name__)

Embedder = Callable[[State, Mapping[str, Any]], Array]


@dataclass(frozen=True)
class Program:
    """An opened experiment on a mesh.

    Attributes:
      experiment: what is learned.
      runtime: where it runs.
      dataset: the opened data.
      mesh: the devices.
      data: which prepared data it is; None where recjax did not prepare it.
      earlier: the run that this one starts from; None starts at random.
      kept: what evaluations of the newest state share.
    """

    experiment: Experiment
    runtime: Runtime
    dataset: Dataset
    mesh: Mesh
    data: Identity | None = None
    earlier: Path | None = None
    kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> Array:
        """The root key of the run."""
        return rng.root(self.experiment.seed)

    def batches(self, start: int):
        """Yields this host's part of each batch from step `start` on."""
        make = partial(self.dataset.batch, host=host_part(self.mesh))
        return stream(make, start, self.runtime.threads, self.runtime.prefetch)

    @cached_property
    def specs(self) -> Mapping[str, TableSpec]:
        """The tables of the model.

        Raises:
          UserError: the model does not fit the data.
        """
        try:
            return self.experiment.model.table_specs(self.dataset.sides)
        except ValueError as error:
            raise UserError(f"the model does not fit the data: {error}") from error

    @cached_property
    def example_batch(self) -> HostBatch:
        """A batch, for its shapes."""
        return self.dataset.batch(0, host_part(self.mesh))

    @property
    def batch_shapes(self) -> Any:
        """Shapes, types and shardings of a global batch."""
        where, hosts = by_batch(self.mesh), host_part(self.mesh)[1]

        def whole(array: Any) -> jax.ShapeDtypeStruct:
            shape = (array.shape[0] * hosts, *array.shape[1:])
            return jax.ShapeDtypeStruct(shape, array.dtype, sharding=where)

        return jax.tree.map(whole, self.example_batch)

    def init(self) -> State:
        """Returns the state of step 0, warm starts in their place.

        Raises:
          UserError: a warm start does not fit the model.
        """
        state = self._init(put_batch(self.example_batch, self.mesh))
        starts = self.experiment.warm_start
        if not starts:
            return state
        params = warm_start.fill(state.params, starts)
        placed = jax.tree.map(
            lambda value, like: put(np.asarray(value), like.sharding),
            params,
            self.like.params,
        )
        return replace(state, params=placed)

    @cached_property
    def like(self) -> State:
        """Shapes, types and shardings of the state.

        Raises:
          UserError: the model does not fit the data.
        """
        _ = self.specs
        try:
            shape = jax.eval_shape(self._init, self.batch_shapes)
        except ValueError as error:
            raise UserError(f"the model does not fit the data: {error}") from error
        return checkpoint.like(
            shape, states.shardings(shape, self.mesh, self.runtime.dense)
        )

    def restore(self, folder: Path) -> State:
        """Returns the newest good state of a folder of checkpoints."""
        return checkpoint.read_state(folder, self.like)

    def step(self) -> StepFn:
        """Returns the compiled training step."""
        experiment = self.experiment
        step = make_step(
            self.key,
            experiment.model,
            self.dataset.sides,
            experiment.losses,
            experiment.optimizer,
            experiment.steps,
            self.mesh,
            self.runtime.execution,
        )
        return compile_step(step, self.like, self.mesh, self.runtime.dense)

    @cached_property
    def embedders(self) -> Mapping[str, Embedder]:
        """The compiled functions (state, features) -> [B, D], by side of the model."""
        return _OnDemand(self._embedder)

    def _embedder(self, side: str) -> Embedder:
        model, mesh = self.experiment.model, self.mesh
        specs = self.specs

        @jax.jit
        def embed(params: Any, tables: Any, features: Any) -> Array:
            ids = model.side_rows(side, features)
            rows, _, _ = states.gather(tables, ids, specs, mesh, capped=False)
            return model.embed(params, rows, side, features)

        return lambda state, features: embed(state.params, state.tables, features)

    def _init(self, batch: Any) -> State:
        experiment = self.experiment
        return states.init(
            self.key,
            experiment.model,
            self.dataset.sides,
            experiment.optimizer,
            experiment.steps,
            batch,
            self.mesh,
            self.runtime.dense,
        )


def open_program(
    experiment: Experiment, runtime: Runtime, earlier: Path | None = None
) -> Program:
    """Opens the data and the mesh of an experiment.

    Args:
      experiment: what is learned.
      runtime: where it runs.
      earlier: a run to start from.

    Raises:
      UserError: the data is not prepared, or the devices do not fit.
    """
    jax.config.update("jax_default_matmul_precision", runtime.matmul_precision)
    mesh = make_mesh(runtime.mesh)
    dataset = with_views(experiment.data.open(experiment.seed), experiment.model)
    if reason := getattr(dataset, "unjudged", ""):
        log.warning("%s: nothing is evaluated", reason)
        experiment = replace(experiment, evals={}, best=None)
    data = Identity.of_source(experiment.data)
    _check_layout(experiment)
    return Program(experiment, runtime, dataset, mesh, data, earlier)


def _check_layout(experiment: Experiment) -> None:
    """Raises UserError where an encoder would take padding of rows for events."""
    layout = getattr(experiment.data, "layout", None)
    encoder = getattr(experiment.model, "encoder", None)
    if getattr(layout, "padded", False) and not getattr(encoder, "padded_rows", True):
        raise UserError(
            f"data.layout: {type(encoder).__name__} wants rows without padding between "
            f"sessions, not {type(layout).__name__}: take Packed"
        )


class _OnDemand(dict[str, Embedder]):
    """Makes an embedder when it is first asked for: a model may have many sides."""

    def __init__(self, make: Callable[[str], Embedder]) -> None:
        self._make = make

    def __missing__(self, side: str) -> Embedder:
        return self.setdefault(side, self._make(side))
