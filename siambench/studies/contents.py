"""What a request names by a path, as units know it: by the last name of a folder, and of a file by its content."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.errors import SiambenchError
from siambench.spaces import Params, Value
from siambench.spec import SplitSpec
from siambench.tracks.exam import groups_digest, with_content
from siambench.tracks.rules import Track
from siambench.tracks.split import cut


def files_among(options: Mapping[str, Value], backbone: Component) -> dict[str, Path]:
    """The options of a backbone that name a file of weights, and where it is."""
    found = {}
    for name, value in options.items():
        entry = backbone.entry
        if isinstance(value, str) and value not in (entry.defaults.get(name), entry.scratch.get(name)):
            path = Path(value).expanduser()
            # What else might bear the name of a file that happens to lie here says that it does: by a folder, or by a suffix.
            if path.is_file() and (name in entry.scratch or len(path.parts) > 1 or path.suffix):
                found[name] = path.resolve()
    return found


def exam_track(track: Track, catalogue: Catalogue, used: Params | None) -> Track:
    """The track with the content of files of weights in place of their paths, as the exam knows them.

    Args:
        track: the rules.
        catalogue: what is installed.
        used: options of the track's backbone with the content already in place; None: no method uses that backbone.
    """
    if used is None:
        files = files_among(track.model.options, catalogue.get("backbones", track.model.backbone))
        used = with_content(track.model.options, {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})
    options = {name: used[name] for name in track.model.options}
    return track.model_copy(update={"model": track.model.model_copy(update={"options": options})})


def groups_of() -> Callable[[Mapping[str, Any]], str | None]:
    """What gives the digest of the groups of the classes that a unit's data has, from that data: None where it is not to be had here.

    For records of layouts that did not keep it.
    """
    known: dict[str, str | None] = {}

    def groups(data: Mapping[str, Any]) -> str | None:
        fingerprint, rules = str(data["fingerprint"]), data["split"]
        if rules["group"] is not None and fingerprint not in known:
            known[fingerprint] = None
            with contextlib.suppress(SiambenchError):
                dataset = Catalogue.load().dataset(data["dataset"], data["options"])
                split = cut(dataset, SplitSpec(**rules))
                if split.fingerprint == fingerprint:
                    known[fingerprint] = groups_digest(dataset, split, rules["group"])
        return known.get(fingerprint)

    return groups
