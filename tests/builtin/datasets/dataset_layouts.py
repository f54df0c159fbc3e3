"""Small data sets in the layouts of the published ones, for tests."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat


def picture(seed, size=12, mode="RGB"):
    """An image of noise, no two alike."""
    generator = np.random.default_rng(seed)
    shape = (size, size, 3) if mode == "RGB" else (size, size)
    return Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))


def put(path, image, **options):
    """Write an image and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def packed(image, kind="PNG"):
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, format=kind)
    return file.getvalue()


def text(path, lines, end="\n"):
    """Write lines; of bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + end.encode() for line in lines))
    return path


def cub(root, classes=4, each=3):
    """CUB_200_2011 with so many classes; the pixels of the images by name."""
    folder, names, number = root / "cub-200" / "CUB_200_2011", [], 0
    pixels = {}
    for label in range(1, classes + 1):
        for place in range(each + label % 2):
            number += 1
            name = f"{label:03d}.Bird_{label}/Bird_{label}_{place:04d}.png"
            image = picture([label, place])
            put(folder / "images" / name, image)
            pixels[name] = np.asarray(image).transpose(2, 0, 1)
            names.append((number, name, label))
    text(folder / "images.txt", [f"{n} {name}" for n, name, _ in names])
    text(folder / "image_class_labels.txt", [f"{n} {label}" for n, _, label in names])
    text(folder / "classes.txt", [f"{label} {label:03d}.Bird_{label}" for label in range(1, classes + 1)])
    text(folder / "train_test_split.txt", [f"{n} {n % 2}" for n, _, _ in names])
    text(folder / "bounding_boxes.txt", [f"{n} 1.0 2.0 3.0 4.0" for n, _, _ in names])
    return folder, pixels


def _annotations(rows, file_field):
    kinds = [(name, object) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", file_field)]
    found = np.empty((1, len(rows)), dtype=kinds)
    for place, (name, label) in enumerate(rows):
        found[0, place] = (1, 2, 3, 4, label, name)
    return found


def _cells(names):
    found = np.empty((1, len(names)), dtype=object)
    found[0, :] = names
    return found


CAR_NAMES = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Audi TT RS Coupe 2012", "BMW X5 SUV 2007"]


def cars_in_one(root, names=CAR_NAMES, images=9):
    """The layout of metric learning: cars_annos.mat beside car_ims; its rows."""
    folder, rows = root / "cars-196", []
    for place in range(images):
        rows.append((f"car_ims/{place + 1:06d}.png", place % len(names) + 1))
        put(folder / rows[-1][0], picture([5, place]))
    savemat(folder / "cars_annos.mat", {"annotations": _annotations(rows, "relative_im_path"), "class_names": _cells(names)})
    return folder, rows


def cars_in_two(root):
    """The layout of the development kit; its rows, and the checksum of the table of the test."""
    folder, rows = root / "cars-196", []
    (folder / "devkit").mkdir(parents=True)
    for part, number in (("train", 5), ("test", 4)):
        mine = [(f"{place + 1:05d}.png", (place + number) % 4 + 1) for place in range(number)]
        for name, label in mine:
            put(folder / f"cars_{part}" / name, picture([6, label, number, int(name[:5])]))
        table = folder / ("devkit/cars_train_annos.mat" if part == "train" else "cars_test_annos_withlabels.mat")
        savemat(table, {"annotations": _annotations(mine, "fname")})
        rows += [(f"cars_{part}/{name}", label) for name, label in mine]
    savemat(folder / "devkit/cars_meta.mat", {"class_names": _cells(CAR_NAMES)})
    return folder, rows, hashlib.md5((folder / "cars_test_annos_withlabels.mat").read_bytes()).hexdigest()


PRODUCTS = (("bicycle", "train"), ("chair", "train"), ("bicycle", "train"), ("chair", "test"), ("lamp", "test"))


def sop(root, products=PRODUCTS):
    """Stanford_Online_Products: 3 + 2 classes of two super classes."""
    folder = root / "sop" / "Stanford_Online_Products"
    lines = {"train": [], "test": []}
    number = 0
    for label, (upper, part) in enumerate(products, 1):
        for place in range(2 + label % 2):
            number += 1
            name = f"{upper}_final/{label}00_{place}.png"
            put(folder / name, picture([7, label, place]))
            lines[part].append(f"{number} {label} {label % 3 + 1} {name}")
    for part, rows in lines.items():
        text(folder / f"Ebay_{part}.txt", ["image_id class_id super_class_id path", *rows])
    return folder, lines


CLOTHES = (("train", "train"), ("train",) * 3, ("query", "gallery", "gallery"), ("query", "gallery"))


def in_shop(root, listed="Eval/list_eval_partition.txt", images="Img", clothes=CLOTHES):
    """In-Shop: two items to train, two with queries and a gallery."""
    folder, rows = root / "in-shop", []
    for item, statuses in enumerate(clothes, 1):
        for place, status in enumerate(statuses):
            name = f"img/WOMEN/Dresses/id_{item:08d}/{place:02d}_1_front.png"
            put(folder / images / name, picture([8, item, place]))
            rows.append(f"{name}    id_{item:08d} {status}")
    text(folder / listed, [str(len(rows)), "image_name item_id evaluation_status", *rows])
    return folder, rows


def inat(root):
    """The photographs of iNaturalist 2018 with the split files of Smooth-AP."""
    folder = root / "inat-2018"
    lists = {"train": [], "test": []}
    for label, (group, part) in enumerate((("Aves", "train"), ("Fungi", "train"), ("Aves", "test"), ("Plantae", "test"))):
        for place in range(2):
            name = f"train_val2018/{group}/{7000 + label}/{label}{place}.png"
            put(folder / name, picture([9, label, place]))
            lists[part].append(name)
    for part, names in lists.items():
        text(folder / "Inat_dataset_splits" / f"Inaturalist_{part}_set1.txt", names)
    return folder, lists


PEOPLE = {"Aaron_Eckhart": 3, "Bela_Karolyi": 2, "Carla_Gay_Balingit": 2, "Dai_Bachtiar": 1, "Eva_Amurri": 2, "Fujio_Cho": 3}


def lfw(root, folder="lfw", more=0):
    """LFW: six people, lists of both views; the checksums of the lists. In view 1 so many more people train, with three images each."""
    place = root / "lfw"
    others = {f"Person_{number:02d}": 3 for number in range(more)}
    for number, (person, images) in enumerate({**PEOPLE, **others}.items()):
        for image in range(1, images + 1):
            put(place / folder / person / f"{person}_{image:04d}.jpg", picture([10, number, image]), quality=95)
    names = list(PEOPLE)
    lists = {
        "peopleDevTrain.txt": [
            str(3 + more),
            *(f"{name}\t{PEOPLE[name]}" for name in names[:3]),
            *(f"{name}\t{images}" for name, images in others.items()),
        ],
        "peopleDevTest.txt": ["3", *(f"{name}\t{PEOPLE[name]}" for name in names[3:])],
        "people.txt": [
            "2",
            "4",
            *(f"{name}\t{PEOPLE[name]}" for name in names[:4]),
            "2",
            *(f"{name}\t{PEOPLE[name]}" for name in names[4:]),
        ],
        "pairsDevTest.txt": ["2", "Eva_Amurri\t1\t2", "Fujio_Cho\t1\t3", "Dai_Bachtiar\t1\tEva_Amurri\t2", "Eva_Amurri\t1\tFujio_Cho\t2"],
        "pairs.txt": [
            "2\t1",
            "Aaron_Eckhart\t1\t2",
            "Aaron_Eckhart\t3\tBela_Karolyi\t1",
            "Fujio_Cho\t2\t3",
            "Bela_Karolyi\t2\tFujio_Cho\t1",
        ],
    }
    digests = {}
    for name, lines in lists.items():
        digests[name] = hashlib.md5(text(place / name, lines).read_bytes()).hexdigest()
    return place, digests


def face_bin(path, same, images=None, protocol=2):
    """InsightFace's file: arrays of bytes as OpenCV gives them, and whether two are the same."""
    given = images or [packed(picture([11, place])) for place in range(2 * len(same))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(([np.frombuffer(one, np.uint8)[:, None] for one in given], same), protocol=protocol))
    return path


