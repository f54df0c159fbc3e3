"""Components of every other kind: sound ones, and for each of their contracts some that are sound but for breaking it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import threading
import time

import numpy as np
import torch
from torch import nn

from siambench.components.component import Component, Provenance
from siambench.errors import DataError
from siambench.interfaces import Finished, Lost
from siambench.plugin import BackboneEntry, DatasetEntry, EngineEntry, FormatEntry, MetricEntry, ObserverEntry, SamplerEntry
from siambench.testing import synthetic_dataset

HERE = Provenance("not-installed", "tests", "0")
SOURCE = "made for a test"
ENTRIES = {
    "samplers": SamplerEntry,
    "metrics": MetricEntry,
    "backbones": BackboneEntry,
    "datasets": DatasetEntry,
    "engines": EngineEntry,
    "observers": ObserverEntry,
    "formats": FormatEntry,
}


def made(kind, build, name="made", **options):
    """A component of that kind around a factory, from no installed plugin."""
    return Component(kind, name, ENTRIES[kind](build, source=SOURCE, **options), HERE)


def talking(value):
    print("a component that talks")  # noqa: T201  what the contract is about
    return value


def spoiling(value):
    os.environ["MADE_BY_A_COMPONENT"] = "1"
    return value


SPOILT = ("leaves-the-process-alone", "the environment changed: MADE_BY_A_COMPONENT")
TALKS = ("quiet", "a component that talks")

# ---- samplers


def drawn(labels, batch_size, steps, generator, *, change=lambda batch: batch, below=None):
    """Batches drawn with replacement."""
    for _ in range(steps):
        yield change(torch.randint(below or len(labels), (batch_size,), generator=generator))


def sampler(change=lambda batch: batch, **options):
    def build(labels, batch_size, steps, generator):
        return drawn(labels, batch_size, steps, generator, change=change, **options)

    return made("samplers", build)


def not_for_few(labels, batch_size, steps, generator):
    if len(labels) < batch_size:
        raise IndexError("not enough items")
    return drawn(labels, batch_size, steps, generator)


def refusing_few(labels, batch_size, steps, generator):
    if len(labels) < batch_size:
        raise DataError("a batch needs as many items")
    return drawn(labels, batch_size, steps, generator)


def writing(labels, batch_size, steps, generator):
    labels.zero_()
    return drawn(labels, batch_size, steps, generator)


def with_three_images_only(labels, batch_size, images_per_class, steps, generator):
    if images_per_class == 8:
        raise ValueError("no more than four")
    return drawn(labels, batch_size, steps, generator)


def at_odds(labels, batch_size, steps, generator):
    generator = torch.Generator().manual_seed(random.SystemRandom().randrange(2**32))
    return drawn(labels, batch_size, steps, generator)


def globally_drawn(labels, batch_size, steps):
    return (torch.randint(len(labels), (batch_size,)) for _ in range(steps))


def of_two_groups(labels, groups, batch_size, steps, generator):
    if groups is None or len(groups.unique()) < 2:
        raise DataError("a batch needs two groups")
    return drawn(labels, batch_size, steps, generator)


def of_groups_alone(labels, groups, batch_size, steps, generator):
    groups.unique()
    return drawn(labels, batch_size, steps, generator)


def writing_groups(labels, groups, batch_size, steps, generator):
    if groups is not None:
        groups.zero_()
    return drawn(labels, batch_size, steps, generator)


SAMPLERS = [sampler(), made("samplers", refusing_few), made("samplers", of_two_groups)]
BAD_SAMPLERS = [
    (*SPOILT, sampler(spoiling)),
    ("batches", "gave 3 batches, training takes 10", made("samplers", lambda labels, batch_size: [torch.arange(batch_size)] * 3)),
    ("batches", "got int64 [23] as batch 1", sampler(lambda batch: batch[1:])),
    ("batches", "got int32 [24]", sampler(lambda batch: batch.int())),
    ("batches", "must give indices in 0 … 79", sampler(lambda batch: batch + 80)),
    ("batches", "got list", sampler(lambda batch: batch.tolist())),
    ("batches", "with 8 images per class: sampler 'examined' raised ValueError", made("samplers", with_three_images_only)),
    ("edge-labels", "on fewer items than a batch holds: sampler 'examined' raised IndexError", made("samplers", not_for_few)),
    ("coverage", "1 of 80 items never stand in any of 200 batches, among them item 79", sampler(lambda batch: batch.clamp(max=78))),
    ("determinism", "two runs with the same seed gave different batches", made("samplers", at_odds)),
    ("own-generator", "it draws from the global generator of torch", made("samplers", globally_drawn)),
    ("inputs-kept", "labels", made("samplers", writing)),
    ("inputs-kept", "it changes what it is given: groups", made("samplers", writing_groups)),
    ("edge-labels", "on labels of classes without groups: sampler 'examined' raised AttributeError", made("samplers", of_groups_alone)),
    (*TALKS, sampler(talking)),
]

# ---- metrics


def nearest_is_right(evaluation):
    """Whether the nearest item has the query's label."""
    found = evaluation.matches(1)[:, 0].double()
    return torch.where(evaluation.relevant > 0, found, torch.nan)


