"""What siambench finds on this machine: versions, devices, disk, data, plugins, records. Downloads nothing; torch comes last."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siambench.errors import DataMissingError, SiambenchError
from siambench.machine import cores, no_bf16, processor, unfit_torch
from siambench.wording import quoted

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.data.locate import Remote

State = Literal["ok", "note", "problem"]

LITTLE = 1 << 30
"""Free bytes below which a disk is noted; below a tenth of that it is a problem: data sets and weights need some 100 MB."""

_MOST_NAMED = 6
_HEAVY = ("torch", "torchvision", "pytorch_metric_learning", "optuna")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        section: of the report.
        name: what was looked at.
        state: ``"note"`` is worth knowing, ``"problem"`` is worth doing something about.
        text: what was found.
        advice: what to do about it; of every problem.
        fatal: whether nothing can be run here as long as it is so.
    """

    section: str
    name: str
    state: State
    text: str
    advice: str | None = None
    fatal: bool = False


def examine(runs: Path) -> Iterator[Finding]:
    """Everything, one by one, what is slow last.

    Args:
        runs: the folder in which runs leave their records.
    """
    _catalogue.cache_clear()
    looks: Sequence[tuple[str, Callable[[], Iterator[Finding]]]] = (
        ("versions", _versions),
        ("machine", _machine),
        ("folders", lambda: _folders(runs)),
        ("data", _data),
        ("plugins", _plugins),
        ("records", lambda: _records(runs)),
        ("devices", _devices),
    )
    for section, look in looks:
        try:
            yield from look()
        except Exception as error:  # noqa: BLE001  an installation can be broken in any way, and this is who is asked about it
            text = str(error) if isinstance(error, SiambenchError) else f"{type(error).__name__}: {error}"
            yield Finding(section, section, "problem", text, "install siambench again", fatal=True)


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "python", "ok", platform.python_version())
    try:
        own = importlib.metadata.distribution("siambench")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("versions", "siambench", "note", "runs from a folder that is not installed", "pip install .")
        return
    yield Finding("versions", "siambench", "ok", own.version)
    for requirement in own.requires or []:
        name = re.match(r"[\w.-]+", requirement)
        if name is not None and "extra ==" not in requirement:
            yield _library(name.group(), requirement)


def _library(name: str, requirement: str) -> Finding:
    cure = f"pip install '{requirement}'"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding("versions", name, "problem", "not installed", cure, fatal=True)
    least = re.search(r">=\s*([\d.]+)", requirement)
    if least is not None and _numbers(version) < _numbers(least.group(1)):
        return Finding("versions", name, "problem", f"{version}, {least.group(1)} or newer is needed", cure)
    return Finding("versions", name, "ok", version)


def _numbers(version: str) -> list[int]:
    found = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (found.group() if found else "").split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "processor", "ok", f"{processor()} ({platform.machine()}, {platform.system()})")
    usable = cores()
    quota = _quota()
    text = f"{usable} of {os.cpu_count()} may be used"
    if quota is not None and quota < usable:
        advice = f"--jobs {max(1, int(quota))}: with --jobs auto more workers than that share them"
        yield Finding("machine", "cores", "note", f"{text}, for the time of {quota:g}", advice)
    else:
        yield Finding("machine", "cores", "ok", text)
    threads = os.environ.get("OMP_NUM_THREADS")
    reason = no_bf16()
    text = "units may train in it" if reason is None else "units that train in it are refused here"
    yield Finding("machine", "bf16", "ok" if reason is None else "note", text, reason)
    yield Finding("machine", "threads", "ok", f"one per unit, whatever OMP_NUM_THREADS says ({threads or 'it is not set'})")


