"""One unit into an offline run of Weights & Biases: a program, with the unit as JSON on standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def leave(unit: Mapping[str, Any], folder: Path) -> str:
    """Make an offline run of it, in ``folder/wandb``; gives the run's id.

    Args:
        unit: as `siambench_trackers.apart` hands it on.
        folder: where the run is left.
    """
    import wandb

    facts = unit["facts"]
    # Of code, console, machine and git nothing is taken: they are those of this program, and no business of a run's.
    settings = wandb.Settings(console="off", disable_git=True, disable_code=True, silent=True)
    run = wandb.init(
        project=unit["where"],
        mode="offline",
        dir=str(folder),
        name=unit["name"],
        group=facts["method"],
        job_type=facts["kind"],
        config={**unit["params"], **{f"siambench/{key}": value for key, value in facts.items()}},
        settings=settings,
    )
    for point in unit["points"]:
        run.log({**point["numbers"], "seconds": point["seconds"]}, step=point["epoch"])
    for key, value in unit["scores"].items():
        run.summary[key] = value
    run.summary["error"] = unit["error"] or ""
    run.finish(exit_code=0 if unit["error"] is None else 1)
    return str(run.id)


if __name__ == "__main__":
    leave(json.loads(sys.stdin.buffer.read()), Path(sys.argv[1]))
