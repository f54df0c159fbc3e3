"""The entries of published data sets of small images, of texts and of series. Light: loaders are imported when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.builtin.datasets.entries_of_images import PHOTOS
from siambench.plugin import DatasetEntry

if TYPE_CHECKING:
    from siambench.data.locate import Remote
    from siambench.interfaces import Dataset

INK = {"rotate": 10.0, "scale": [0.9, 1.1], "translate": 0.08, "shear": 5.0}
_TOKENS: dict[str, str | int] = {"tokens": "words", "vocabulary": 8192, "length": 64}
_CLOSED = "official, the same classes train and test: for the split rule closed-set"


def omniglot(size: int, background: str) -> Dataset:
    """Drawn characters: the background set to train, the evaluation set to test, and the official one-shot runs.

    ``background`` is ``full`` (30 alphabets), ``small1`` or ``small2`` (five of them).
    """
    from siambench.builtin.datasets.whole_omniglot import omniglot as load

    return load(size=size, background=background)


def mnist() -> Dataset:
    """70,000 written digits, 28 × 28; a loader, no exam: training on five digits teaches nothing about the others."""
    from siambench.builtin.datasets.idx import mnist as load

    return load()


def emnist(split: str) -> Dataset:
    """Written letters and digits, 28 × 28; ``split`` is ``byclass``, ``bymerge``, ``balanced``, ``letters``, ``digits`` or ``mnist``."""
    from siambench.builtin.datasets.idx import emnist as load

    return load(split=split)


def kmnist() -> Dataset:
    """70,000 written Hiragana of ten kinds, 28 × 28; a loader, no exam, for the same reason as mnist."""
    from siambench.builtin.datasets.idx import kmnist as load

    return load()


def cifar_10() -> Dataset:
    """60,000 small photographs of ten kinds of things, 32 × 32; a loader, no exam, for the same reason as mnist."""
    from siambench.builtin.datasets.cifar import CIFAR_10, cifar

    return cifar(CIFAR_10)


def cifar_100() -> Dataset:
    """60,000 small photographs of 100 kinds of things, 32 × 32; classes carry one of 20 superclasses."""
    from siambench.builtin.datasets.cifar import CIFAR_100, cifar

    return cifar(CIFAR_100)


def intents(tokens: str, vocabulary: int, length: int) -> Dataset:
    """Questions of 150 intents in 10 domains, as tokens: ``words`` by their hash, or ``bytes``."""
    from siambench.builtin.datasets.table import TokenOptions
    from siambench.builtin.datasets.texts import clinc150

    return clinc150(options=TokenOptions(tokens, vocabulary, length))


def similar_sentences(threshold: float, tokens: str, vocabulary: int, length: int) -> Dataset:
    """Pairs of sentences with a score of how alike they are, as tokens: ``words`` by their hash, or ``bytes``.

    Pairs that score ``threshold`` or more, of 5, are of one class.
    """
    from siambench.builtin.datasets.table import TokenOptions
    from siambench.builtin.datasets.texts import sts

    return sts(threshold=threshold, options=TokenOptions(tokens, vocabulary, length))


def time_series(path: str, missing: str) -> Dataset:
    """Time series in files ``.ts``: one file, or a folder with NAME_TRAIN.ts and NAME_TEST.ts.

    Series may have several channels and differ in length; missing values are refused, or ``missing = "interpolate"``.
    """
    from siambench.builtin.datasets.series import ucr

    return ucr(path, missing=missing)


def from_the_hub(
    path: str,
    config: str,
    split: str,
    item: str,
    label: str,
    group: str,
    size: int,
    mode: str,
    tokens: str,
    vocabulary: int,
    length: int,
) -> Dataset:
    """Images or texts of Hugging Face's library: a name of its hub, a folder that it saved, or one of files that it reads.

    ``item``, ``label`` and ``group`` are columns, ``config`` and ``split`` what its ``load_dataset`` calls so.
    """
    from siambench.builtin.datasets.hugging_face import Asked, Columns, hugging_face
    from siambench.builtin.datasets.table import TokenOptions

    columns = Columns(item, label, group)
    return hugging_face(path, Asked(config, split), columns, size=size, mode=mode, tokens=TokenOptions(tokens, vocabulary, length))


def _of_omniglot() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.whole_omniglot import FULL

    return FULL


def _of_mnist() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.idx import MNIST

    return MNIST


def _of_emnist() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.idx import EMNIST

    return (EMNIST,)


def _of_kmnist() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.idx import KMNIST

    return KMNIST


def _of_cifar_10() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.cifar import CIFAR_10, remotes

    return remotes(CIFAR_10)


def _of_cifar_100() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.cifar import CIFAR_100, remotes

    return remotes(CIFAR_100)


def _of_intents() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.texts import CLINC

    return CLINC.files


def _of_sentences() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.texts import STS

    return STS.files


ENTRIES = {
    "omniglot": DatasetEntry(
        omniglot,
        defaults={"size": 28, "background": "full"},
        augment=INK,
        files=_of_omniglot,
        source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015",
        licence="MIT",
        holds="1,623 classes, 32,460 images, 20 one-shot runs",
        split="official, 30 alphabets train, 20 test",
        inverted=True,
    ),
    "mnist": DatasetEntry(
        mnist,
        augment=INK,
        files=_of_mnist,
        source="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 1998",
        licence="CC BY-SA 3.0",
        holds="10 classes, 70,000 images",
        split=_CLOSED,
    ),
    "emnist": DatasetEntry(
        emnist,
        defaults={"split": "balanced"},
        augment=INK,
        files=_of_emnist,
        source="Cohen, Afshar, Tapson, van Schaik, EMNIST: Extending MNIST to Handwritten Letters, IJCNN 2017",
        licence="see its page",
        holds="10 to 62 classes, 70,000 to 814,255 images",
        split=_CLOSED,
    ),
    "kmnist": DatasetEntry(
        kmnist,
        augment=INK,
        files=_of_kmnist,
        source="Clanuwat et al., Deep Learning for Classical Japanese Literature, arXiv 1812.01718",
        licence="CC BY-SA 4.0",
        holds="10 classes, 70,000 images",
        split=_CLOSED,
    ),
    "cifar-10": DatasetEntry(
        cifar_10,
        augment=PHOTOS,
        files=_of_cifar_10,
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, Toronto 2009",
        licence="see its page",
        holds="10 classes, 60,000 images",
        split=_CLOSED,
    ),
    "cifar-100": DatasetEntry(
        cifar_100,
        augment=PHOTOS,
        files=_of_cifar_100,
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, Toronto 2009",
        licence="see its page",
        holds="100 classes, 60,000 images",
        split=_CLOSED,
    ),
    "clinc150": DatasetEntry(
        intents,
        defaults=_TOKENS,
        files=_of_intents,
        source="Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, EMNLP 2019",
        licence="CC BY 3.0",
        holds="150 classes, 22,500 texts",
        split=_CLOSED,
    ),
    "sts": DatasetEntry(
        similar_sentences,
        defaults={"threshold": 4.0, **_TOKENS},
        files=_of_sentences,
        source="Cer, Diab, Agirre, Lopez-Gazpio, Specia, SemEval-2017 Task 1: Semantic Textual Similarity, SemEval 2017",
        licence="of its sources, which differ: see LICENSE.txt in its archive",
        holds="8,628 pairs of texts with scores",
        split="official: its test, and what shares no meaning with it to train",
    ),
    "ucr": DatasetEntry(
        time_series,
        defaults={"missing": "refuse"},
        takes_path=True,
        source="Dau et al., The UCR Time Series Archive, IEEE/CAA JAS 2019; Bagnall et al., The UEA Archive, arXiv 1811.00075",
        licence="of each data set",
        holds="what the files hold",
        split=_CLOSED,
    ),
    "hf": DatasetEntry(
        from_the_hub,
        defaults={
            "config": "",
            "split": "",
            "item": "",
            "label": "",
            "group": "",
            "size": 64,
            "mode": "rgb",
            **_TOKENS,
        },
        augment=PHOTOS,
        takes_path=True,
        source="Lhoest et al., Datasets: A Community Library for Natural Language Processing, EMNLP 2021; pip install 'siambench[hf]'",
        licence="of each data set",
        holds="what the data set holds",
        split="train, validation and test, where they are called so",
    ),
}
