"""A run of recjax as a JobSet of Kubernetes, on GKE's TPU slices or GPU nodes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recjax.errors import UserError, nearest
from recjax.launch.join import BAD_INPUT, NAMES

PORT = 8476


@dataclass(frozen=True)
class Accelerator:
    """Nodes of one kind.

    Attributes:
      selector: labels of the nodes.
      resource: what a container asks for.
      chips: of it on each node.
      nodes: nodes that work together.
    """

    selector: dict[str, str]
    resource: str
    chips: int
    nodes: int


def _tpu(kind: str, topology: str, nodes: int) -> Accelerator:
    selector = {
        "cloud.google.com/gke-tpu-accelerator": kind,
        "cloud.google.com/gke-tpu-topology": topology,
    }
    return Accelerator(selector, "google.com/tpu", 4, nodes)


ACCELERATORS = {
    "v5e-16": _tpu("tpu-v5-lite-podslice", "4x4", 4),
    "v5e-64": _tpu("tpu-v5-lite-podslice", "8x8", 16),
    "v5e-256": _tpu("tpu-v5-lite-podslice", "16x16", 64),
    "v5p-64": _tpu("tpu-v5p-slice", "4x4x4", 16),
    "v6e-16": _tpu("tpu-v6e-slice", "4x4", 4),
    "v6e-256": _tpu("tpu-v6e-slice", "16x16", 64),
    "h100x8": Accelerator(
        {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}, "nvidia.com/gpu", 8, 1
    ),
    "h100x32": Accelerator(
        {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}, "nvidia.com/gpu", 8, 4
    ),
}
"""Slices by name: kind and number of chips (of H100: GPUs of all nodes)."""


@dataclass(frozen=True)
class Pods:
    """What a JobSet says besides the command.

    Attributes:
      name: of the JobSet; a DNS label.
      image: container image in which recjax is installed.
      accelerator: name in `ACCELERATORS`.
      bucket: Cloud Storage bucket that is mounted at /data; "" mounts none.
      restarts: how often all pods start again after a failure that may be mended.
      grace_s: seconds that a pod has to save after a notice.
    """

    name: str
    image: str
    accelerator: str
    bucket: str = ""
    restarts: int = 10
    grace_s: int = 60

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
          UserError: a name that Kubernetes refuses, no image, or no such accelerator.
        """
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", self.name):
            raise UserError(
                f"--name {self.name!r}: Kubernetes takes lower-case letters, digits "
                "and hyphens, at most 40, a letter first"
            )
        if not self.image:
            raise UserError("--image is missing: a container image with recjax in it")
        if self.accelerator not in ACCELERATORS:
            raise UserError(
                f"--accelerator {self.accelerator!r}: there are "
                f"{', '.join(ACCELERATORS)}." + nearest(self.accelerator, ACCELERATORS)
            )


def manifest(words: Sequence[str], pods: Pods) -> str:
    """Returns a headless Service and a JobSet (v1alpha2) as YAML (written as JSON).

    All pods start again together, at most `restarts` times, but not after bad input.

    Args:
      words: what stands after `recjax`; with a bucket, paths below /data.
      pods: the rest.
    """
    parts = [_service(pods), _job_set(words, pods)]
    return "---\n".join(json.dumps(part, indent=2) + "\n" for part in parts)


def _service(pods: Pods) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": pods.name},
        "spec": {
            "clusterIP": "None",
            # The pods look for each other before they are ready.
            "publishNotReadyAddresses": True,
            "selector": {"jobset.sigs.k8s.io/jobset-name": pods.name},
        },
    }


def _job_set(words: Sequence[str], pods: Pods) -> dict[str, Any]:
    nodes = ACCELERATORS[pods.accelerator].nodes
    job = {
        "parallelism": nodes,
        "completions": nodes,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        # A job that fails by this rule has the reason PodFailurePolicy, which ends the
        # JobSet; any other failure has BackoffLimitExceeded, and all start again.
        "podFailurePolicy": {"rules": [_on_exit(BAD_INPUT)]},
        "template": {"metadata": _about(pods), "spec": _pod(words, pods)},
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": pods.name},
        "spec": {
            "network": {"enableDNSHostnames": True, "subdomain": pods.name},
            "failurePolicy": {
                "maxRestarts": pods.restarts,
                "rules": [
                    {
                        "name": "badInput",
                        "action": "FailJobSet",
                        "onJobFailureReasons": ["PodFailurePolicy"],
                    }
                ],
            },
            "replicatedJobs": [
                {"name": "hosts", "replicas": 1, "template": {"spec": job}}
            ],
        },
    }


def _about(pods: Pods) -> dict[str, Any]:
    """Without the annotation GKE mounts no bucket, and the pod waits for ever."""
    return {"annotations": {"gke-gcsfuse/volumes": "true"}} if pods.bucket else {}


def _on_exit(status: int) -> dict[str, Any]:
    codes = {"containerName": "recjax", "operator": "In", "values": [status]}
    return {"action": "FailJob", "onExitCodes": codes}


def _pod(words: Sequence[str], pods: Pods) -> dict[str, Any]:
    accelerator = ACCELERATORS[pods.accelerator]
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    where = f"{pods.name}-hosts-0-0.{pods.name}:{PORT}"
    chips = {accelerator.resource: str(accelerator.chips)}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "subdomain": pods.name,
        "terminationGracePeriodSeconds": pods.grace_s,
        "nodeSelector": accelerator.selector,
        "containers": [
            {
                "name": "recjax",
                "image": pods.image,
                # exec: so that the notice reaches recjax, not a shell.
                "command": ["sh", "-c", f"exec recjax {shlex.join(words)}"],
                "ports": [{"containerPort": PORT}],
                "env": [
                    {"name": NAMES[0], "value": where},
                    {"name": NAMES[1], "value": str(accelerator.nodes)},
                    {
                        "name": NAMES[2],
                        "valueFrom": {"fieldRef": {"fieldPath": index}},
                    },
                ],
                "resources": {"limits": chips, "requests": chips},
            }
        ],
    }
    if pods.bucket:
        driver = {"driver": "gcsfuse.csi.storage.gke.io"}
        attributes = {"bucketName": pods.bucket, "mountOptions": "implicit-dirs"}
        volume = {"name": "data", "csi": {**driver, "volumeAttributes": attributes}}
        pod["volumes"] = [volume]
        pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return pod
