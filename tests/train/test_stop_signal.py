"""What stops a run: bad numbers, too many rows, a signal."""

import os
import signal

import numpy as np
import pytest

from recjax.train.nan_check import TrainingBroken, check
from recjax.train.step import StepReport
from recjax.train.stop_signal import StopSignal


def report(broken=(), overflow=0):
    names = ("loss", "grad/query/kernel", "grad/tables/film")
    return StepReport(
        means={},
        values={},
        broken={name: np.bool_(name in broken) for name in names},
        overflow={"film": np.int32(overflow)},
    )


def test_good_numbers_pass():
    check(3, report())


def test_bad_arrays_are_named_with_the_step():
    with pytest.raises(TrainingBroken) as error:
        check(17, report(broken=("loss", "grad/tables/film")))
    message = str(error.value)
    assert message.startswith("step 17: NaN or infinity in loss, grad/tables/film.")
    assert "--debug nans" in message


def test_rows_without_room_name_the_setting():
    with pytest.raises(TrainingBroken, match="step 4: table 'film' has no room for 12"):
        check(4, report(overflow=12))
    with pytest.raises(TrainingBroken, match=r"raise model\.tables\.film\.distinct"):
        check(4, report(overflow=12))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_noted_and_given_back(number):
    before = signal.getsignal(number)
    stop = StopSignal()
    assert stop.received is None
    os.kill(os.getpid(), number)
    assert stop.received == signal.Signals(number).name
    stop.close()
    assert signal.getsignal(number) is before


def test_a_second_interrupt_is_at_once():
    stop = StopSignal()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        stop.close()


def test_a_hangup_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = StopSignal()
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.received is None
        stop.close()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
