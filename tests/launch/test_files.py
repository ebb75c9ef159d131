"""What is handed to SLURM and to Kubernetes."""

import json
import re
import subprocess

import pytest
from command import fails

from recjax.errors import UserError
from recjax.launch.gke import ACCELERATORS, Pods, manifest
from recjax.launch.slurm import SlurmJob, batch_file

WORDS = ["train", "my experiment.py", "--workdir", "/data/run"]


def statuses(ending, restarts, count, tmp_path):
    """Runs a batch file with such an srun; returns its status, and requeues."""
    for name, text in {
        "srun": f"#!/bin/sh\n{ending}\n",
        "scontrol": f"#!/bin/sh\necho $@ >> {tmp_path}/asked\n",
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", batch_file(WORDS, SlurmJob("job", 2, restarts))],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "SLURM_JOB_ID": "7",
            "SLURM_RESTART_COUNT": str(count),
        },
        timeout=60,
    )
    asked = tmp_path / "asked"
    return done.returncode, asked.read_text() if asked.exists() else ""


@pytest.mark.parametrize("status", [75, 76, 134, 1])
def test_a_job_that_can_go_on_is_queued_again(status, tmp_path):
    assert statuses(f"exit {status}", 3, 2, tmp_path) == (status, "requeue 7\n")


def test_a_signal_to_the_batch_file_reaches_the_tasks(tmp_path):
    scancel = tmp_path / "scancel"
    scancel.write_text(f"#!/bin/sh\necho $@ >> {tmp_path}/asked\n")
    scancel.chmod(0o755)
    # The tasks end as they do after SIGTERM: saved.
    told = "kill -TERM $PPID; sleep 1; exit 75"
    assert statuses(told, 3, 0, tmp_path) == (75, "--signal=TERM 7\nrequeue 7\n")


@pytest.mark.parametrize("status, count", [(0, 0), (2, 0), (75, 3)])
def test_bad_input_and_too_many_attempts_are_the_end(status, count, tmp_path):
    assert statuses(f"exit {status}", 3, count, tmp_path) == (status, "")


def test_a_batch_file_has_the_options_and_quotes_paths():
    text = batch_file(
        WORDS, SlurmJob("job", 4, 0, {"partition": "gpu", "time": "1:00:00"})
    )
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    for line in ("--nodes=4", "--partition=gpu", "--time=1:00:00", "--signal=TERM@120"):
        assert f"#SBATCH {line}" in lines
    assert "'my experiment.py' --workdir /data/run --hosts auto" in text


def test_an_option_that_sbatch_does_not_have_is_refused():
    with pytest.raises(UserError, match="partiton.*nearest|partiton.*partition"):
        SlurmJob("job", 1, 0, {"partiton": "gpu"})
    with pytest.raises(UserError, match="line break"):
        SlurmJob("job", 1, 0, {"partition": "a\nrm -rf /"})


