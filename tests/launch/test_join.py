"""Who the other processes are: the three variables, right and wrong."""

import socket

import pytest

from recjax.errors import UserError
from recjax.launch.join import NAMES, Address, join


def of(*values):
    return Address.of(dict(zip(NAMES, values, strict=True)))


def test_a_process_alone_joins_nobody():
    assert Address.of({}) is None
    join("", 1, 1, 1)


def test_the_variables_say_who_the_others_are():
    assert of("10.0.0.1:8476", "4", "3") == Address("10.0.0.1:8476", 4, 3)
    assert of("[fe80::1]:80", "1", "0").coordinator == "[fe80::1]:80"


@pytest.mark.parametrize(
    "values, told",
    [
        (("a:1", "", "0"), "RECJAX_PROCESSES is not set"),
        (("", "2", "0"), "RECJAX_COORDINATOR is not set"),
        (("a", "2", "0"), "RECJAX_COORDINATOR = 'a': expected host:port"),
        (("a:70000", "2", "0"), "expected host:port"),
        ((":80", "2", "0"), "expected host:port"),
        (("a:1", "two", "0"), "RECJAX_PROCESSES = 'two': expected a whole number"),
        (("a:1", "2", "-1"), "RECJAX_PROCESS = '-1'"),
        (("a:1", "2", "2"), "RECJAX_PROCESS = 2: must be below RECJAX_PROCESSES = 2"),
    ],
)
def test_wrong_variables_are_named(values, told):
    with pytest.raises(UserError, match="RECJAX") as caught:
        of(*values)
    assert told in str(caught.value)


def test_a_port_that_is_taken_is_told(monkeypatch):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        for name, value in zip(NAMES, (f"127.0.0.1:{port}", "1", "0"), strict=True):
            monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match=f"port {port} of .* is taken"):
            join("", 1, 1, 1)
