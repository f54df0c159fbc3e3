import os
from pathlib import Path

from siambench.data.names import as_path, as_text, reason


def test_names_that_are_no_text_become_text_and_paths_again(tmp_path):
    """A name with bytes that are not UTF-8 is spelt out in text that any document can hold, and leads back to its file."""
    raw = os.fsencode(tmp_path) + b"/M\xfcller"
    Path(os.fsdecode(raw)).mkdir()

    text = as_text(os.fsdecode(raw))

    assert text.endswith(r"/M\xfcller")
    assert text.encode().decode() == text
    assert os.fsencode(as_path(text)) == raw


def test_a_name_that_is_text_stays_as_it_is(tmp_path):
    """Names in UTF-8 are not changed, and a file that is really called like a spelt-out one is found."""
    (tmp_path / r"M\xfcller").mkdir()

    assert as_text("Müller/Größe") == "Müller/Größe"
    assert as_path(str(tmp_path / r"M\xfcller")) == tmp_path / r"M\xfcller"


def test_what_a_library_says_is_one_short_line():
    """Of an error the text is one line of no more than some two hundred characters; one without text is named by its kind."""
    assert reason(ValueError("a\n  b")) == "a b"
    assert reason(EOFError()) == "EOFError"
    assert len(reason(ValueError("x" * 5000))) == 201


def test_text_that_no_file_system_gave_is_spelt_out_too():
    """Half a pair of surrogates, which no name of a file holds, becomes text as well."""
    assert as_text("a\ud800") == r"a\ud800"
