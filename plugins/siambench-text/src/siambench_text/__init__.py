"""Sentence encoders as trunks. Light to import: torch is imported when one is built, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import BackboneEntry, hookimpl

if TYPE_CHECKING:
    from torch import nn


def minilm(vocabulary: int, weights: str, head: str) -> nn.Module:
    """A sentence encoder of 384 features for texts as bytes; weights = published, none or a file, head = identity or drawn."""
    from siambench_text.encoder import build

    return build(vocabulary, weights=weights, head=head)


@hookimpl
def siambench_backbones() -> dict[str, BackboneEntry]:
    """One encoder."""
    return {
        "minilm": BackboneEntry(
            minilm,
            source="Reimers, Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020; all-MiniLM-L6-v2, Apache-2.0",
            defaults={"weights": "published", "head": "identity"},
            scratch={"weights": "none"},
            takes=("tokens",),
            licence="of all-MiniLM-L6-v2, Apache-2.0",
        )
    }