def metric(change, **options):
    return made("metrics", lambda evaluation: change(nearest_is_right(evaluation), evaluation), **options)


def share_of_pairs(evaluation):
    return None if evaluation.pairs is None else float(evaluation.similarities[evaluation.pairs.same].mean() > 0)


def as_people_say(evaluation):
    """Whether the pairs that people find alike are the more similar ones."""
    pairs = evaluation.pairs
    if pairs is None or pairs.score is None or bool((pairs.score == pairs.score[0]).all()):
        return None
    high = pairs.score > pairs.score.mean()
    return float((evaluation.similarities[high].mean() - evaluation.similarities[~high].mean()).clamp(0, 1))


def needs_scores(evaluation):
    found = as_people_say(evaluation)
    return found if evaluation.pairs is None or evaluation.pairs.score is not None else {}["score"]


def never_on_singletons(value, evaluation):
    return value if bool((evaluation.relevant > 0).any()) else {}["nearest"]


def beyond_its_bound(value, evaluation):
    return value * 1.5


def writing_into(name):
    def change(value, evaluation):
        getattr(evaluation, name).mul_(2)
        return value

    return change


METRICS = [
    made("metrics", nearest_is_right),
    metric(lambda value, e: float(value.nanmean()) if bool((e.relevant > 0).any()) else None),
    made("metrics", share_of_pairs, over_pairs=True),
    made("metrics", as_people_say, over_pairs=True),
    made("metrics", lambda evaluation, k: nearest_is_right(evaluation), name="made@k"),
]
BAD_METRICS = [
    (*SPOILT, metric(lambda value, e: spoiling(value))),
    ("scores", "got float64 [143]", metric(lambda value, e: value[1:])),
    ("scores", "got int64 [144]", metric(lambda value, e: value.long())),
    ("scores", "gave nan, which is no score", metric(lambda value, e: float("nan"))),
    ("scores", "for 1 of 144 queries", metric(lambda value, e: value.where(torch.arange(len(value)) > 0, torch.nan))),
    ("scores", "one number or None, got str", metric(lambda value, e: "0.5")),
    ("scores", "raised KeyError: 'nearest'", metric(lambda value, e: {}["nearest"])),
    ("scores", "never applies", metric(lambda value, e: None)),
    ("edge-evaluations", "on singletons: metric made raised KeyError", metric(never_on_singletons)),
    (
        "edge-evaluations",
        "on a class of one item: metric made@1000 raised KeyError",
        made("metrics", lambda evaluation, k: nearest_is_right(evaluation) if k < 100 else {}[k], name="made@k"),
    ),
    ("edge-evaluations", "on pairs that nobody scored: metric made raised KeyError", made("metrics", needs_scores, over_pairs=True)),
    ("range", "gave 1.5, its range is 0 … 1", metric(beyond_its_bound)),
    ("direction", "direction is 'min'", metric(lambda value, e: value, direction="min")),
    ("direction", "direction is 'min'", made("metrics", as_people_say, over_pairs=True, direction="min")),
    ("over-pairs", "over_pairs is True, and it does not ask", metric(lambda value, e: value, over_pairs=True)),
    ("over-pairs", "over_pairs is False, and it asks", made("metrics", share_of_pairs)),
    (
        "determinism",
        "gave two scores for the same embeddings",
        metric(lambda value, e: value * (1 - random.SystemRandom().random() / 1000)),
    ),
    ("own-seed", "it draws from the global generator of torch", metric(lambda value, e: value * (1 - float(torch.rand(())) / 1000))),
    ("inputs-kept", "it changes what it is given: embeddings", metric(writing_into("embeddings"))),
    ("inputs-kept", "it changes what it is given: labels", metric(writing_into("labels"))),
    (*TALKS, metric(lambda value, e: talking(value))),
]

