"""Plugin packages that tests build and install, and the command line that meets them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from forked import forked
from shared import told_of_torch

TINY = ("--trials", "1", "--repetitions", "1", "--jobs", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2")
"""The smallest budget that tunes, trains and scores."""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def pip(*arguments: object) -> None:
    """Run pip without network; what it builds is built with what is installed here."""
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    subprocess.run([sys.executable, "-m", "pip", str(arguments[0]), *options, *map(str, arguments[1:])], check=True, timeout=120)


def install(source: Path, target: Path) -> Path:
    """Build a wheel of a package's source and install the wheel into a folder of its own."""
    wheels = target.with_name(f"{target.name}-wheels")
    pip("wheel", "--no-build-isolation", "--wheel-dir", wheels, source)
    pip("install", "--target", target, *wheels.glob("*.whl"))
    return target


def pyproject(name: str, version: str, entry_points: dict[str, str]) -> str:
    lines = [f'{entry} = "{module}"' for entry, module in entry_points.items()]
    return "\n".join(
        [
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
            f'[project]\nname = "{name}"\nversion = "{version}"\n',
            "[project.entry-points.siambench]",
            *lines,
            '\n[tool.hatch.build.targets.wheel]\nsources = ["src"]\ninclude = ["src"]\n',
        ]
    )


class CommandLine:
    """The command line in a process of its own, with the given folders of installed plugins on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        told_of_torch(folder / "cache")

    def environment(self, plugins: tuple[Path, ...], allowed: str | None = None) -> dict[str, str]:
        """The surroundings of a process that finds those plugins and nothing of the user's."""
        ambient = {name: value for name, value in os.environ.items() if not name.startswith("SIAMBENCH_")}
        paths = [*map(str, plugins), *filter(None, [ambient.get("PYTHONPATH")])]
        chosen = {} if allowed is None else {"SIAMBENCH_PLUGINS": allowed}
        return {**ambient, "PYTHONPATH": os.pathsep.join(paths), "SIAMBENCH_CACHE": str(self.folder / "cache"), **chosen}

    def __call__(self, *arguments: str, plugins: tuple[Path, ...] = (), allowed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command of siambench."""
        return forked()(*arguments, folder=self.folder, environment=self.environment(plugins, allowed))

    def python(self, *arguments: str, plugins: tuple[Path, ...] = (), allowed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python with those arguments."""
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.folder,
            env=self.environment(plugins, allowed),
        )


EXTRAS = {
    "pyproject.toml": pyproject("exam-extras", "1.2.3", {"extras": "exam_extras"}),
    "src/exam_extras/__init__.py": """
from siambench.plugin import BackboneEntry, DatasetEntry, Float, Int, LossEntry, MinerEntry, hookimpl


def hinge(margin):
    from exam_extras.parts import Hinge

    return Hinge(margin)


def first(most):
    from exam_extras.parts import First

    return First(most)


def stripes(images):
    from exam_extras.parts import stripes

    print("a loader that talks")
    return stripes(images)


def flat(input_shape, width):
    from exam_extras.parts import flat

    return flat(input_shape, width)


@hookimpl
def siambench_losses():
    return {"plain-hinge": LossEntry(hinge, source="ours", space={"margin": Float(0.0, 1.0)}, defaults={"margin": 0.2}, takes="triplets")}


@hookimpl
def siambench_miners():
    return {"first-triplets": MinerEntry(first, source="ours", space={"most": Int(1, 64)}, defaults={"most": 32})}


@hookimpl
def siambench_datasets():
    return {"stripes": DatasetEntry(stripes, source="drawn by a loop", defaults={"images": 6})}


@hookimpl
def siambench_backbones():
    return {"flat": BackboneEntry(flat, source="ours", defaults={"width": 16})}
""",
    "src/exam_extras/parts.py": """
import numpy as np
import torch
from pytorch_metric_learning.utils.loss_and_miner_utils import convert_to_triplets, get_all_triplets_indices
from siambench.interfaces import Dataset
from torch import nn


class Hinge(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels, indices=None):
        anchor, positive, negative = convert_to_triplets(indices, labels, t_per_anchor="all")
        distances = torch.cdist(embeddings, embeddings)
        return (distances[anchor, positive] - distances[anchor, negative] + self.margin).relu().mean()


class First:
    def __init__(self, most):
        self.most = most

    def __call__(self, embeddings, labels):
        return tuple(part[: self.most] for part in get_all_triplets_indices(labels))


def stripes(images):
    generator = np.random.default_rng(8)
    labels = np.repeat(np.arange(8), images)
    pixels = generator.integers(0, 64, (len(labels), 1, 16, 16), dtype=np.uint8)
    for index, label in enumerate(labels):
        pixels[index, 0, :, 2 * label : 2 * label + 2] += 128
    return Dataset(
        labels=labels.astype(np.int64),
        read=lambda indices: pixels[indices],
        shape=(1, 16, 16),
        class_names=[f"column {label}" for label in range(8)],
    )


def flat(input_shape, width):
    channels, height, wide = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * wide, width), nn.ReLU())
""",
}


