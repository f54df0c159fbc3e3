"""The card of a model: a page for people of what its file says to machines, and of the row that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siambench.data.images import DEEPEST
from siambench.models.cautions import cautions
from siambench.models.document import AsTheyAre, ByDataSet, Given, ModelDocument, OfImages, OfTexts, OperatingPoint, Rights
from siambench.wording import exact, in_markdown

MARK = "<!-- Written by `siambench model`, which replaces this file: do not edit it. -->"
"""The first line of a card, by which it is known."""


@dataclass(frozen=True)
class OfRow:
    """A score of the row that a model is one of: its mean over studies, of one study over repetitions.

    Args:
        mean: of the final models.
        half_width: of the 95 % interval; None where one alone tells nothing.
        n: studies or repetitions.
        over: which of the two.
    """

    mean: float
    half_width: float | None
    n: int
    over: str


def card(document: ModelDocument, file: str, row: Mapping[str, OfRow] | None = None) -> str:
    """The page.

    Args:
        document: what the model's file says.
        file: what that is called.
        row: scores of the row by metric; None: they are not told.
    """
    title = f"{document.row} on {document.track} {document.track_version}"
    parts = [
        MARK,
        f"# {_text(title)}",
        _about(document, file),
        "## How to load",
        _loading(document, file),
        "## What it is given",
        _given(document),
        "## Scores",
        _scores(document, row or {}),
        "## Thresholds",
        thresholds(document),
        "## Data and licences",
        _rights(document),
        "## What it was made with",
        _provenance(document),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text(value: object) -> str:
    return in_markdown(str(value))


def _about(document: ModelDocument, file: str) -> str:
    network, again = document.network, document.again
    which = (
        f"Model `{_text(file)}`: study {document.study}, repetition {document.repetition} of the row {_text(document.row)}. "
        "No test score has chosen it among the row's final models."
    )
    beside = f"; {network.side_by_side} networks, each embedding at unit length, side by side" if network.side_by_side > 1 else ""
    bare = "" if network.head else "; no head: the features of the pretrained trunk"
    what = f"Network {_text(network.model.backbone)}, {network.dimensions} numbers an item, compared by {document.distance} distance"
    lines = [which, f"{what}{beside}{bare}."]
    if document.started_from is not None:
        lines.append(
            f"Training started from another model, whose file has the SHA-256 `{document.started_from}`: its data and licence count too."
        )
    if again is not None:
        differs = "; ".join(
            f"{_text(name)} {_text(old)} recorded, {_text(new)} here" for name, (old, new) in sorted(again.surroundings.items())
        )
        lines.append(
            f"It was trained again from its record, and is another model than the one that was recorded: {differs}. Scores below are those "
            "of this file."
        )
        rows = [f"| {_text(name)} | {_exactly(one.recorded)} | {_exactly(one.here)} |" for name, one in sorted(again.scores.items())]
        lines.append("\n".join(["| metric | recorded | this file |", "|---|---|---|", *rows]) if rows else "No score differs.")
    return "\n\n".join(lines)


def _loading(document: ModelDocument, file: str) -> str:
    if file.endswith(".onnx"):
        return _exported(
            document,
            [
                "import onnxruntime",
                "",
                f"session = onnxruntime.InferenceSession({file!r})",
                'embeddings = session.run(["embeddings"], {"items": items})[0]',
            ],
        )
    if file.endswith(".pt2"):
        return _exported(document, ["import torch", "", f"model = torch.export.load({file!r}).module()", "embeddings = model(items)"])
    rule = document.given.preprocessing
    example = {
        "texts": 'embeddings = model.embed(["a text", "another text"])',
        "as-they-are": f"embeddings = model.embed(array)  # {_shape(document.given)}",
    }.get(rule.kind, 'embeddings = model.embed(["one.png", "other.png"])  # paths, Pillow images or uint8 arrays')
    code = [
        "import siambench",
        "",
        f"model = siambench.load_model({file!r})  # a torch.nn.Module in evaluation mode; nothing in the file is executed",
        f"# fp32 [N, {document.network.dimensions}], not normalised",
        example,
        "model.distances(embeddings, embeddings)  # what the thresholds below are in the units of",
    ]
    return "```python\n" + "\n".join(code) + "\n```"


def _exported(document: ModelDocument, code: list[str]) -> str:
    told = f"`items` are {_network_takes(document.given)}; embeddings are fp32 [B, {document.network.dimensions}], not normalised."
    beside = "The file holds the network alone: how an image or a text becomes items, and all that this card says, it holds as JSON"
    return "```python\n" + "\n".join(code) + f"\n```\n\n{told} {beside} under `siambench`."


def _shape(given: Given) -> str:
    kind = {"images": "uint8", "arrays": "float32", "tokens": "int64"}[given.form]
    return f"{kind} [N, {', '.join(map(str, given.shape))}]"


def _given(document: ModelDocument) -> str:
    given = document.given
    rule = given.preprocessing
    network = f"The network itself takes {_network_takes(given)}."
    if isinstance(rule, OfImages):
        size = f"{rule.width} × {rule.height}"
        cut = f"its shorter edge brought to {rule.resize} pixels and the middle {size} cut out" if rule.resize else f"squeezed to {size}"
        steps = [
            "turned as its EXIF orientation says, transparent paper shown white",
            _depth(rule.white),
            "made grey" if rule.mode == "grey" else "made RGB",
            cut,
            *(["turned round, 255 - value: dark ink on light paper becomes bright on black"] if rule.inverted else []),
        ]
        own = f" The data set's own values mean: {_text(given.colour)}." if given.colour else ""
        used = document.components.get("dataset")
        if used is not None and used.source.plugin != "siambench":
            own += f" The plugin of {_text(document.data.dataset)} does not say that it does anything else with its own files."
        return f"An image file is {'; '.join(steps)}.{own} `model.preprocess` does all that. {network}"
    if isinstance(rule, OfTexts):
        how = "bytes" if rule.tokens == "bytes" else f"words, by their hash in a vocabulary of {rule.vocabulary}"
        return f"A text is cut into {how}, {rule.length} at most. `model.preprocess` does that. {network}"
    if isinstance(rule, ByDataSet):
        options = ", ".join(f"{name} = {value}" for name, value in sorted(rule.options.items()))
        told = f" with {_text(options)}" if options else ""
        about = f" {_text(rule.about)}" if rule.about else ""
        return (
            f"An image file becomes an item as the data set {_text(rule.dataset)} says{told}.{about} The values mean: "
            f"{_text(given.colour)}. `model.preprocess` does that. {network}"
        )
    assert isinstance(rule, AsTheyAre)
    return f"Items as they are: {_shape(given)}. {network}"


def _depth(white: int) -> str:
    """What becomes of values of more than 8 bits: a data set that has none says so of no file but such."""
    if white == DEEPEST:
        return f"values of 8 bits taken as they are (of a file of 16-bit greys, value · 255 / {white})"
    return f"values of 8 bits taken as they are, greys deeper than that as value · 255 / {white}, for so deep are the data set's"


def _network_takes(given: Given) -> str:
    shape = f"[B, {', '.join(map(str, given.shape))}]"
    if given.form == "images":
        return f"fp32 {shape} in [0, 1]; means and deviations of channels, where a backbone wants any, are taken inside"
    return f"fp32 {shape}" if given.form == "arrays" else f"int64 {shape} below {given.vocabulary}, padded with 0 at the end"


def _scores(document: ModelDocument, row: Mapping[str, OfRow]) -> str:
    about = (
        f"On the test part of {_text(document.data.dataset)}, which it was not trained on. The interval of this model is over test "
        "classes, 95 %; that of the row says how much another tuning or repetition moves the score."
    )
    lines = [about, "", "| metric | this model | over test classes | the row |", "|---|---|---|---|"]
    for name, value in document.scores.items():
        interval, whole = document.intervals.get(name), row.get(name)
        ends = "" if interval is None else f"{exact(interval.low)} … {exact(interval.high)} ({interval.by})"
        lines.append(f"| {_text(name)} | {_number(value)} | {ends} | {_of_row(whole)} |")
    return "\n".join(lines)


def _of_row(score: OfRow | None) -> str:
    if score is None:
        return ""
    width = "" if score.half_width is None else f" ± {exact(score.half_width)}"
    return (
        f"{exact(score.mean)}{width} ({score.n} {score.over if score.n > 1 else score.over.removesuffix('s').replace('studie', 'study')})"
    )


def _exactly(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.10g}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else exact(value)


def thresholds(document: ModelDocument) -> str:
    """The operating points, as a table in Markdown with what must be known of it; or why there are none."""
    if not document.operating_points:
        return f"None: {_text(document.unpointed or 'they were not looked for')}."
    first = document.operating_points[0]
    about = (
        f"Two items are taken for the same where their {document.distance} distance is at most the threshold; of several references the "
        f"nearest counts, and each number of them has thresholds of its own. They are from comparisons of the {first.classes} classes of "
        "the test part. Data that look otherwise than that want thresholds of their own."
    )
    heading = "| at | references | threshold | interval | false accepts | false rejects | impostors | genuine | |"
    table = "\n".join([heading, "|---|---|---|---|---|---|---|---|---|", *map(_point, document.operating_points)])
    warned = [f"**{_text(sentence)}.**" for sentence in cautions(document)]
    return "\n\n".join(part for part in (*warned, about, table, _COLUMNS, _missing(document.operating_points)) if part)


_COLUMNS = """\
- *at*: what the threshold was chosen for. `eer`: as many impostors accepted as genuine items rejected; `far=0.01`: one impostor of a
  hundred accepted on the test part, `far=0.001` one of a thousand.