# ---- backbones


class Trunk(nn.Module):
    """One linear layer over an item. All the bad backbones derive from it."""

    def __init__(self, input_shape):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(input_shape)), 5)

    def forward(self, items):
        """Features [B, 5]."""
        return self.layer(items.flatten(1)).relu()


def backbone(change, **options):
    """A trunk whose `forward` is `change(trunk, items, sound)`."""

    class Made(Trunk):
        def forward(self, items):
            return change(self, items, lambda: Trunk.forward(self, items))

    return made("backbones", lambda input_shape: Made(input_shape), **options)  # noqa: PLW0108  options stand in its signature


class Listed(Trunk):
    """Has a second layer in a list, which no module has registered."""

    def __init__(self, input_shape):
        super().__init__(input_shape)
        self.more = [nn.Linear(5, 5)]

    def forward(self, items):
        """Features [B, 5]."""
        return self.more[0](super().forward(items))


class Counting(Trunk):
    """Counts its calls in a buffer."""

    def __init__(self, input_shape):
        super().__init__(input_shape)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, items):
        """Features [B, 5]."""
        self.calls += 1
        return super().forward(items)


class Staged(Trunk):
    """Says of its one layer that it is two stages."""

    stages = (("layer",), ("layer.bias",))


def fixed(input_shape):
    trunk = Trunk(input_shape)
    nn.init.constant_(trunk.layer.weight, 0.1)
    nn.init.constant_(trunk.layer.bias, 0.1)
    return trunk


def unseeded(input_shape):
    trunk = Trunk(input_shape)
    trunk.layer.weight.data.mul_(1 + random.SystemRandom().random())
    return trunk


def frozen(trunk, items, sound):
    return sound().detach()


def in_place(trunk, items, sound):
    items.mul_(0.5)
    return sound()


BACKBONES = [
    made("backbones", Trunk),
    made("backbones", Trunk, takes=("images", "arrays")),
    made("backbones", lambda input_shape: nn.Flatten()),
    backbone(lambda trunk, items, sound: nn.functional.dropout(sound(), 0.5, trunk.training)),
    # Large features, which rounding changes by more than small ones have.
    backbone(lambda trunk, items, sound: 1e8 * sound() + len(items)),
]
BAD_BACKBONES = [
    (*SPOILT, backbone(lambda trunk, items, sound: spoiling(sound()))),
    ("features", "must be a torch.nn.Module, got function", made("backbones", lambda: lambda items: items)),
    ("features", "must give features [B, F], got shape (2, 5, 1)", backbone(lambda trunk, items, sound: sound()[..., None])),
    ("features", "got torch.float64", backbone(lambda trunk, items, sound: sound().double() if len(items) > 2 else sound())),
    ("features", "its features are not finite", backbone(lambda trunk, items, sound: sound() * torch.nan)),
    ("features", "it takes tokens, and can be built for none", made("backbones", Trunk, takes=("images", "tokens"))),
    ("batch", "depend on the other items", backbone(lambda trunk, items, sound: sound() - sound().mean(dim=0))),
    ("evaluation", "other features the second time", backbone(lambda t, items, s: s() * (1 + 1e-3 * random.SystemRandom().random()))),
    ("evaluation", "evaluation changes calls", made("backbones", Counting)),
    ("gradient", "no gradient reaches its parameters", backbone(frozen)),
    ("registered-parameters", "requires a gradient and is a Parameter that no module has registered", made("backbones", Listed)),
    ("stages", "the stages of the backbone must hold each parameter once: ", made("backbones", Staged)),
    ("seeds", "another seed gave the same weights", made("backbones", fixed)),
    ("seeds", "the same seed gave other weights", made("backbones", unseeded)),
    ("inputs-kept", "the items", backbone(in_place)),
    (*TALKS, backbone(lambda trunk, items, sound: talking(sound()))),
]

