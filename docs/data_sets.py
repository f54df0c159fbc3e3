"""Writes docs/data_sets.md, a table of all data sets that ship: what they hold, split, licence, files and where they go, checksums.

    python docs/data_sets.py            write it
    python docs/data_sets.py --check    exit 6 where the page is another

Everything in it is what entries and loaders state.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from written_pages import cell, write_or_check

from siambench.builtin.datasets import birds_and_cars, emoji, lfw, products, siambench_datasets
from siambench.data.locate import Remote
from siambench.plugin import DatasetEntry

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "data_sets.md"
_NAMED = 4

HEAD = """# Data sets

<!-- Written by `python docs/data_sets.py`: do not edit it. -->

Files are looked for in the folder that `SIAMBENCH_DATA` names, and in the cache (`SIAMBENCH_CACHE`). The places below are those in
either. What stands in a folder of its own may also lie without the folder of the data set around it. Nothing below is in this repository;
what is marked "by hand" siambench does not download: it says where to get it. `siambench show dataset NAME` says which files are missing
on this machine, and `siambench doctor` looks at the checksums of those that are there.

Where no checksum is published, numbers of classes and images, names and splits are compared with what is, and the SHA-256 of the lists
that were read is told before anything runs. A part of a data set, or another version, is refused: `csv:PATH` and `folder:PATH` read it.

Pictures are brought to a square of the option `size` once and kept in the cache, which takes images × channels × size² bytes: 18 GB for
`sop` at 224. With the option `resize`, of photographs and folders, the shorter edge becomes that, proportions stay, and what is seen is
the middle of `size` × `size`: the cache holds what was resized, whatever is cut out of it, about 31 GB for `sop` at 256.

A pickle (CIFAR's batches, `cfp_fp.bin`, `agedb_30.bin`) is read by siambench's own reader, which knows numbers, text, bytes, lists,
dictionaries and arrays, and neither imports nor calls anything that the file names.

The licence is that of the data, which whoever uses it has to keep; "see its page" means that siambench states none.
"""

TAIL = """
## Official verification pairs

`lfw`, `cfp-fp`, `agedb-30` and `sts` bring pairs. A track with

```toml
[evaluation]
pairs = "official"
```

scores final models by those of them that are of two items of the test part, with their folds; `verification_accuracy` is then the mean
over the folds, each with the threshold of the others. `lfw` with `view = "ten-folds"` has all of pairs.txt in its test part: whoever is
in it is not trained on. Of `cfp-fp` and `agedb-30` the last `test_folds` of the ten folds are the test, and the first are trained on; the
field trains on another data set and tests on all ten, which `test_folds = 10` leaves to `siambench evaluate`. `sts` has scores beside its
pairs, whose Spearman correlation with the similarities is the metric `spearman`.

## Lists in the form of others

| form | read by |
|---|---|
| images by a list | `csv:PATH`, with a line for each: path, label, group, split |
| texts by a list | `csv:PATH`, with text in the place of path |
| pairs of sentences with scores, tab-separated as the STS benchmark | `sts` |
| time series, `NAME_TRAIN.ts` and `NAME_TEST.ts` | `ucr:FOLDER`, or one file |
| anything that Hugging Face's library reads | `hf:NAME` or `hf:FOLDER`, with `pip install 'siambench[hf]'` |
"""


def _further() -> dict[str, tuple[Remote, ...]]:
    """Of data sets in folders, the archives that may lie in the folder's place, and files with checksums of their own."""
    return {
        "cub-200": birds_and_cars.CUB.archives,
        "cars-196": (birds_and_cars.CARS_TEST,),
        "sop": products.SOP.archives,
        "lfw": tuple(remote for _, remote in lfw.IMAGES.values()),
        "emoji": emoji.remotes(),
    }


def _called(remote: Remote) -> str:
    return f"`{remote.folder}/{remote.name}`"


def _places(name: str, entry: DatasetEntry) -> str:
    if entry.takes_path:
        return "where you say"
    needed = () if entry.files is None else entry.files()
    if not needed:
        return "comes with what is installed"
    more = f" and {len(needed) - _NAMED} more" if len(needed) > _NAMED else ""
    by_hand = ", by hand" if all(remote.by_hand for remote in needed) else ""
    further = [remote for remote in _further().get(name, ()) if remote not in needed]
    other = f"; or {', '.join(map(_called, further))}" if further else ""
    return f"{', '.join(map(_called, needed[:_NAMED]))}{more}{other}{by_hand}"


def _checksums(name: str, entry: DatasetEntry) -> str:
    remotes = [*(() if entry.files is None else entry.files()), *_further().get(name, ())]
    if not remotes:
        return "none is needed" if not entry.takes_path else "none"
    with_md5 = _names(remote for remote in remotes if remote.md5)
    with_sha = _names(remote for remote in remotes if remote.sha256_prefix)
    without = _names(remote for remote in remotes if not remote.md5 and not remote.sha256_prefix)
    told = [f"{kind} of {names}" for kind, names in (("MD5", with_md5), ("SHA-256", with_sha)) if names]
    return "; ".join([*told, *([f"none published of {without}"] if without else [])])


def _names(remotes: Iterable[Remote]) -> str:
    names = list(dict.fromkeys(remote.name.rpartition("/")[2] for remote in remotes))
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} files"


def page() -> str:
    """The page as it should be; of a machine that has none of the files."""
    there = {name: os.environ.pop(name, None) for name in ("SIAMBENCH_DATA", "SIAMBENCH_CACHE")}
    os.environ["SIAMBENCH_CACHE"] = str(ROOT / "docs" / "no such folder")
    try:
        head = ["data set", "holds", "split", "licence", "files and where they go", "checksums", "source"]
        lines = [HEAD, f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for name, entry in sorted(siambench_datasets().items()):
            called = f"`{name}:PATH`" if entry.takes_path else f"`{name}`"
            facts = [called, entry.holds or "yours", entry.split or "as you say", entry.licence or "yours"]
            cells = [*facts, _places(name, entry), _checksums(name, entry), entry.source]
            lines.append(f"| {' | '.join(map(cell, cells))} |")
        return "\n".join([*lines, TAIL])
    finally:
        os.environ.pop("SIAMBENCH_CACHE")
        os.environ.update({name: value for name, value in there.items() if value is not None})


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit code."""
    return write_or_check(PAGE, page(), arguments, source="the entries of the data sets")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