def parts(name, accelerator, bucket):
    """Returns the service and the job set."""
    made = Pods(name, "image:1", accelerator, bucket)
    return map(json.loads, manifest(WORDS, made).split("---"))


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_a_job_set_has_a_pod_for_each_node(accelerator):
    service, jobs = parts("run", accelerator, "bucket")
    assert service["spec"]["clusterIP"] == "None"
    assert jobs["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
    (hosts,) = jobs["spec"]["replicatedJobs"]
    job = hosts["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    nodes = ACCELERATORS[accelerator].nodes
    assert job["parallelism"] == job["completions"] == nodes
    assert job["completionMode"] == "Indexed" and job["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert {v["name"] for v in container["env"]} == {
        *("RECJAX_COORDINATOR", "RECJAX_PROCESSES", "RECJAX_PROCESS")
    }
    # The name that a JobSet gives its first pod: set-job-job index-pod index.
    assert container["env"][0]["value"].startswith("run-hosts-0-0.run:")
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert [v["name"] for v in pod["volumes"]] == ["data"]


@pytest.mark.parametrize("accelerator", ["v5e-16", "h100x32"])
def test_kubernetes_knows_all_that_is_said_of_services_jobs_and_pods(accelerator):
    kubernetes = pytest.importorskip("kubernetes_validate")
    service, jobs = parts("run", accelerator, "bucket")
    template = jobs["spec"]["replicatedJobs"][0]["template"]
    about = {"metadata": {"name": "run"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", **about, **template}
    pod = {"apiVersion": "v1", "kind": "Pod", **about, **template["spec"]["template"]}
    for resource in (service, job, pod):
        kubernetes.validate(resource, kubernetes.latest_version(), strict=True)
    pod["spec"]["restartPolicies"] = "Never"
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(pod, kubernetes.latest_version(), strict=True)


def test_a_job_set_has_fields_that_its_definition_has():
    # Of v1alpha2 of jobset.x-k8s.io; jobs' templates are those of batch/v1.
    known = {
        "JobSet": {"apiVersion": str, "kind": str, "metadata": dict, "spec": "Spec"},
        "Spec": {
            "network": "Network",
            "failurePolicy": "FailurePolicy",
            "replicatedJobs": ["ReplicatedJob"],
        },
        "Network": {"enableDNSHostnames": bool, "subdomain": str},
        "FailurePolicy": {"maxRestarts": int, "rules": ["Rule"]},
        "Rule": {"name": str, "action": str, "onJobFailureReasons": [str]},
        "ReplicatedJob": {"name": str, "replicas": int, "template": dict},
    }

    def check(value, kind):
        if isinstance(kind, list):
            assert isinstance(value, list)
            [check(one, kind[0]) for one in value]
        elif isinstance(kind, str):
            assert value.keys() <= known[kind].keys()
            [check(one, known[kind][name]) for name, one in value.items()]
        else:
            assert isinstance(value, kind)

    _, jobs = parts("run", "v5e-16", "bucket")
    check(jobs, "JobSet")
    (rule,) = jobs["spec"]["failurePolicy"]["rules"]
    assert re.fullmatch("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", rule["name"])
    actions = ("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts")
    assert rule["action"] in actions


def test_a_bucket_is_mounted_by_a_pod_that_asks_for_it():
    for bucket, wanted in (("", {}), ("b", {"gke-gcsfuse/volumes": "true"})):
        _, jobs = parts("run", "v5e-16", bucket)
        job = jobs["spec"]["replicatedJobs"][0]["template"]["spec"]
        about = job["template"]["metadata"]
        assert about.get("annotations", {}) == wanted
        assert ("volumes" in job["template"]["spec"]) == bool(bucket)


def test_only_bad_input_ends_a_job_set():
    _, jobs = map(json.loads, manifest(WORDS, Pods("r", "i", "v5e-16")).split("---"))
    job = jobs["spec"]["replicatedJobs"][0]["template"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [2]
    (ends,) = jobs["spec"]["failurePolicy"]["rules"]
    assert ends["action"] == "FailJobSet"
    assert ends["onJobFailureReasons"] == ["PodFailurePolicy"]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"name": "My_Run"}, "--name 'My_Run'"),
        ({"image": ""}, "--image is missing"),
        ({"accelerator": "v5e-17"}, "--accelerator 'v5e-17': there are v5e-16"),
    ],
)
def test_wrong_names_are_refused(changes, told):
    with pytest.raises(UserError) as caught:
        Pods(**{"name": "run", "image": "i", "accelerator": "v5e-16", **changes})
    assert told in str(caught.value)


def test_the_command_prints_and_refuses(capfd):
    start = ("launch", "e.py", "--workdir", "w")
    assert "partitio" in fails(
        capfd, *start, "--backend", "slurm", "--slurm", "partitio=a", "--dry-run"
    )
    assert "expected option=value" in fails(
        capfd, *start, "--backend", "slurm", "--slurm", "gpu"
    )
    assert "--processes 0" in fails(capfd, *start, "-n", "0")


@pytest.mark.parametrize(
    "options, told",
    [
        (("--image", "i"), "--image is for --backend gke, not local"),
        (("--backend", "slurm", "--devices", "4"), "--devices is for --backend local"),
        (("--backend", "gke", "--slurm", "a=b"), "--slurm is for --backend slurm"),
        (("--backend", "gke", "-n", "4"), "--accelerator says how many"),
    ],
)
def test_an_option_without_effect_is_refused(options, told, capfd):
    assert told in fails(capfd, "launch", "e.py", "--workdir", "w", *options)