# ---- data sets

SOUND = synthetic_dataset(official=True, one_shot_runs=2)


def dataset(change=lambda found: found, **options):
    return made("datasets", lambda: change(SOUND), **options)


def replaced(**changes):
    return dataset(lambda found: dataclasses.replace(found, **changes))


def read(indices):
    return SOUND.read(indices)


def by_place(indices):
    found = read(indices).copy()
    found[0] = 0
    return found


def writing_indices(indices):
    found = read(indices)
    indices.sort()
    return found


def same_memory(indices):
    return HELD if np.array_equal(indices, ALL) else read(indices)


def digests(*, of):
    return [of(place, item) for place, item in enumerate(SOUND.read(np.arange(len(SOUND.labels))))]


def sha(place, item):
    import hashlib

    return hashlib.sha256(item.tobytes()).digest()


ALL = np.random.default_rng(5).permutation(np.arange(48))
HELD = SOUND.read(ALL).copy()
EPISODES = SOUND.episodes["one-shot"]()
OFTEN = itertools.count()


def other_each_time(found):
    shift = next(OFTEN)
    return dataclasses.replace(found, class_names=[f"{name}-{shift}" for name in found.class_names])


def whole_each_time(found):
    times = itertools.count()
    return dataclasses.replace(found, whole=lambda index: np.full((1, 9, 12), next(times) % 256, dtype=np.uint8))


def framed(index):
    """An item in a frame of zeros."""
    return np.pad(SOUND.read(np.array([index]))[0], ((0, 0), (1, 1), (2, 2)))


def drawing(indices):
    np.random.rand()  # noqa: NPY002  what the contract is about
    return read(indices)


def other_episodes(**changes):
    return replaced(episodes={"one-shot": lambda: dataclasses.replace(EPISODES, **changes)})


DATASETS = [dataset(), dataset(augment={"rotate": 5.0}), replaced(digests=digests(of=sha)), replaced(whole=framed)]
BAD_DATASETS = [
    (*SPOILT, dataset(spoiling)),
    ("loads", "must give a siambench.interfaces.Dataset, got list", dataset(lambda found: [])),
    ("loads", "channels come first", replaced(shape=(8, 8, 1))),
    ("loads", "must be distinct, got 'class-000' twice", replaced(class_names=["class-000"] * 8)),
    ("loads", "1 of its 9 classes have no item, among them 'none'", replaced(class_names=[*SOUND.class_names, "none"])),
    ("reads", "items are others when they are read in another order", replaced(read=by_place)),
    ("reads", "is another when it is asked for again", dataset(whole_each_time)),
    ("loads", "gives a whole image float64", replaced(whole=lambda index: framed(index) / 255)),
    ("parts", "it has the part 'training'", replaced(parts={"training": SOUND.parts["trainval"], "test": SOUND.parts["test"]})),
    ("parts", "share 24 items", replaced(parts={"trainval": np.arange(48), "test": SOUND.parts["test"]})),
    (
        "parts",
        "trainval-gallery holds 8 items that are not in trainval",
        replaced(parts={**SOUND.parts, "trainval-gallery": SOUND.parts["test"][:8]}),
    ),
    ("parts", "an official split has trainval, and test", replaced(parts={"trainval": SOUND.parts["trainval"]})),
    ("digests", "a digest is 32 bytes", replaced(digests=digests(of=lambda place, item: b"short"))),
    ("digests", "has the digest of an item with another content", replaced(digests=digests(of=lambda place, item: bytes(32)))),
    ("episodes", "must be siambench.interfaces.Episodes, got NoneType", replaced(episodes={"one-shot": lambda: None})),
    ("episodes", "query items must be", other_episodes(query=EPISODES.query[..., :4])),
    ("episodes", "support items are float32", other_episodes(support=EPISODES.support.astype(np.float32))),
    ("episodes", "answers must be int64", other_episodes(answer=EPISODES.answer + 1)),
    ("augment", "augment does not hold", dataset(augment={"rotation": 5.0})),
    ("augment", "augment does not hold", dataset(augment={"jitter": 0.1})),
    ("determinism", "loaded twice it has other class names", dataset(other_each_time)),
    ("own-generator", "it draws from the global generator of numpy", replaced(read=drawing)),
    ("inputs-kept", "it changes what it is given: the indices", replaced(read=writing_indices)),
    ("inputs-kept", "reaches its own: give copies", replaced(read=same_memory)),
    (*TALKS, dataset(talking)),
]

