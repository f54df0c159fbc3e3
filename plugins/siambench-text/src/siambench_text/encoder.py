"""A transformer that reads texts, and is taught to tell sentences by their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
from siambench.errors import ConfigError, DataMissingError
from torch import Tensor, nn
from torch.nn import functional

from siambench_text.weights import own, published, tensors_of, vocabulary_of
from siambench_text.wordpiece import WordPieces

BYTES = 257
"""The vocabulary of texts as bytes: each one larger than it is, and 0 for padding."""

WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536
_PLACES = 512
_MOST_PIECES = 256
"""Of a text, with the two that begin and end it: what the published model is used with."""

_EPSILON = 1e-12
_SPREAD = 0.02

HeadStart = Literal["identity", "drawn"]


class Layer(nn.Module):
    """Attention, then two linear maps with a GELU between them, each added to what it was given and normalised.

    Source:
        Vaswani et al., Attention Is All You Need, NeurIPS 2017; Devlin et al., BERT, NAACL 2019.
    """

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.attended_norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.inner = nn.Linear(WIDTH, INNER)
        self.outer = nn.Linear(INNER, WIDTH)
        self.outer_norm = nn.LayerNorm(WIDTH, eps=_EPSILON)

    def forward(self, states: Tensor, known: Tensor) -> Tensor:
        """States [B, L, 384] of states and of what is no padding, bool [B, L]."""
        query, key, value = (part(states).unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        attention = functional.scaled_dot_product_attention(query, key, value, attn_mask=known[:, None, None])
        states = self.attended_norm(states + self.attended(attention.transpose(1, 2).flatten(-2)))
        found: Tensor = self.outer_norm(states + self.outer(functional.gelu(self.inner(states))))
        return found


class Encoder(nn.Module):
    """The mean of the last states over a text's pieces, of unit length.

    Args:
        pieces: how texts are read; None: byte by byte.
        vocabulary: number of pieces.
        ends: the pieces that begin and end a text.
        head: how the embedding head over it starts.
    """

    def __init__(self, pieces: WordPieces | None, *, vocabulary: int, ends: tuple[int, int], head: HeadStart) -> None:
        super().__init__()
        self.pieces, self.ends, self.head_start = pieces, ends, head
        self.word = nn.Embedding(vocabulary, WIDTH)
        self.place = nn.Embedding(_PLACES, WIDTH)
        # Published models tell two sentences apart; of one it is the first.
        self.kind = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.stages = (("word", "place", "kind", "norm"), *((f"layers.{number}",) for number in range(LAYERS)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [B, 384] of texts as bytes, int64 [B, T]."""
        rows = [self._read(row) for row in tokens.cpu().tolist()]
        length = max(map(len, rows))
        read = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=tokens.device)
        known = torch.tensor([[True] * len(row) + [False] * (length - len(row)) for row in rows], device=tokens.device)
        states = self.word(read) + self.place.weight[:length] + self.kind.weight[0]
        states = self.norm(states)
        for layer in self.layers:
            states = layer(states, known)
        weight = known.unsqueeze(-1).to(states.dtype)
        mean = (states * weight).sum(dim=1) / weight.sum(dim=1)
        return functional.normalize(mean, dim=1)

    def _read(self, row: list[int]) -> list[int]:
        held = [token for token in row if token]
        if self.pieces is None:
            inside = held[: _PLACES - 2]
        else:
            # A character that the end has cut in two is none.
            text = bytes(token - 1 for token in held).decode(errors="ignore")
            inside = list(self.pieces.of(text))[: _MOST_PIECES - 2]
        return [self.ends[0], *inside, self.ends[1]]


def build(vocabulary: int, *, weights: str, head: str) -> Encoder:
    """The encoder of a track.

    Args:
        vocabulary: of the data set's tokens, which must be bytes.
        weights: ``"published"``, ``"none"`` (drawn, and read byte by byte) or a file with ``vocab.txt`` beside it.
        head: ``"identity"``: the embedding head starts as the identity, so that the first embeddings are the features; or ``"drawn"``.

    Raises:
        ConfigError: if an option or the data set does not suit.
        DataMissingError: if weights are not here, or are not those of such a network.
    """
    if vocabulary > BYTES:
        raise ConfigError(f"minilm reads texts as bytes, and gets tokens below {vocabulary}: set dataset.options.tokens = 'bytes'")
    if head not in ("identity", "drawn"):
        raise ConfigError(f"head must be identity or drawn, got {head[:60]!r}")
    start = cast("HeadStart", head)
    if weights == "none":
        found = Encoder(None, vocabulary=BYTES + 2, ends=(BYTES, BYTES + 1), head=start)
        found.apply(_draw)
        return found
    path = published() if weights == "published" else own(weights)
    pieces = vocabulary_of(path)
    ends = pieces.index("[CLS]"), pieces.index("[SEP]")
    found = Encoder(WordPieces(pieces), vocabulary=len(pieces), ends=ends, head=start)
    given = _renamed(tensors_of(path))
    wanted = {name: tuple(value.shape) for name, value in found.state_dict().items()}
    missing = [name for name in wanted if name not in given]
    if missing:
        raise DataMissingError(
            f"{path} holds no weights of such a network: {len(missing)} of {len(wanted)} are missing, among them {missing[0]}"
        )
    for name, shape in wanted.items():
        if tuple(given[name].shape) != shape:
            raise DataMissingError(f"{path}: {name} must be {list(shape)}, got {list(given[name].shape)}")
    found.load_state_dict({name: given[name] for name in wanted})
    return found


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_SPREAD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


_NAMES = {
    "embeddings.word_embeddings": "word",
    "embeddings.position_embeddings": "place",
    "embeddings.token_type_embeddings": "kind",
    "embeddings.LayerNorm": "norm",
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attended",
    "attention.output.LayerNorm": "attended_norm",
    "intermediate.dense": "inner",
    "output.dense": "outer",
    "output.LayerNorm": "outer_norm",
}
"""What published files call the parts."""


def _renamed(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for name, value in given.items():
        part, _, kind = name.removeprefix("bert.").rpartition(".")
        before, _, number_and_part = part.partition("encoder.layer.")
        number, _, inner = number_and_part.partition(".")
        if not before and number.isdigit():
            found[f"layers.{number}.{_NAMES.get(inner, inner)}.{kind}"] = value
        else:
            found[f"{_NAMES.get(part, part)}.{kind}"] = value
    return found
