"""Scores of embeddings that somebody brings: ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from siambench.commands.terminal import print_json
from siambench.commands.waiting import Waiting
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.metrics import Distance, NamedPairs


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--metrics", multiple=True, metavar="NAMES", help="Metrics, separated by commas; repeatable.  [default: the usual ones]")
@click.option("--distance", default="cosine", show_default=True, type=click.Choice(["cosine", "euclidean"]), help="What near means.")
@click.option("--pairs", "asked_pairs", metavar="PATH", help="Verification pairs: LFW's form, a CSV table, or all.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of what metrics draw: pairs, episodes, clusters.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def evaluate(
    file: Path,
    metrics: tuple[str, ...],
    distance: str,
    asked_pairs: str | None,
    seed: int,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Score the embeddings in FILE, a .npz or .safetensors with the arrays `embeddings` and `labels`.

    It may also hold `gallery` and `gallery_labels` (what the others are compared with), `groups` and `names`.
    """
    from siambench.evaluation.arrays import evaluate_arrays, read_arrays, read_pairs

    names = [name.strip() for given in metrics for name in given.split(",") if name.strip()]
    with Waiting(f"scoring {file}", silent=as_json):
        arrays = read_arrays(file)
        pairs: NamedPairs | Literal["every"] | None = None
        if asked_pairs is not None:
            # A file that is called so is ./all, which a path would not tell from it.
            pairs = "every" if asked_pairs == "all" else read_pairs(Path(asked_pairs))
        found = evaluate_arrays(arrays, metrics=names or None, distance=cast("Distance", distance), seed=seed, pairs=pairs)
    if as_json:
        queries = len(arrays.labels)
        gallery = None if arrays.gallery_labels is None else len(arrays.gallery_labels)
        print_json(
            {
                "schema": 1,
                "queries": queries,
                "gallery": gallery,
                "distance": distance,
                "seed": seed,
                "scores": found.scores,
                "notes": found.notes,
            }
        )
        return
    width = max(len(name) for name in found.scores)
    for name, value in found.scores.items():
        click.echo(f"{name:<{width}}  {'n/a' if value is None else f'{value:.6f}'}")
    for name, note in found.notes.items():
        click.echo(printable(f"{name}: {note:.6g}" if isinstance(note, float) else f"{name}: {note}"), err=True)