# ---- engines


class Here:
    """Runs each call in this process, when it is waited for. All the bad engines derive from it."""

    def __init__(self, function):
        self.function, self.waiting = function, []

    def submit(self, key, *arguments):
        """Queue one call."""
        self.waiting.append((key, arguments))

    def wait(self, seconds):
        """Run one of them."""
        return [self.ended(*self.waiting.pop(0))] if self.waiting else []

    def ended(self, key, arguments):
        """What comes of a call."""
        if self.function is time.sleep:
            return Finished(key, None)
        try:
            return Finished(key, self.function(*arguments))
        except Exception as error:  # noqa: BLE001  the reason goes to whoever waits
            return Lost(key, f"{type(error).__name__}: {error}")

    def cancel(self):
        """Drop all."""
        dropped, self.waiting = [key for key, _ in self.waiting], []
        return dropped

    def close(self, *, now):
        """Nothing to end."""

    def describe(self):
        """For people."""
        return "here"


def engine(**methods):
    """That engine with other methods."""
    made_up = type("Made", (Here,), methods)
    return made("engines", lambda function: made_up(function))  # noqa: PLW0108  a class would be asked for its own signature


def strict(self, key, arguments):
    return Finished(key, self.function(*arguments)) if self.function is not time.sleep else Finished(key, None)


def twice(self, seconds):
    return 2 * Here.wait(self, seconds)


def dropped_and_kept(self):
    return [key for key, _ in self.waiting]


def numbered(self):
    dropped = Here.cancel(self)
    return len(dropped)


def something(self, seconds):
    return Here.wait(self, seconds) or ([Lost("nobody", "nothing")] if self.function is time.sleep and not hasattr(self, "told") else [])


ENGINES = [engine(), engine(wait=lambda self, seconds: [self.ended(*self.waiting.pop()) for _ in list(self.waiting)])]
BAD_ENGINES = [
    (
        "leaves-the-process-alone",
        "once it is closed threads changed",
        engine(close=lambda self, *, now: threading.Timer(1000, int).start()),
    ),
    ("reports", "must give a siambench.interfaces.Engine, got int", made("engines", lambda: 3)),
    ("reports", "it reported 'call 0' twice", engine(wait=twice)),
    (
        "reports",
        "it was reported as -1",
        engine(ended=lambda self, key, arguments: Finished(key, -1) if key == "call 3" else Here.ended(self, key, arguments)),
    ),
    ("reports", "wait must give Finished and Lost, got tuple", engine(ended=lambda self, key, arguments: (key, 1))),
    ("reports", "describe must say", engine(describe=lambda self: "")),
    ("failures", "ZeroDivisionError", engine(ended=strict)),
    (
        "failures",
        "its reason is 'lost'",
        engine(ended=lambda self, k, a: Lost(k, "lost") if isinstance(found := Here.ended(self, k, a), Lost) else found),
    ),
    ("cancel", "was dropped, and reported all the same", engine(cancel=dropped_and_kept)),
    ("cancel", "must give the keys of the calls that it dropped, got 8", engine(cancel=numbered)),
    (
        "wait",
        "nothing was submitted, and wait(0.2) gave [Lost",
        engine(wait=something, cancel=lambda self: [setattr(self, "told", True)] and Here.cancel(self)),
    ),
    (
        "close",
        "RuntimeError: it does not end",
        engine(close=lambda self, *, now: [].append(self.waiting) if self.function is not time.sleep or not self.waiting else raising()),
    ),
    (*TALKS, engine(submit=lambda self, key, *arguments: talking(Here.submit(self, key, *arguments)))),
]


