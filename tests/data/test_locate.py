import dataclasses
import gzip
import hashlib
import http.server
import os
import stat
import threading
import urllib.request
from urllib.error import URLError

import pytest

from siambench.data.locate import Remote, belongs, cache_folder, candidates, find, locate, missing
from siambench.errors import DataMissingError

CONTENT = b"published content" * 1000


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """An empty cache, and no SIAMBENCH_DATA."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIAMBENCH_DATA", raising=False)
    return tmp_path


@pytest.fixture
def offline(monkeypatch):
    """No network: every download fails at once."""

    def fail(url, timeout):
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", fail)


def remote(url="http://127.0.0.1:9/file.bin", content=CONTENT, *, unpacked=False, prefix=64):
    """A file with the checksum of ``content``."""
    return Remote("file.bin", url, hashlib.sha256(content).hexdigest()[:prefix], "set", unpacked=unpacked)


def put(path, content=CONTENT):
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def left_behind(folder):
    """Files of a folder and below that are no locks."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_places_are_looked_at_in_order(folders, offline, monkeypatch):
    """SIAMBENCH_DATA comes first (in the set's folder, then flat), then the system's folders, then the cache."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
    system = folders / "system"
    expected = [
        folders / "data" / "set" / "file.bin",
        folders / "data" / "file.bin",
        system / "file.bin",
        folders / "cache" / "set" / "file.bin",
    ]

    wanted = dataclasses.replace(remote(), also=(system,))
    assert expected == candidates(wanted)
    for path in reversed(expected):
        put(path)
        assert path == locate(wanted)


def test_the_cache_folder_is_what_the_environment_says(folders, monkeypatch):
    """SIAMBENCH_CACHE names the cache, home included; without it the user's own cache folder is taken."""
    assert folders / "cache" == cache_folder()
    monkeypatch.setenv("HOME", str(folders))
    monkeypatch.setenv("SIAMBENCH_CACHE", "~/mine")
    assert folders / "mine" == cache_folder()
    monkeypatch.delenv("SIAMBENCH_CACHE")
    assert cache_folder().name == "siambench"


def test_a_missing_file_is_one_sentence(folders, offline, monkeypatch):
    """Neither here nor within reach: the error names file, address, reason and the folder to put it into."""
    with pytest.raises(DataMissingError) as caught:
        locate(remote())
    assert str(caught.value) == (
        "file.bin is missing and http://127.0.0.1:9/file.bin could not be downloaded (no route to host): "
        f"put the file into {folders / 'cache' / 'set'}"
    )

    monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
    with pytest.raises(DataMissingError, match=r"put the file into .*data.set$"):
        locate(remote())
    assert left_behind(folders) == []


def test_a_file_with_another_checksum_is_refused(folders, offline):
    """A file of the right name and the wrong content is an error with both checksums and the address."""
    path = put(folders / "cache" / "set" / "file.bin", b"something else")
    with pytest.raises(DataMissingError) as caught:
        locate(remote())

    text = str(caught.value)
    for part in (str(path), hashlib.sha256(b"something else").hexdigest()[:16], hashlib.sha256(CONTENT).hexdigest()[:16], remote().url):
        assert part in text
    assert "\n" not in text
    assert left_behind(folders) == ["file.bin"]


def test_a_known_beginning_of_the_checksum_is_enough(folders):
    """Where only the first digits are published, those are compared."""
    path = put(folders / "cache" / "set" / "file.bin")
    assert path == locate(remote(prefix=8))


