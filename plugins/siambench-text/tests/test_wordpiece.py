from __future__ import annotations

import copy
import random

import pytest

from siambench_text.wordpiece import WordPieces

tokenizers = pytest.importorskip("tokenizers", reason="the extra test is not installed")

LETTERS = "abcdeé ÄßñİΣ\t\n\x00\x07\u200d\u0301.,?!'$-_`€§«»漢字かㇰ한𠀀𫠠\u3000\xa0\ufffd1２½"
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *sorted({sign for sign in LETTERS.casefold() + "aeinosσ" if not sign.isspace()}),
    *(f"##{sign}" for sign in "abcdeionsσ1"),
    *("abc", "##bcd", "dea", "ab", "##de", "##ss"),
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The published tokeniser's own code over the same pieces."""
    path = tmp_path_factory.mktemp("pieces") / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece.from_file(str(path), unk_token="[UNK]", max_input_chars_per_word=100))
    found.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return found


def test_pieces_are_those_of_the_reference(reference):
    """Of two thousand texts of odd letters, accents, ideographs, marks and control signs every one has the reference's pieces."""
    draw, mine = random.Random(7), WordPieces(PIECES)
    texts = ["", " ", "abcabcde abcdx", "x" * 101, "ab" * 50, "ab" * 51]
    texts += ["".join(draw.choices(LETTERS, k=draw.randrange(1, 30))) for _ in range(2000)]
    different = [text for text in texts if list(mine.of(text)) != reference.encode(text).ids]

    assert different == []


def test_copies_are_the_same_object():
    """A network that is copied shares its pieces, and what it remembers of texts."""
    mine = WordPieces(PIECES)

    assert copy.deepcopy(mine) is mine
