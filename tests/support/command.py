"""The command line in this process: quick, and its error as one message."""

import pytest

from recjax.cli.main import main

START = "recjax: error: "


def fails(capfd, *arguments):
    """Runs a command that must fail as bad input does, and returns its message."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert caught.value.code == 2, err
    assert out == "", out
    assert "Traceback" not in err
    assert err.count(START) == 1, err
    before, message = err.split(START)
    assert not before.strip(), before
    assert len(message) < 3_000
    return message


def refused(capfd, *arguments):
    """The same for a command that says something before it fails."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    _, err = capfd.readouterr()
    assert caught.value.code == 2, err
    assert "Traceback" not in err, err
    assert err.count(START) == 1, err
    return err.split(START)[1]


def misused(capfd, *arguments):
    """The same for what the parser of arguments itself refuses."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert caught.value.code == 2, err
    assert out == "" and "Traceback" not in err
    # The parser draws a box around it and breaks lines.
    return " ".join(err.replace("│", " ").split())
