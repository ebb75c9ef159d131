"""Collectives are read from the text of a compiled step, as worked by hand."""

import numpy as np
from jax.sharding import Mesh

from recjax.sharding.collectives import collectives

TEXT = """
%add (a: f32[], b: f32[]) -> f32[] {
  ROOT %s = f32[] add(%a, %b)
}

%inner (x: f32[8]) -> f32[8] {
  ROOT %p = f32[8]{0} collective-permute(%x), source_target_pairs={{0,1},{1,0}}
}

%body (t: (s32[], f32[8])) -> (s32[], f32[8]) {
  %c = f32[8]{0} call(%x), to_apply=%inner
  %r = (s32[], f32[8]{0}) tuple(%i, %c)
}

%cond (t: (s32[], f32[8])) -> pred[] {
  ROOT %l = pred[] compare(%i, %n), direction=LT
}

ENTRY %main (p: f32[4,8]) -> f32[8] {
  %g = f32[16,8]{1,0} all-gather(%p), replica_groups=[2,4]<=[4,2]T(1,0), dimensions={0}
  %r = (f32[3]{0}, bf16[5]{0}) all-reduce(%a, %b), replica_groups={}, to_apply=%add
  %m = s32[6]{0} all-gather-start(%q), replica_groups=[4,2]<=[8], metadata={op_name="m"}
  ROOT %w = (s32[], f32[8]) while(%t), condition=%cond, body=%body
}
"""


class Device:
    """Stands for a device."""


def test_kinds_bytes_axes_and_loops():
    devices = np.array([Device() for _ in range(8)]).reshape(4, 2)
    mesh = Mesh(devices, ("data", "model"))
    permute, gather, reduce, start = collectives(TEXT, mesh)
    assert (permute.kind, permute.looped) == ("collective-permute", True)
    assert permute.axes == ("model",) and permute.bytes == 32
    assert (gather.axes, gather.bytes, gather.looped) == (("data",), 512, False)
    assert (reduce.axes, reduce.bytes) == (("data", "model"), 22)
    assert reduce.elements == 5
    assert (start.axes, start.bytes, start.source) == (("model",), 24, "m")
