"""A model for runtimes that know no siambench: as ONNX, or as `torch.export` writes it; what is written is run before it is handed over."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from siambench.data.names import reason
from siambench.errors import DataMissingError, PluginError, SiambenchError
from siambench.models.file import KEY
from siambench.models.loaded import LoadedModel
from siambench.models.network import probe_items

if TYPE_CHECKING:
    from siambench.models.document import ModelDocument

INPUT, OUTPUT = "items", "embeddings"
"""What the network's input and output are called."""

TOLERANCE = 1e-4
"""How far an exported network's embeddings may lie from the module's, by their length."""

_BATCHES = (1, 2, 5)


def exported(model: LoadedModel, suffix: str) -> bytes:
    """The content of a file of that suffix, ``.onnx`` or ``.pt2``: from items as the network takes them to embeddings, any number at once.

    What the file says of the model stands in it too: in ONNX's metadata under ``siambench``, in ``siambench.json`` of a ``.pt2``.

    Args:
        model: on the CPU.
        suffix: of the file.

    Raises:
        DataMissingError: if a package that is needed is not installed.
        PluginError: if the network cannot be exported, or what was exported makes other embeddings.
    """
    write, run = {".onnx": (_onnx, _run_onnx), ".pt2": (_pt2, _run_pt2)}[suffix]
    with _quiet():
        try:
            content = write(model)
        except (SiambenchError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(
                f"the network {model.document.network.model.backbone} cannot be exported as {suffix}: {reason(error)[:200]}"
            ) from error
        _check(model, suffix, run(content))
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters print, warn and log of what they do."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _example(model: LoadedModel, number: int) -> Tensor:
    items = probe_items(model.document.given)
    return items.repeat(-(-number // 2), *[1] * (items.ndim - 1))[:number]


def _shapes() -> dict[str, dict[int, Any]]:
    return {INPUT: {0: torch.export.Dim("batch", min=1)}}


def _onnx(model: LoadedModel) -> bytes:
    try:
        import onnx
        import onnxruntime  # noqa: F401  what was exported is run
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise DataMissingError(f"to write ONNX the package {error.name} is needed: pip install 'siambench[onnx]'") from error
    program = torch.onnx.export(
        model,
        (_example(model, 2),),
        dynamo=True,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=_shapes(),
        verbose=False,
    )
    assert program is not None
    found = program.model_proto
    onnx.helper.set_model_props(found, {KEY: _said(model.document)})
    onnx.checker.check_model(found)
    content: bytes = found.SerializeToString()
    return content


def _run_onnx(content: bytes) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda items: torch.from_numpy(session.run([OUTPUT], {INPUT: items.numpy()})[0])


def _pt2(model: LoadedModel) -> bytes:
    program = torch.export.export(model, (_example(model, 2),), dynamic_shapes=_shapes())
    held = io.BytesIO()
    torch.export.save(program, held, extra_files={f"{KEY}.json": _said(model.document)})
    return held.getvalue()


def _run_pt2(content: bytes) -> Callable[[Tensor], Tensor]:
    module = torch.export.load(io.BytesIO(content)).module()

    def run(items: Tensor) -> Tensor:
        found: Tensor = module(items)
        return found

    return run


def _said(document: ModelDocument) -> str:
    return json.dumps(document.to_json(), sort_keys=True)


def _check(model: LoadedModel, suffix: str, run: Callable[[Tensor], Tensor]) -> None:
    for number in _BATCHES:
        items = _example(model, number)
        with torch.no_grad():
            try:
                expected, found = model(items), run(items)
            except (MemoryError, KeyboardInterrupt):
                raise
            except BaseException as error:
                raise PluginError(f"what was exported as {suffix} does not run on {number} items: {reason(error)[:200]}") from error
        length = float(expected.norm(dim=1).max().clamp(min=torch.finfo(torch.float32).tiny))
        apart = float((found - expected).norm(dim=1).max()) / length if found.shape == expected.shape else float("inf")
        if not apart <= TOLERANCE:
            raise PluginError(f"what was exported as {suffix} makes other embeddings than the model, by {apart:.2g} of their length")