def raising():
    raise RuntimeError("it does not end")


# ---- observers


class Hears:
    """Counts the epochs. All the bad observers derive from it."""

    def __init__(self):
        self.epochs = 0

    def epoch_ended(self, event):
        """One more."""
        self.epochs += 1

    def unit_ended(self, event):
        """How many there were."""
        return {"epochs": self.epochs, "state": event.outcome.state}


def observer(**methods):
    made_up = type("MadeUp", (Hears,), methods)
    return made("observers", lambda: made_up())  # noqa: PLW0108  a class would be asked for its own signature


def to_a_file(argument):
    if argument is None:
        raise ValueError("a file is needed")
    return Hears()


def in_its_folder(folder):
    if folder.exists():
        raise ValueError(f"{folder} is made by whoever writes there")
    return Hears()


OBSERVERS = [
    observer(),
    made("observers", to_a_file, ready=lambda argument: "a file is needed" if argument is None else None),
    made("observers", in_its_folder),
]
BAD_OBSERVERS = [
    (*SPOILT, observer(epoch_ended=lambda self, event: spoiling(None))),
    ("listens", "told of UnitEnded it raises KeyError", observer(unit_ended=lambda self, event: event.outcome.scores["map@r"] and None)),
    ("listens", "told of EpochEnded it raises TypeError", observer(epoch_ended=lambda self, event: event.figures.gradient_norm + 1)),
    ("listens", "it cannot be built, without an argument nor", made("observers", lambda argument: {}[argument])),
    ("listens", "it has none of the methods", made("observers", object)),
    ("gathers", "told of UnitEnded it raises", observer(unit_ended=lambda self, event: {"event": event})),
    ("leaves-the-process-alone", "ready must say in one sentence", made("observers", Hears, ready=lambda: False)),
    (*TALKS, observer(epoch_ended=lambda self, event: talking(None))),
]

# ---- formats


def plainly(table):
    """A line for each row, with what no reader should obey spelt out."""
    lines = [" ".join([row.name, *(column.texts[place] for column in table.columns[2:])]) for place, row in enumerate(table.rows)]
    return "\n".join("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line) for line in [table.title, *lines])


def table_format(change):
    return made("formats", lambda table: change(plainly(table), table))


FORMATS = [made("formats", plainly), table_format(lambda text, table: json.dumps([text]))]
BAD_FORMATS = [
    (*SPOILT, table_format(lambda text, table: spoiling(text))),
    ("text", "it must give text, got list", table_format(lambda text, table: text.splitlines())),
    ("text", "it gives nothing", table_format(lambda text, table: "")),
    ("rows", "the row raw is not in the text", table_format(lambda text, table: "\n".join(text.splitlines()[:-1]))),
    ("empty-tables", "it raises IndexError", table_format(lambda text, table: text + table.rows[0].name * 0)),
    ("escaped", "the control character U+0007", table_format(lambda text, table: text + "".join(row.name for row in table.rows))),
    ("determinism", "the same table gave two texts", table_format(lambda text, table: text + str(random.SystemRandom().random()))),
    ("inputs-kept", "the table", table_format(lambda text, table: table.document["rows"].append(1) or text)),
    (*TALKS, table_format(lambda text, table: talking(text))),
]

GOOD = {
    "samplers": SAMPLERS,
    "metrics": METRICS,
    "backbones": BACKBONES,
    "datasets": DATASETS,
    "engines": ENGINES,
    "observers": OBSERVERS,
    "formats": FORMATS,
}
BAD = {
    "samplers": BAD_SAMPLERS,
    "metrics": BAD_METRICS,
    "backbones": BAD_BACKBONES,
    "datasets": BAD_DATASETS,
    "engines": BAD_ENGINES,
    "observers": BAD_OBSERVERS,
    "formats": BAD_FORMATS,
}
