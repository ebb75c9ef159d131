"""What importing recjax costs, and what it does not need."""

import importlib
import pkgutil
import resource
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import small

import recjax
from recjax import lazy

HEAVY = (
    *("tensorflow", "scann", "tensorboardX", "tensorboard", "apache_beam"),
    *("tokenizers", "safetensors", "threadpoolctl", "sklearn", "skimage", "onnx"),
    *("PIL", "simplejpeg", "numba"),
)
COMPILED = ("recjax.users.kernels", "recjax.images.resample")
"""Imported by those alone who have numba."""
EDGES = (
    *("grain", "tyro", "polars", "pyarrow", "tensorflow_datasets", "array_record"),
    "tqdm",
)
"""What reading data and parsing commands need, and nothing between them."""

EVERY_MODULE = """
import importlib, masked, sys
hidden, names = sys.argv[1].split(","), sys.argv[2].split(",")
masked.mask(hidden)
failed = []
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
"""


def fresh(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=small.ROOT,
        env=small.environment(),
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()


def cpu_seconds(code):
    """Returns the CPU time of the quickest of three processes: others may be busy."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        fresh("-c", code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        user = after.ru_utime - before.ru_utime
        times.append(user + after.ru_stime - before.ru_stime)
    return min(times)


def test_importing_recjax_is_quick():
    assert cpu_seconds("import recjax") < 0.3
    loaded = fresh("-c", "import sys, recjax; print(*sys.modules)").split()
    assert {name.split(".")[0] for name in loaded} & {"jax", "numpy", "flax"} == set()
    ours = {name for name in loaded if name.startswith("recjax")}
    assert ours == {"recjax", "recjax.lazy"}


def faces():
    """Returns the packages that list names, recjax first."""
    found = [getattr(recjax, name) for name in dir(recjax) if name != "__version__"]
    return [recjax, *(one for one in found if isinstance(one, ModuleType))]


@pytest.mark.parametrize("face", faces(), ids=lambda face: face.__name__)
def test_every_name_is_what_its_module_has(face):
    names = [name for name in dir(face) if name != "__version__"]
    assert names and len(set(names)) == len(names)
    for name in names:
        found, module = getattr(face, name), lazy.places(face.__file__)[name][0]
        if not isinstance(found, ModuleType):
            assert getattr(found, "__module__", module) == module, (
                name
            )  # Not passed on.
        assert found.__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'Towr'"):
        face.Towr  # noqa: B018


def test_few_names_are_recjax_own():
    assert len(dir(recjax)) < 40
    with pytest.raises(ImportError):
        from recjax import Towr  # noqa: F401
    with pytest.raises(AttributeError, match="'Tower': it is rj.nn.Tower"):
        recjax.Tower  # noqa: B018


def test_names_stay_what_they_are_when_packages_are_imported():
    for face in faces():
        packages = {m.name for m in pkgutil.iter_modules(face.__path__)}
        for name in {*dir(face)} & packages:
            importlib.import_module(f"{face.__name__}.{name}")
            module, there = lazy.places(face.__file__)[name]
            if module != face.__name__:
                assert getattr(face, name) is getattr(sys.modules[module], there)


def test_help_is_quick():
    # All that `recjax --help` loads.
    assert cpu_seconds("import recjax.cli.main") < 2


def test_commands_load_no_heavy_package_before_they_run():
    heavy = (*HEAVY, "jax", "grain", "tensorflow_datasets", "matplotlib")
    code = f"import sys, recjax.cli.main; print(*({{*{heavy}}} & {{*sys.modules}}))"
    assert fresh("-c", code) == ""


def test_every_module_imports_without_heavy_packages():
    root = str(Path(small.ROOT, "recjax"))
    names = [m.name for m in pkgutil.walk_packages([root], "recjax.")]
    assert len(names) > 60
    names.remove("recjax.__main__")
    names = [name for name in names if not name.startswith(COMPILED)]
    assert fresh("-c", EVERY_MODULE, ",".join(HEAVY), ",".join(names)) == ""


def test_the_core_runs_on_jax_flax_optax_and_orbax():
    script = Path(small.__file__).with_name("core_step.py")
    assert fresh(str(script), *HEAVY, *EDGES).startswith("loss ")


def test_masking_masks():
    code = EVERY_MODULE
    said = fresh("-c", code, "grain", "grain,recjax.errors")
    assert said.startswith("grain: ModuleNotFoundError") and "\n" not in said
