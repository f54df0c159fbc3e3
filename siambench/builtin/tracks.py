"""The tracks, which `siambench.tracks.files` finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.data.shipped import shipped
from siambench.plugin import TrackEntry, hookimpl


@hookimpl
def siambench_tracks() -> dict[str, TrackEntry]:
    """Exams that come with their records."""
    source = "siambench; leaderboards/README.md says what each was made from"
    return {path.parent.name: TrackEntry(path.parent, source=source) for path in sorted(shipped("leaderboards").glob("*/track.toml"))}
