"""The comparisons, which `siambench.tracks.files` finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.data.shipped import shipped
from siambench.plugin import ConfigEntry, hookimpl


@hookimpl
def siambench_configs() -> dict[str, ConfigEntry]:
    """Tracks with the methods that sit them."""
    source = "siambench; configs/README.md says what its keys mean"
    return {path.stem: ConfigEntry(path, source=source) for path in sorted(shipped("configs").glob("*.toml"))}
