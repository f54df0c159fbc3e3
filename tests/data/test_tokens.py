import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siambench.data.tokens import BYTES, byte_tokens, hashed_words
from siambench.errors import DataError

TEXTS = st.lists(st.text(max_size=12), min_size=1, max_size=6)


def words(texts, vocabulary=1000, length=8):
    """Hashed words, as most tests want them."""
    return hashed_words(texts, vocabulary=vocabulary, length=length)


def test_words_and_marks_are_tokens():
    """Words in lower case and single marks are tokens in their order, their ids 1 + CRC-32 modulo the rest of the vocabulary."""
    expected = [1 + zlib.crc32(word.encode()) % 999 for word in ("don", "'", "t", "stop", ",", "naïve", "42", "!")]

    assert [expected] == words(["Don't STOP,\tnaïve 42!"]).tolist()


def test_bytes_are_tokens():
    """Each byte of a text in UTF-8 is a token, one larger than the byte, so that 0 is padding alone."""
    assert [[104, 196, 165, 1, 0]] == byte_tokens(["gä\0"], length=5).tolist()
    assert byte_tokens(["\U0010ffff"], length=4).max() < BYTES


@pytest.mark.parametrize("tokens", [words, lambda texts: byte_tokens(texts, length=8)], ids=["words", "bytes"])
def test_tokens_are_rows_of_one_length(tokens):
    """Short texts are padded at the end with 0, long ones are cut, an empty one is nothing but padding."""
    found = tokens(["a b", "", "a b c d e f g h i j k l"])

    assert found.dtype == np.int64
    assert found.shape == (3, 8)
    assert not found[1].any()
    assert found[2].all()
    assert np.array_equal(found[0] != 0, np.arange(8) < (found[0] != 0).sum())
    assert tokens([]).shape == (0, 8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXTS, st.text(max_size=12), st.integers(2, 50))
def test_a_tokens_id_depends_on_no_other_item(others, text, vocabulary):
    """Whatever texts stand beside it, before or behind, a text has the same tokens: they are those it has alone."""
    for tokens in (lambda texts: words(texts, vocabulary), lambda texts: byte_tokens(texts, length=8)):
        alone = tokens([text])[0].tolist()
        assert alone == tokens([text, *others])[0].tolist()
        assert alone == tokens([*others, text])[-1].tolist()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXTS, st.integers(2, 50))
def test_ids_lie_in_the_vocabulary(texts, vocabulary):
    """Every id is below the vocabulary, and only padding is 0."""
    found = words(texts, vocabulary, length=30)
    assert found.min() >= 0
    assert found.max() < vocabulary
    for row in found:
        assert np.array_equal(row != 0, np.arange(30) < (row != 0).sum())
    assert byte_tokens(texts, length=60).max() < BYTES


def test_ids_are_those_of_every_machine():
    """The ids of some words are committed here: another hash would make other exams of the same texts."""
    assert [[31, 49, 33, 42, 31, 32]] == words(["to be or not to-be"], 50, length=6).tolist()


def test_case_is_no_difference_to_words_and_one_to_bytes():
    """Words are folded to lower case; bytes are what they are."""
    assert np.array_equal(words(["Straße"]), words(["STRAßE"]))
    assert not np.array_equal(byte_tokens(["a"], length=2), byte_tokens(["A"], length=2))


def test_numbers_that_do_not_hold_are_refused():
    """A vocabulary that has room for padding alone, and a length of nothing, are one sentence each."""
    with pytest.raises(DataError, match="vocabulary must be at least 2, got 1"):
        words(["a"], 1)
    for tokens in (lambda: words(["a"], length=0), lambda: byte_tokens(["a"], length=0)):
        with pytest.raises(DataError, match="length must be at least 1, got 0"):
            tokens()
