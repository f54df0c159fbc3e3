"""Which networks are refused to be trained in chunks, before anything runs."""

import pytest
from torch import nn

from siambench.components.batch_norm import statistics_of_batches
from siambench.components.catalogue import Catalogue
from siambench.errors import CombinationError
from siambench.plugin import BackboneEntry, LossEntry
from siambench.studies.chunks import check_chunks
from siambench.testing import synthetic_dataset

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
DATASET = synthetic_dataset(classes=4, size=32)
LOSS = CATALOGUE.get("losses", "gradcache(supcon)").entry
PLAIN = BackboneEntry(lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), source="made up")


def refused(backbone, *, loss=LOSS, fixed=None, options=None):
    """The sentence, or None."""
    try:
        check_chunks(loss, backbone, {**backbone.defaults, **(options or {})}, DATASET, fixed or {})
    except CombinationError as error:
        return str(error)
    return None


class Frozen(nn.Module):
    """BatchNorm that stays in evaluation mode; of the others one without running statistics, which it takes from the batch even then."""

    def __init__(self, *, running):
        super().__init__()
        self.norm = nn.BatchNorm1d(3, track_running_stats=running)

    def train(self, mode=True):  # noqa: FBT002  torch's signature
        """Never."""
        super().train(mode)
        self.norm.eval()
        return self


@pytest.mark.parametrize(("name", "has"), [("conv4", True), ("mlp", True), ("resnet18", True), ("koch2015", False)])
def test_a_backbone_with_batchnorm_is_refused(name, has):
    """What ships is refused where it has BatchNorm, with what to do, unless the user says that a chunk's statistics will do."""
    backbone = CATALOGUE.get("backbones", name).entry
    found = refused(backbone)

    assert has == (found is not None)
    if has:
        assert found.startswith("the backbone has BatchNorm")
        assert found.endswith("or say --set loss.per_chunk_batchnorm=true")
    assert refused(backbone, fixed={"loss.per_chunk_batchnorm": True}) is None
    assert refused(backbone, loss=CATALOGUE.get("losses", "supcon").entry) is None
    alone = refused(backbone, fixed={"loss.per_chunk_batchnorm": True, "loss.chunk": 1})
    assert alone == ("the backbone has BatchNorm, which has no statistics of one item: loss.chunk must be at least 2" if has else None)


@pytest.mark.parametrize(("running", "has"), [(True, False), (False, True)])
def test_only_statistics_of_the_batch_count(running, has):
    """Frozen BatchNorm is none, unless it has no statistics of its own."""
    assert has == bool(statistics_of_batches(Frozen(running=running).train()))
    assert has == (refused(BackboneEntry(lambda: Frozen(running=running), source="made up")) is not None)


@pytest.mark.parametrize(("widths", "has"), [("none", False), ("16", False), ("16-8", True)])
def test_a_projector_with_batchnorm_is_refused(widths, has):
    """Between the layers of a projector stands BatchNorm: of one layer there is none."""
    loss = LossEntry(
        lambda chunk, per_chunk_batchnorm: None,
        projector=(4, 4),
        defaults={"chunk": 2, "per_chunk_batchnorm": False},
        chunked=True,
        source="made up",
    )
    found = refused(PLAIN, loss=loss, fixed={"loss.projector": widths})

    assert has == (found is not None and found.startswith("the projector has BatchNorm"))
    assert refused(PLAIN, loss=loss) is not None
    assert refused(PLAIN, loss=loss, fixed={"loss.projector": widths, "loss.per_chunk_batchnorm": True}) is None


def test_a_backbone_that_cannot_be_built_here_is_looked_at_later():
    """Whatever its factory raises, even an exit, is for the unit to tell; weights are not asked for where it can start without."""
    asked = []

    def build(weights):
        asked.append(weights)
        raise SystemExit(f"no {weights} here")

    entry = BackboneEntry(build, defaults={"weights": "imagenet"}, scratch={"weights": "none"}, source="made up")

    assert refused(entry) is None
    assert ["none"] == asked


@pytest.mark.parametrize("name", ["sum(gradcache(supcon),triplet)", "matryoshka(gradcache(supcon))", "gradcache(gradcache(supcon))"])
def test_chunks_are_of_the_whole_loss(name):
    """Inside another loss it would be without effect, and is refused with how it is meant."""
    with pytest.raises(CombinationError, match=r"gradcache goes around the whole of it: gradcache\(…\)"):
        CATALOGUE.get("losses", name)
    assert CATALOGUE.get("losses", "gradcache(sum(supcon,triplet))").entry.chunked


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--loss", "gradcache(supcon)"), "the backbone has BatchNorm"),
        (("--loss", "gradcache(supcon)", "--backbone", "koch2015", "--set", "loss.chunk=0"), "at least 1, got 0"),
        (("--loss", "gradcache(supcon)", "--backbone", "koch2015", "--set", "loss.chunk=all"), "loss.chunk"),
        (("--loss", "sum(gradcache(supcon),triplet)"), "goes around the whole"),
        (("--loss", "triplet", "--miner", "offline-hard", "--feed", "views"), "is fed classes alone"),
        (("--loss", "triplet", "--miner", "offline-hard", "--feed", "triplets"), "gets its tuples from the feed"),
        (("--loss", "triplet", "--miner", "offline-hard", "--set", "miner.every=0"), "at least 1, got 0"),
        (("--loss", "triplet", "--miner", "offline-hard", "--set", "miner.every=often"), "miner.every"),
        (("--loss", "triplet", "--miner", "offline-hrad"), "offline-hard"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(siambench, flags, words):
    """A combination or a value that makes no sense ends with exit 4 and a sentence, before anything runs."""
    done = siambench("run", "--dataset", "digits", *flags, "--plan")

    assert 4 == done.returncode, done.stderr
    assert words in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


def test_what_can_be_run_is_planned(siambench, tmp_path):
    """Chunks of a network without BatchNorm, or where they were asked for, and mining over the training set are planned."""
    flags = ("run", "--dataset", "digits", "--out", str(tmp_path), "--plan")
    for more in (
        ("--loss", "gradcache(supcon)", "--backbone", "koch2015", "--set", "loss.chunk=8"),
        ("--loss", "gradcache(supcon)", "--set", "loss.per_chunk_batchnorm=true"),
        ("--loss", "triplet", "--miner", "offline-hard", "--miner", "offline-semihard", "--set", "miner.every=2"),
    ):
        done = siambench(*flags, *more)
        assert 0 == done.returncode, done.stderr