- *references*: how many items of a class the unknown one is compared with.
- *threshold*: the distance up to which it is taken for the same; *interval*: 95 %, how far another choice of as many classes would move it
  (jackknife over classes). Empty: too few classes to say.
- *false accepts*: of 100 comparisons with another class, so many are taken for the same all the same; *false rejects*: of 100 with their
  own class, so many are not. Both are those to expect of classes that were never seen: each fold of test classes at the threshold of the
  other folds, so that false accepts may lie above the rate that the threshold was chosen for.
- *impostors*, *genuine*: comparisons of different classes, and of one class, that the line is from."""


def _point(one: OperatingPoint) -> str:
    ends = "" if one.low is None or one.high is None else f"{exact(one.low)} … {exact(one.high)}"
    accepts, rejects = ("n/a" if share is None else f"{share:.2%}" for share in (one.false_accepts, one.false_rejects))
    return (
        f"| {one.at} | {one.references} | {exact(one.threshold)} | {ends} | {accepts} | {rejects} | {one.impostors:,} | {one.genuine:,} | "
        f"{_text(one.note)} |"
    )


def _missing(points: Sequence[OperatingPoint]) -> str:
    lacking = [at for at in ("far=0.01", "far=0.001") if not any(one.at == at and one.references == 1 for one in points)]
    if not lacking:
        return ""
    return f"No threshold at {' and '.join(lacking)}: so few false accepts cannot be seen among {points[0].impostors:,} impostors."


def _rights(document: ModelDocument) -> str:
    data = document.rights.get("data", Rights(source="", licence=""))
    lines = [f"- Data {_text(document.data.dataset)}: {_said(data)}"]
    weights = document.rights.get("weights")
    if weights is None:
        lines.append("- Weights: trained from random ones on that data.")
    else:
        lines.append(f"- Weights that training started from, of {_text(document.network.model.backbone)}: {_said(weights)}")
    lines.append("- Whoever passes the model on is bound by these licences; siambench adds no terms of its own.")
    return "\n".join(lines)


def _said(rights: Rights) -> str:
    licence = rights.licence or "not told: ask where it is from"
    return f"{_text(rights.source or 'source not told')}; licence: {_text(licence)}"


def _provenance(document: ModelDocument) -> str:
    options = ", ".join(f"{name} = {value}" for name, value in sorted(document.network.model.options.items()))
    params = ", ".join(f"{name} = {value}" for name, value in sorted(document.params.items()))
    lines = [
        f"- unit `{document.unit}`",
        f"- exam `{document.exam}`",
        f"- siambench {_text(document.siambench)}, "
        + ", ".join(f"{_text(name)} {_text(version)}" for name, version in sorted(document.libraries.items())),
        "- machine: " + ", ".join(f"{_text(name)} {_text(value)}" for name, value in sorted(document.machine.items())),
        *([f"- backbone options: {_text(options)}"] if options else []),
        *([f"- parameters: {_text(params)}"] if params else []),
        *([f"- epochs: {document.epochs}"] if document.epochs is not None else []),
        *(f"- {_text(role)}: {_text(used.told)}" for role, used in sorted(document.components.items())),
    ]
    return "\n".join(lines)
