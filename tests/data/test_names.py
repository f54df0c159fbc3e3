import os
from pathlib import Path

from siambench.data.names import as_path, as_text


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