def test_packed_files_are_compared_by_their_content(folders, offline):
    """Of a file that distributions pack anew, the unpacked content is compared; one that cannot be unpacked is an error."""
    path = put(folders / "cache" / "set" / "file.bin", gzip.compress(CONTENT, compresslevel=1, mtime=5))
    assert path == locate(remote(unpacked=True))
    whole = path.read_bytes()
    for damaged in (b"no archive", whole[: len(whole) // 2], whole[:20] + b"\0\0\0\0" + whole[24:]):
        path.write_bytes(damaged)
        with pytest.raises(DataMissingError, match=r"file\.bin"):
            locate(remote(unpacked=True))


def test_a_local_address_is_fetched_once(folders):
    """A file:// address is copied into the cache; the second call does not need the address any more."""
    source = put(folders / "source" / "file.bin")
    wanted = remote(source.as_uri())

    found = locate(wanted)

    assert folders / "cache" / "set" / "file.bin" == found
    assert found.read_bytes() == CONTENT
    source.unlink()
    assert found == locate(wanted)
    assert left_behind(folders / "cache") == ["file.bin"]


def test_a_download_with_another_checksum_leaves_nothing_behind(folders):
    """What does not have the published checksum is neither kept nor left as a part, and the error names the address."""
    source = put(folders / "source" / "file.bin", b"tampered")

    with pytest.raises(DataMissingError, match="expected") as caught:
        locate(remote(source.as_uri()))

    assert left_behind(folders / "cache") == []
    assert source.as_uri() in str(caught.value)


def test_the_error_of_a_bad_download_names_no_file_that_is_gone(folders):
    """A refused download is not called by the name of its temporary file, which no longer exists."""
    source = put(folders / "source" / "file.bin", b"tampered")

    with pytest.raises(DataMissingError) as caught:
        locate(remote(source.as_uri()))

    assert ".file.bin." not in str(caught.value)


class Answers(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT at /whole, half of it at /half, 404 elsewhere, and no HTTP at all at /garbage."""

    def do_GET(self):
        """Answer one request."""
        if self.path == "/garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        found = self.path in ("/whole", "/half")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(CONTENT)) if found else "0")
        self.end_headers()
        if found:
            self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    """Address of a server on this machine."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_server_is_asked(folders, server):
    """A file over HTTP arrives whole, under its name, with its checksum."""
    found = locate(remote(f"{server}/whole"))
    assert found.read_bytes() == CONTENT
    assert left_behind(folders / "cache") == ["file.bin"]


@pytest.mark.parametrize("page", ["missing", "half", "garbage"])
def test_a_server_that_fails_is_one_sentence(folders, server, page):
    """A missing page, a connection cut half-way and an answer that is no HTTP are DataMissingErrors that leave nothing behind."""
    with pytest.raises(DataMissingError) as caught:
        locate(remote(f"{server}/{page}"))

    assert f"{server}/{page}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_behind(folders / "cache") == []


def test_a_download_can_be_read_by_others(folders):
    """A file in a shared cache has the permissions that the user's mask gives, not those of a temporary file."""
    source = put(folders / "source" / "file.bin")
    mask = os.umask(0o022)
    try:
        found = locate(remote(source.as_uri()))
    finally:
        os.umask(mask)

    assert stat.S_IMODE(found.stat().st_mode) == 0o644


def test_many_ask_at_once(folders, server):
    """Threads that ask for one file together get it, downloaded once or not, and nothing is left over."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(locate(remote(f"{server}/whole")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [folders / "cache" / "set" / "file.bin"] * 4 == found
    assert left_behind(folders / "cache") == ["file.bin"]


# ---- a user's own files


def test_a_file_of_ones_own_is_looked_for_where_it_may_be(folders, monkeypatch):
    """A file is taken as it is named, then beside the track that names it, then below SIAMBENCH_DATA."""
    monkeypatch.chdir(put(folders / "here" / "other.csv").parent)
    monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
    places = [folders / folder / "pairs.csv" for folder in ("data", "track", "here")]

    for place in places:
        put(place)
        assert place.resolve() == find("pairs.csv", beside=folders / "track")
    assert places[0].resolve() == find(str(places[0]), beside=None)


def test_a_file_of_ones_own_that_is_nowhere_names_the_places(folders, monkeypatch):
    """The error names the file and every place where it is not, in one sentence."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
    with pytest.raises(DataMissingError) as caught:
        find("pairs.csv", beside=folders / "track")

    places = ("pairs.csv", folders / "track" / "pairs.csv", folders / "data" / "pairs.csv")
    assert str(caught.value) == f"no such file: pairs.csv; looked for {', '.join(map(str, places))}"


def test_a_file_may_be_told_by_its_md5(folders, offline, monkeypatch):
    """Where MD5 is what is published, that is demanded, and said."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
    wanted = Remote("file.bin", "http://127.0.0.1:9/file.bin", "", "set", md5=hashlib.md5(CONTENT).hexdigest())
    path = put(folders / "data" / "set" / "file.bin")
    assert locate(wanted) == path
    put(path, b"another")
    with pytest.raises(
        DataMissingError, match=r"file\.bin has MD5 [0-9a-f]{16}…, expected [0-9a-f]{16}…: replace it by file\.bin from http"
    ):
        locate(wanted)


def test_what_is_got_by_hand_is_never_downloaded(folders, monkeypatch):
    """No connection is made: the sentence says from where the file is, and where it goes, with SIAMBENCH_DATA and without."""
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("it was downloaded"))
    wanted = Remote("file.bin", "https://example.org/page", "", "set", by_hand=True)
    assert missing([wanted, remote()]) == [wanted, remote()]
    for place in (folders / "data" / "set", folders / "cache" / "set"):
        if place.parts[-2] == "data":
            monkeypatch.setenv("SIAMBENCH_DATA", str(folders / "data"))
        else:
            monkeypatch.delenv("SIAMBENCH_DATA")
        assert belongs(wanted) == place
        with pytest.raises(
            DataMissingError, match=rf"^file\.bin is missing: get it from https://example\.org/page and put it into {place}$"
        ):
            locate(wanted)