OBSERVED = {
    "pyproject.toml": pyproject("exam-forms", "2.0.1", {"forms": "exam_forms"}),
    "src/exam_forms/__init__.py": """
from siambench.plugin import DatasetEntry, FormatEntry, ObserverEntry, hookimpl


def waves(length):
    from exam_forms.data import waves

    return waves(length)


def notes():
    from exam_forms.data import notes

    return notes()


class Tally:
    def __init__(self, argument):
        self.heard = [argument]

    def unit_started(self, event):
        self.heard.append(event.label)

    def epoch_ended(self, event):
        self.heard.append(event.figures.epoch)

    def unit_ended(self, event):
        return {"heard": [*self.heard, event.outcome.state]}


class Grumbles:
    def epoch_ended(self, event):
        import numpy as np
        import random
        import torch

        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        raise RuntimeError("not another epoch")


def tsv(table):
    print("a format that talks")
    lines = [table.flat[0].keys(), *(row.values() for row in table.flat)]
    return "".join("\\t".join(map(str, line)) + "\\n" for line in lines)


def breaks(table):
    return table.no_such_thing


@hookimpl
def siambench_datasets():
    return {
        "waves": DatasetEntry(waves, source="drawn by a loop", defaults={"length": 24}, augment={"jitter": 0.01}),
        "notes": DatasetEntry(notes, source="drawn by a loop", augment={"drop": 0.1}),
    }


@hookimpl
def siambench_observers():
    return {"tally": ObserverEntry(Tally, source="ours"), "grumbles": ObserverEntry(Grumbles, source="ours")}


@hookimpl
def siambench_formats():
    return {
        "tsv": FormatEntry(tsv, source="values between tabs"),
        "breaks": FormatEntry(breaks, source="ours"),
        "number": FormatEntry(lambda table: 3, source="ours"),
    }
""",
    "src/exam_forms/data.py": """
import numpy as np
from siambench.data.tokens import hashed_words
from siambench.interfaces import Dataset

LABELS = np.repeat(np.arange(8), 6)
NAMES = [f"class {label}" for label in range(8)]


def waves(length):
    generator = np.random.default_rng(8)
    shift = generator.random((len(LABELS), 2, 1))
    arrays = np.sin((1 + LABELS[:, None, None]) * np.linspace(0, 3, length) + shift).astype(np.float32)
    return Dataset(labels=LABELS, read=lambda indices: arrays[indices], shape=(2, length), class_names=NAMES, form="arrays")


def notes():
    generator = np.random.default_rng(9)
    texts = [" ".join([f"word{label}", *(f"other{number}" for number in generator.integers(0, 40, size=4))]) for label in LABELS]
    tokens = hashed_words(texts, vocabulary=500, length=6)
    return Dataset(
        labels=LABELS, read=lambda indices: tokens[indices], shape=(6,), class_names=NAMES, form="tokens", vocabulary=500
    )
""",
}
"""A package that brings a data set of arrays, one of tokens, observers and formats, of which some break."""


ENTRY = 'LossEntry(lambda margin=0.1: None, source="ours", space={{"margin": Float(0.0, 1.0)}}, defaults={{"margin": {default}}})'
GOOD = "from siambench.plugin import Float, LossEntry, MinerEntry, hookimpl\n"
ROGUES = {
    "raises": 'raise RuntimeError("no such luck")\n',
    "needs": "import a_module_that_is_not_there\n",
    "leaves": "raise SystemExit(5)\n",
    "prints": f'{GOOD}print("hello from a plugin")\n\n@hookimpl\ndef siambench_losses():\n    print("and again")\n'
    f'    return {{"chatty": {ENTRY.format(default=0.5)}}}\n',
    "misspells": f"{GOOD}\n@hookimpl\ndef siambench_loses():\n    return {{}}\n",
    "lists": f"{GOOD}\n@hookimpl\ndef siambench_losses():\n    return []\n",
    "mixes": f'{GOOD}\n@hookimpl\ndef siambench_miners():\n    return {{"mixed": {ENTRY.format(default=0.5)}}}\n',
    "strays": f'{GOOD}\n@hookimpl\ndef siambench_losses():\n    return {{"stray": {ENTRY.format(default=1.5)}}}\n',
    "misnames": f'{GOOD}\n@hookimpl\ndef siambench_losses():\n    return {{"two words": {ENTRY.format(default=0.5)}}}\n',
    "poses": f'{GOOD}\n@hookimpl\ndef siambench_losses():\n    return {{"untrained": {ENTRY.format(default=0.5)}}}\n',
    "exposes": f"""{GOOD.replace("Float", "DatasetEntry, Float")}
@hookimpl
def siambench_datasets():
    return {{"fine": DatasetEntry(lambda: 3, source="ours"), "raw": DatasetEntry(lambda: 3, source="ours")}}
""",
    "asks": f"{GOOD}\n@hookimpl\ndef siambench_losses(catalogue):\n    return {{}}\n",
    "drops": f"""{GOOD.replace("Float", "DatasetEntry, Float")}
def missing():
    return {{}}["labels"]

def leaving():
    raise SystemExit(0)

@hookimpl
def siambench_datasets():
    return {{"missing": DatasetEntry(missing, source="ours"), "leaving": DatasetEntry(leaving, source="ours")}}
""",
    "paints": 'raise ValueError("\\x1b[2J\\x1b]0;owned\\x07red \\x9b31m")\n',
}
