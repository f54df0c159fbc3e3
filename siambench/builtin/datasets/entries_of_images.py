"""The entries of published data sets of photographs. Light: loaders are imported when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import DatasetEntry

if TYPE_CHECKING:
    from siambench.data.locate import Remote
    from siambench.interfaces import Dataset

PHOTOS = {"flip": True, "rotate": 10.0, "scale": [0.8, 1.0], "translate": 0.1, "padding": "reflection"}
_FACES = {"flip": True, "rotate": 5.0, "scale": [0.9, 1.1], "translate": 0.05, "padding": "reflection"}
_PAGE = "see its page"
_SONG = "classes 1 to {} train, the others test (Song et al., CVPR 2016)"


def birds(size: int, resize: int) -> Dataset:
    """Photographs of 200 species of birds, read at size × size; of what is resized, the middle."""
    from siambench.builtin.datasets.birds_and_cars import cub_200

    return cub_200(size=size, resize=resize)


def cars(size: int, resize: int) -> Dataset:
    """Photographs of 196 models of cars, read at size × size; both layouts that people have are found."""
    from siambench.builtin.datasets.birds_and_cars import cars_196

    return cars_196(size=size, resize=resize)


def online_products(size: int, resize: int) -> Dataset:
    """Photographs of 22,634 products from advertisements, read at size × size; classes carry one of 12 super classes."""
    from siambench.builtin.datasets.products import sop

    return sop(size=size, resize=resize)


def in_shop_clothes(size: int, resize: int) -> Dataset:
    """Photographs of 7,982 pieces of clothing, read at size × size, with queries and a gallery."""
    from siambench.builtin.datasets.products import in_shop

    return in_shop(size=size, resize=resize)


def species(size: int, resize: int) -> Dataset:
    """Photographs of 8,142 species in 14 groups, read at size × size, split by the lists of Smooth-AP."""
    from siambench.builtin.datasets.products import inat_2018

    return inat_2018(size=size, resize=resize)


def people(size: int, resize: int, images: str, view: str) -> Dataset:
    """Faces of 5,749 people, read at size × size.

    ``images`` is ``original``, ``funneled`` or ``deepfunneled``; ``view`` is ``development``, view 1 of the paper with its official split
    and pairs, or ``ten-folds``, whose test is whoever stands in pairs.txt.
    """
    from siambench.builtin.datasets.lfw import lfw

    return lfw(size=size, resize=resize, images=images, view=view)


def frontal_and_profile(size: int, test_folds: int) -> Dataset:
    """Pairs of a frontal and a profile face, as InsightFace packs them, read at size × size.

    The last ``test_folds`` of the ten folds are the test, those before are trained on; 10: there are no parts.
    """
    from siambench.builtin.datasets.face_pairs import CFP_FP, face_pairs

    return face_pairs(CFP_FP, name="cfp-fp", size=size, test_folds=test_folds)


def thirty_years(size: int, test_folds: int) -> Dataset:
    """Pairs of faces that are 30 years apart, as InsightFace packs them, read at size × size.

    The last ``test_folds`` of the ten folds are the test, those before are trained on; 10: there are no parts.
    """
    from siambench.builtin.datasets.face_pairs import AGEDB_30, face_pairs

    return face_pairs(AGEDB_30, name="agedb-30", size=size, test_folds=test_folds)


def forty_people(size: int) -> Dataset:
    """Ten grey pictures of each of 40 people, in folders ``s1/1.pgm``, read at size × size."""
    from siambench.builtin.datasets.faces import faces

    return faces(size=size)


def two_styles(size: int, *, flags: bool) -> Dataset:
    """Emoji as Google and as Twitter have drawn them, in colour, read at size × size: one style asks, the other is the gallery.

    Without ``flags`` those of countries and all others are left out; which of the other subgroups test stays as it is.
    """
    from siambench.builtin.datasets.emoji import emoji

    return emoji(size=size, flags=flags)


def _of_birds() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.birds_and_cars import CUB

    return CUB.files


def _of_cars() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.birds_and_cars import CARS_IN_ONE, CARS_IN_TWO

    return (CARS_IN_TWO if CARS_IN_TWO.home is not None else CARS_IN_ONE).files


def _of_products() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.products import SOP

    return SOP.files


def _of_clothes() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.products import SHOP

    return next((layout for layout in SHOP if layout.home is not None), SHOP[0]).files


def _of_species() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.products import NATURE

    return NATURE.files


def _of_people() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.lfw import remotes

    return remotes()


def _of_profiles() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.face_pairs import CFP_FP

    return (CFP_FP,)


def _of_ages() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.face_pairs import AGEDB_30

    return (AGEDB_30,)


def _of_forty() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.faces import remotes

    return remotes()


def _of_emoji() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.emoji import remotes

    return remotes()


ENTRIES = {
    "cub-200": DatasetEntry(
        birds,
        defaults={"size": 224, "resize": 0},
        augment=PHOTOS,
        files=_of_birds,
        source="Wah, Branson, Welinder, Perona, Belongie, The Caltech-UCSD Birds-200-2011 Dataset, Caltech CNS-TR-2011-001",
        licence=_PAGE,
        holds="200 classes, 11,788 images",
        split=_SONG.format(100),
    ),
    "cars-196": DatasetEntry(
        cars,
        defaults={"size": 224, "resize": 0},
        augment=PHOTOS,
        files=_of_cars,
        source="Krause, Stark, Deng, Fei-Fei, 3D Object Representations for Fine-Grained Categorization, 3dRR 2013",
        licence=_PAGE,
        holds="196 classes, 16,185 images",
        split=_SONG.format(98),
    ),
    "sop": DatasetEntry(
        online_products,
        defaults={"size": 224, "resize": 0},
        augment=PHOTOS,
        files=_of_products,
        source="Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
        licence=_PAGE,
        holds="22,634 classes, 120,053 images",
        split="official, 11,318 classes train, 11,316 test",
    ),
    "in-shop": DatasetEntry(
        in_shop_clothes,
        defaults={"size": 224, "resize": 0},
        augment=PHOTOS,
        files=_of_clothes,
        source="Liu, Luo, Qiu, Wang, Tang, DeepFashion: Powering Robust Clothes Recognition and Retrieval, CVPR 2016",
        licence=_PAGE,
        holds="7,982 classes, 52,712 images",
        split="official, 3,997 classes train, 3,985 with queries and a gallery",
    ),
    "inat-2018": DatasetEntry(
        species,
        defaults={"size": 224, "resize": 0},
        augment=PHOTOS,
        files=_of_species,
        source="Van Horn et al., The iNaturalist Species Classification and Detection Dataset, CVPR 2018",
        licence=_PAGE,
        holds="8,142 classes",
        split="by the lists of Brown et al., Smooth-AP, ECCV 2020",
    ),
    "lfw": DatasetEntry(
        people,
        defaults={"size": 112, "resize": 0, "images": "original", "view": "development"},
        augment=_FACES,
        files=_of_people,
        source="Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, UMass Amherst 07-49, 2007",
        licence=_PAGE,
        holds="5,749 classes, 13,233 images, 6,000 pairs",
        split="official, 4,038 people train, 1,711 test; or the ten folds of pairs",
    ),
    "cfp-fp": DatasetEntry(
        frontal_and_profile,
        defaults={"size": 112, "test_folds": 5},
        augment=_FACES,
        files=_of_profiles,
        source="Sengupta et al., Frontal to Profile Face Verification in the Wild, WACV 2016",
        licence=_PAGE,
        holds="7,000 pairs",
        split="official folds of pairs, ten; which of them train is an option",
    ),
    "agedb-30": DatasetEntry(
        thirty_years,
        defaults={"size": 112, "test_folds": 5},
        augment=_FACES,
        files=_of_ages,
        source="Moschoglou et al., AgeDB: The First Manually Collected, In-the-Wild Age Database, CVPR Workshops 2017",
        licence=_PAGE,
        holds="6,000 pairs",
        split="official folds of pairs, ten; which of them train is an option",
    ),
    "faces": DatasetEntry(
        forty_people,
        defaults={"size": 64},
        augment=_FACES,
        files=_of_forty,
        source="Samaria, Harter, Parameterisation of a Stochastic Model for Human Face Identification, WACV 1994 (ORL, now AT&T)",
        licence=_PAGE,
        holds="40 classes, 400 images",
        split="none",
    ),
    "emoji": DatasetEntry(
        two_styles,
        defaults={"size": 64, "flags": True},
        augment={"rotate": 10.0, "scale": [0.9, 1.1], "translate": 0.05, "padding": "border"},
        files=_of_emoji,
        source="npm packages emoji-datasource-google and emoji-datasource-twitter 16.0.0",
        licence="MIT; drawings by Google Apache 2.0, by Twitter CC BY 4.0",
        holds="1,876 classes, 3,752 images",
        split="siambench's own: every fifth subgroup tests, Google's as queries, Twitter's as the gallery",
    ),
}
