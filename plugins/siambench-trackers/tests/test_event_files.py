from __future__ import annotations

import pytest

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")

from siambench_trackers.event_files import EventFiles


def read_back(folder):
    """What TensorBoard's own reader finds in the one file of a folder."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (file,) = folder.glob("events.out.tfevents.*")
    return list(EventFileLoader(str(file)).Load())


def scalars(events):
    """Name → step → value, of scalars as the reader migrates them."""
    from tensorboard.util import tensor_util

    found = {}
    for event in events:
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "scalars":
                found.setdefault(value.tag, {})[event.step] = float(tensor_util.make_ndarray(value.tensor))
    return found


def test_a_unit_is_read_back(tmp_path, life, tell):
    """TensorBoard's reader finds every number at its epoch, and the scores at the last one."""
    tell(EventFiles(None, tmp_path / "observers" / "tensorboard"), life())
    found = scalars(read_back(tmp_path / "observers" / "tensorboard" / "triplet+hard" / "triplet+hard-trial-3-fold-1-1a2b3c4d"))

    assert found["loss"] == {1: 0.75, 2: 0.5}
    assert found["validation/map@r"] == {2: 0.25}
    assert found["measures/parts/trunk/rate"] == {1: pytest.approx(0.001)}
    assert found["test/map@r"] == {2: 0.5}
    assert (found["failed"], found["seconds"]) == ({2: 0.0}, {2: 4.5})


def test_parameters_stand_beside_scores(tmp_path, life, tell):
    """The table of parameters holds each with its type, the kind of unit too, and how the unit ended."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    for error, status in ((None, "STATUS_SUCCESS"), ("the loss became nan — häufig", "STATUS_FAILURE")):
        tell(EventFiles(str(tmp_path / status), tmp_path / "elsewhere"), life(error=error))
        events = read_back(tmp_path / status / "triplet+hard" / "triplet+hard-trial-3-fold-1-1a2b3c4d")
        told = [value for event in events for value in event.summary.value]
        sessions = [HParamsPluginData.FromString(v.metadata.plugin_data.content) for v in told if v.tag.startswith("_hparams_/")]
        params = sessions[0].session_start_info.hparams

        assert (params["loss.margin"].number_value, params["loss.swap"].bool_value, params["loss.kind"].string_value) == (
            0.25,
            True,
            "plain",
        )
        assert (params["kind"].string_value, params["fold"].number_value) == ("tune", 1.0)
        assert status in str(sessions[1].session_end_info)
        texts = [value.tensor.string_val[0].decode() for value in told if value.tag == "error"]
        assert texts == ([] if error is None else [error])
    assert not (tmp_path / "elsewhere").exists()


def test_what_was_told_is_in_the_file_before_the_end(tmp_path, life, tell):
    """A unit that is killed after an epoch leaves what it had told: nothing waits in memory."""
    observer = EventFiles(None, tmp_path)
    tell(observer, life()[:2])
    found = read_back(tmp_path / "triplet+hard" / "triplet+hard-trial-3-fold-1-1a2b3c4d")
    observer._file.close()

    assert scalars(found)["loss"] == {1: 0.75}


def test_a_baseline_has_scores_alone(tmp_path, life, tell):
    """A unit without epochs has its scores at step 0."""
    started, _, _, ended = life()
    tell(EventFiles(None, tmp_path), [started, ended])

    assert scalars(read_back(tmp_path / "triplet+hard" / "triplet+hard-trial-3-fold-1-1a2b3c4d"))["test/map@r"] == {0: 0.5}