def _quota() -> float | None:
    """How many cores' time a container grants; None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        granted, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        return None if granted == "max" else int(granted) / int(period)
    return None


def _folders(runs: Path) -> Iterator[Finding]:
    from siambench.data.decoded import cache_path
    from siambench.data.features import features_folder
    from siambench.data.locate import cache_folder

    yield _place("cache", cache_folder(), "set SIAMBENCH_CACHE to a folder that can be written")
    yield _kept("decoded images", cache_path(""))
    yield _kept("features", features_folder())
    yield _place("runs", runs, "choose another folder with --out")
    data = os.environ.get("SIAMBENCH_DATA")
    if data:
        there = Path(data).expanduser().is_dir()
        text = f"SIAMBENCH_DATA is {data}" + ("" if there else ", which is no folder")
        yield Finding("folders", "data", "ok" if there else "problem", text, None if there else "set it to the folder of the data files")


def _kept(name: str, folder: Path) -> Finding:
    """How much of the cache something takes: all of it may be deleted, and is made anew where it is wanted."""
    sizes = []
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            with contextlib.suppress(OSError):
                if file.is_file() and not file.name.endswith((".lock", ".whole")):
                    sizes.append(file.stat().st_size)
    files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
    return Finding("folders", name, "ok", f"{files}, {_size(sum(sizes))} in {folder}, which may be deleted" if sizes else "none are kept")


def _place(name: str, folder: Path, cure: str) -> Finding:
    there = folder.absolute()
    try:
        # What is not there yet is made when it is needed: what counts is the folder it would be made in.
        there = next(path for path in (there, *there.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"siambench")
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("folders", name, "problem", f"{folder} cannot be written: {error.strerror or error}", cure)
    text = f"{folder} can be written, {_size(free)} free"
    if free >= LITTLE:
        return Finding("folders", name, "ok", text)
    return Finding("folders", name, "problem" if free < LITTLE / 10 else "note", text, f"make room, or {cure}")


def _size(number: float) -> str:
    return f"{number / 1e9:.3g} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _data() -> Iterator[Finding]:
    catalogue = _catalogue()
    for component in catalogue.components("datasets"):
        if component.entry.takes_path:
            continue
        if component.entry.files is None:
            yield Finding("data", component.name, "note", "which files it needs shows when it is loaded")
        else:
            yield _data_set(catalogue, component.name, component.entry.files)


@cache
def _catalogue() -> Catalogue:
    # Loading imports every plugin: once for all who look at it.
    from siambench.components.catalogue import Catalogue

    return Catalogue.load()


def _data_set(catalogue: Catalogue, name: str, files: Callable[[], Sequence[Remote]]) -> Finding:
    from siambench.data.locate import candidates, locate

    missing, found = [], []
    try:
        needed = files()
        for remote in needed:
            if any(path.is_file() for path in candidates(remote)):
                # What is there is not downloaded, but its checksum is looked at.
                found.append(locate(remote))
            else:
                missing.append(remote)
        if not needed:
            catalogue.dataset(name, {})
    except SiambenchError as error:
        cure = "replace the file, or delete it to have it downloaded" if found or missing else "install it again"
        return Finding("data", name, "problem", str(error), cure)
    if missing:
        places = candidates(missing[0])
        folder = (places[0] if os.environ.get("SIAMBENCH_DATA") else places[-1]).parent
        rest = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        names = ", ".join(f"{remote.name} ({remote.url})" for remote in missing[:_MOST_NAMED]) + rest
        advice = f"put {names} into {folder}"
        if not any(remote.by_hand for remote in missing):
            advice += ", or let it be downloaded when it is first needed"
        text = f"{len(missing)} of {len(needed)} files missing: {', '.join(remote.name for remote in missing[:_MOST_NAMED])}{rest}"
        return Finding("data", name, "note", text, advice)
    folders = sorted({str(path.parent) for path in found})
    where = ", ".join(folders) if len(folders) <= _MOST_NAMED else f"{len(folders)} folders of {os.path.commonpath(folders)}"
    return Finding("data", name, "ok", f"{len(found)} files in {where}" if found else "comes with what is installed")


def _plugins() -> Iterator[Finding]:
    from siambench.components.catalogue import GROUP

    catalogue = _catalogue()
    for plugin in catalogue.plugins:
        where = f"{plugin.distribution} {plugin.version}"
        if plugin.error is None:
            yield Finding("plugins", plugin.plugin, "ok", f"{where}, {len(plugin.components)} components")
        else:
            cure = f"mend, update or uninstall {plugin.distribution}; or leave it out: SIAMBENCH_PLUGINS names those to load"
            yield Finding("plugins", plugin.plugin, "problem", f"{where}: {plugin.error}", cure)
    providers = Counter((c.kind, c.name) for c in catalogue.components())
    for (kind, name), number in providers.items():
        if number > 1:
            cure = "uninstall one, or name those to load in SIAMBENCH_PLUGINS"
            yield Finding("plugins", f"{kind}:{name}", "problem", f"{number} plugins provide it, so that it cannot be used", cure)
    allowed = os.environ.get("SIAMBENCH_PLUGINS")
    if allowed is not None:
        wanted = {name.strip() for name in allowed.split(",")} - {""}
        installed = {entry_point.name for entry_point in importlib.metadata.entry_points(group=GROUP)}
        if installed - wanted:
            text = f"SIAMBENCH_PLUGINS leaves out {', '.join(sorted(installed - wanted))}"
            yield Finding("plugins", "left out", "note", text, "unset it to load all that is installed")
        if wanted - installed:
            text = f"SIAMBENCH_PLUGINS names {', '.join(sorted(wanted - installed))}, which is not installed"
            yield Finding("plugins", "not installed", "problem", text, "install it, or take the name out")


def _records(runs: Path) -> Iterator[Finding]:
    from siambench.records.status import folders, status_of

    try:
        found = folders(runs)
    except DataMissingError as error:
        nothing = not runs.exists() or (runs.is_dir() and not any(runs.iterdir()))
        yield Finding("records", str(runs), "ok" if nothing else "note", "no run yet" if nothing else str(error))
        return
    for folder in found:
        one = status_of(folder, now=time.time())
        name, intact = str(folder), one.records + sum(other.units for other in one.others)
        yield Finding("records", name, "ok", f"{intact} intact" + ("" if one.owner is None else ", and a run works on it"))
        if one.damaged:
            cure = "give the command of the run again: it makes them anew"
            yield Finding("records", name, "problem", f"{len(one.damaged)} damaged, the first {next(iter(one.damaged)).name}", cure)
        if one.older:
            yield Finding(
                "records", name, "problem", f"{one.older} of an older layout, passed over", f"siambench upgrade {quoted(str(folder))}"
            )
        if one.newer:
            cure = "install the siambench that wrote them"
            yield Finding("records", name, "problem", f"{one.newer} of a newer layout, passed over", cure)
        if one.trouble is not None:
            yield Finding("records", name, "note", one.trouble)


def _devices() -> Iterator[Finding]:
    for name in _HEAVY:
        try:
            # What a library prints while it is imported must not spoil a JSON document.
            with contextlib.redirect_stdout(sys.stderr):
                module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a library can fail in any way, and is named with its reason
            text = f"{name} cannot be imported: {' '.join(f'{type(error).__name__}: {error}'.split())}"
            yield Finding("devices", name, "problem", text, f"pip install --force-reinstall {name.replace('_', '-')}", fatal=True)
            if name == "torch":
                # The others need it, and would say the same.
                return
            continue
        if name == "torch":
            yield from _torch(module)


def _torch(torch: Any) -> Iterator[Finding]:
    from siambench.execution.engines.local import automatic_jobs

    yield Finding("devices", "cpu", "ok", f"torch uses {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(gpus):
        facts = torch.cuda.get_device_properties(index)
        yield Finding("devices", f"gpu {index}", "ok", f"{facts.name}, {_size(facts.total_memory)}")
    if not gpus and Path("/dev/nvidiactl").exists() and torch.version.cuda is not None:
        text = "there is one, and this build of torch cannot use it"
        yield Finding("devices", "gpu", "note", text, "install the build of torch that fits its driver")
    elif not gpus:
        yield Finding("devices", "gpu", "ok", "none: units run on the processor")
    if (unfit := unfit_torch()) is not None:
        yield Finding("devices", "torch", "note", unfit)
    yield Finding("devices", "workers", "ok", f"--jobs auto starts {automatic_jobs()}")