def idx(array):
    """An IDX file of bytes."""
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def digits_in(folder, names, edges=(28, 28), first=0, seed=0):
    """Four gzip files of the MNIST family; images, labels and their MD5."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (12, *edges), dtype=np.uint8)
    labels = (np.arange(12, dtype=np.uint8) * 7 % 10) + first
    folder.mkdir(parents=True, exist_ok=True)
    digests = []
    for name, content in zip(names, (images[:8], labels[:8], images[8:], labels[8:]), strict=True):
        data = gzip.compress(idx(content))
        (folder / name).write_bytes(data)
        digests.append(hashlib.md5(data).hexdigest())
    return images, labels, digests


def cifar_files(*, coarse, protocol=2, as_text=False):
    """The files of a CIFAR archive, small, by name; images and labels in order."""
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (12, 3072), dtype=np.uint8)
    labels = [place % 4 for place in range(12)]
    key = str if as_text else str.encode
    files = {}
    parts = (
        [("train", slice(0, 8)), ("test", slice(8, 12))]
        if coarse
        else [
            *((f"data_batch_{n}", slice(2 * n - 2, 2 * n)) for n in range(1, 5)),
            ("data_batch_5", slice(8, 9)),
            ("test_batch", slice(9, 12)),
        ]
    )
    for name, span in parts:
        held = {key("data"): images[span], key("batch_label"): b"x", key("filenames"): [b"a.png"]}
        held[key("fine_labels" if coarse else "labels")] = labels[span]
        if coarse:
            held[key("coarse_labels")] = [label // 2 for label in labels[span]]
        files[name] = pickle.dumps(held, protocol=protocol)
    names = [key(f"thing {n}") for n in range(4)]
    meta = (
        {key("fine_label_names"): names, key("coarse_label_names"): [key("soft"), key("hard")]} if coarse else {key("label_names"): names}
    )
    files["meta" if coarse else "batches.meta"] = pickle.dumps(meta, protocol=protocol)
    return files, images.reshape(-1, 3, 32, 32), labels


def tar_of(path, files, mode="w:gz"):
    """A tar file of these contents; its MD5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def zip_of(path, files):
    """A zip file of these contents; its MD5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return hashlib.md5(path.read_bytes()).hexdigest()


def folder_files(folder):
    """Contents of all files below a folder, by their names in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
