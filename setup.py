"""Puts the experiments into the package, as what `recjax init` copies from."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["recjax*"]), "recjax.templates"],
    package_dir={"recjax.templates": "experiments"},
)
