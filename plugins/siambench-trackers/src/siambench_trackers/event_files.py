"""TensorBoard: an event file for each unit, written as things happen."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siambench_trackers.told import facts_of, folder_name, name_of, point_of, scores_of

if TYPE_CHECKING:
    from siambench.interfaces import EpochEnded, UnitEnded, UnitStarted


class EventFiles:
    """An event file for each unit, in a folder of its own: ``METHOD/LABEL-ID/events.out.tfevents.…``.

    Each event is in the file when the call returns: nothing waits in a thread, and what a killed unit had told is there.

    Args:
        argument: the folder; None: ``folder``.
        folder: beside the exam's records.
    """

    def __init__(self, argument: str | None, folder: Path) -> None:
        self._root = folder if argument is None else Path(argument).expanduser()
        self._file: Any = None
        self._records: Any = None
        self._last = 0

    def unit_started(self, event: UnitStarted) -> None:
        """The file is begun, with the parameters, which TensorBoard shows beside the scores of all units."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        place = self._root / folder_name(event.method) / folder_name(name_of(event))
        place.mkdir(parents=True, exist_ok=True)
        # As TensorBoard's own writer calls them: time, host and process tell two attempts at one unit apart.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = (place / name).open("ab")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._session("start", {**facts_of(event), **event.params}, event.unit)

    def epoch_ended(self, event: EpochEnded) -> None:
        """Its numbers, a scalar each, at the step that is its number."""
        point = point_of(event)
        self._last = point.epoch
        self._scalars(point.numbers, point.epoch)

    def unit_ended(self, event: UnitEnded) -> None:
        """The scores of a final unit, and whether it failed; the file is closed."""
        failed = event.outcome.error is not None
        self._scalars({**scores_of(event.outcome), "seconds": event.seconds, "failed": float(failed)}, self._last)
        if event.outcome.error is not None:
            self._text("error", event.outcome.error)
        self._session("end", {}, event.unit, failed=failed)
        self._file.close()

    def _scalars(self, numbers: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        if numbers:
            self._summary(Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]), step)

    def _text(self, name: str, text: str) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        value = Summary.Value(tag=name, metadata=kind, tensor=TensorProto(dtype=DT_STRING, string_val=[text.encode()]))
        self._summary(Summary(value=[value]), self._last)

    def _session(self, what: Literal["start", "end"], given: Mapping[str, Any], unit: str, *, failed: bool = False) -> None:
        # What TensorBoard's table of parameters is made of; its own functions for it import TensorFlow.
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.plugins.hparams.api_pb2 import Status
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

        now = time.time()
        if what == "start":
            begun = SessionStartInfo(start_time_secs=now, group_name=unit)
            for name, value in given.items():
                _put(begun.hparams[name], value)
            told = HParamsPluginData(version=0, session_start_info=begun)
        else:
            status = Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
            told = HParamsPluginData(version=0, session_end_info=SessionEndInfo(status=status, end_time_secs=now))
        kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=told.SerializeToString()))
        self._summary(Summary(value=[Summary.Value(tag=f"_hparams_/session_{what}_info", metadata=kind)]))

    def _summary(self, summary: Any, step: int = 0) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()


def _put(place: Any, value: float | str) -> None:
    """A parameter as TensorBoard keeps it; whole numbers are numbers there."""
    if isinstance(value, bool):
        place.bool_value = value
    elif isinstance(value, str):
        place.string_value = value
    else:
        place.number_value = value
