import pytest

from siambench.errors import UsageError
from siambench.training.cadence import EVERY, MEASURES, measured_every


@pytest.mark.parametrize(("said", "every"), [(None, EVERY), ("", EVERY), (" ", EVERY), ("off", None), ("1", 1), (" 30 ", 30), ("007", 7)])
def test_the_environment_says_how_often_training_is_measured(monkeypatch, said, every):
    """`off` is never, a whole number that number of steps, and nothing the harness's own number."""
    monkeypatch.delenv(MEASURES, raising=False)
    if said is not None:
        monkeypatch.setenv(MEASURES, said)

    assert every == measured_every()


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "1e3", "nan", "of", "OFF!", "1_0", "٣", "²", "10 steps", "\udce9", "0" * 50])
def test_what_is_neither_off_nor_a_number_is_told_in_one_sentence(monkeypatch, said):
    """Anything else ends in a usage error that names the variable, what it got and what it may be."""
    monkeypatch.setenv(MEASURES, said)
    with pytest.raises(UsageError) as error:
        measured_every()

    assert str(error.value).startswith(f"the environment variable {MEASURES} must be off or a whole number from 1, got {said[:40]!r}")
    assert ("did you mean 'off'" in str(error.value)) == (said in ("of", "OFF!"))
