"""Hooks of `mkdocs build`: pages that stand beside what they are about, elsewhere than in docs/, are pages of the site too.

A fact stands in one place, and a page where people look for it: the README of `leaderboards/` is read in that folder and on the site.
Links between pages lead from page to page; what they name that is no page, a module or a script, is shown on a page of its own, so that
the site stands alone, without a network.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "configs/README.md",
    "leaderboards/README.md",
    "leaderboards/*/README.md",
    "plugins/README.md",
    "plugins/*/README.md",
    "tests/benchmarks/README.md",
    "tests/faults/README.md",
    "tests/laboratory/README.md",
    "tests/laboratory/RESULTS.md",
)
"""Pages outside of docs/ that the site has, in their own folders."""

FRONT = "README.md"
"""The repository's own front page; on the site `docs/index.md` stands in its place."""

PART = re.compile(r"^\[[^]]+\]\((?:\.\./)+README\.md#\S+\)\.$", re.MULTILINE)
"""A line that is a link to a part of the front page: on the site that part stands in its place, its heading being the page's title."""

WIDE = re.compile(r"(leaderboards/.+/|catalogue|losses|data_sets|beside_others|reference/(keys|hooks|json))")
"""Pages that are wide tables, which have the room of the contents at their side."""

MORE = "More"
"""Where pages stand that the navigation does not name: none is left out."""

SHOWN = "source"
"""The folder of the site in which files are shown that pages name."""

LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".sh": "sh", ".md": "markdown"}
_LINK = re.compile(r"(\]\()([^()\s]+)(\))")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)")
_CODE = re.compile(r"(`+)(.+?)\1")


def pages() -> list[str]:
    """Each page of the site by its path in the repository."""
    inside = [path for path in (ROOT / "docs").rglob("*.md") if "__pycache__" not in path.parts]
    outside = [path for pattern in PAGES for path in ROOT.glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in [*inside, *outside])


def place(path: str) -> str:
    """Where on the site a page or picture is that stands at a path in the repository."""
    return "index.md" if path == FRONT else path.removeprefix("docs/")


def prose(markdown: str) -> Iterator[tuple[str, bool]]:
    """Each line of a page, and whether it is prose: neither a fence nor between two."""
    fence = ""
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        if mark is None:
            yield line, not fence
            continue
        yield line, False
        if not fence:
            fence = mark.group(1)
        elif mark.group(1).startswith(fence) and not mark.group(2).strip():
            fence = ""


def links(path: str) -> Iterator[tuple[str, str]]:
    """Each relative link of a page: what it names by its path in the repository, and the part of that."""
    for line, is_prose in prose((ROOT / path).read_text(encoding="utf-8")):
        for _, target, _ in _LINK.findall(line) if is_prose else ():
            if "://" not in target and not target.startswith(("#", "mailto:")):
                file, _, part = unquote(target).partition("#")
                yield posixpath.normpath(posixpath.join(posixpath.dirname(path), file)), part


def page_of(path: str, known: set[str]) -> str:
    """Where on the site it is that a link names by its path in the repository: a page, a picture, or a page that shows the file."""
    if path in known or path == FRONT or not (ROOT / path).exists():
        return place(path)
    if (ROOT / path).is_dir():
        return place(f"{path}/README.md") if f"{path}/README.md" in known else f"{SHOWN}/{path}/files.md"
    return place(path) if path.startswith("docs/") and Path(path).suffix in (".png", ".svg") else f"{SHOWN}/{path}.md"


def shown(path: str) -> str:
    """The page that shows a file, or lists a folder."""
    where = ROOT / path
    head = f"---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# {path}\n\n"
    if where.is_dir():
        return head + "".join(f"- [{one.name}]({one.name}.md)\n" for one in files_in(where))
    text = where.read_text(encoding="utf-8")
    fence = "`" * max(4, *(len(found) + 1 for found in re.findall(r"`{3,}", text)), 4)
    return f"{head}{fence}{LANGUAGES.get(where.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that a page lists."""
    return sorted(one for one in folder.iterdir() if one.is_file() and one.suffix in LANGUAGES)


def part_of_front(heading: str) -> str:
    """What stands below a heading of the front page; what is folded there has a heading of its own."""
    text = (ROOT / FRONT).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    text = re.sub(r"<details><summary>(.*?)</summary>", r"\n### \1\n", text)
    return text.replace("</details>", "").strip()


def named_in(nav: Any) -> set[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    return {page for one in (nav.values() if isinstance(nav, dict) else nav) for page in named_in(one)}


def on_config(config: Any) -> Any:
    """Let no page be left out: boards by their folder, any other under a heading of its own."""
    found = [place(path) for path in pages()]
    boards = sorted((page for page in found if page.startswith("leaderboards/") and page.count("/") == 2), key=lambda page: page.split("/"))
    for section in config["nav"]:
        named = [{page.split("/")[1]: page} for page in boards]
        section.update({title: [*pages_, *named] for title, pages_ in section.items() if title == "Boards"})
    rest = [page for page in found if page not in named_in(config["nav"])]
    config["nav"] += [{MORE: rest}] if rest else []
    return config


def reports() -> dict[str, str]:
    """The pages of HTML that leaderboards have, by where they are on the site: what is called index there is another page here."""
    found = sorted((ROOT / "leaderboards").glob("**/index.html"))
    return {
        path.relative_to(ROOT).with_name("report.html").as_posix(): path.read_text(encoding="utf-8").replace('index.html"', 'report.html"')
        for path in found
    }


def on_files(files: Files, config: Any) -> Files:
    """Add pages that stand outside of docs/, and a page for each file that a link names."""
    known = set(pages())
    for path in sorted(known):
        if not path.startswith("docs/"):
            files.append(File.generated(config, place(path), content=(ROOT / path).read_text(encoding="utf-8")))
    for where, text in reports().items():
        files.append(File.generated(config, where, content=text))
    named = {target for path in known for target, _ in links(path) if page_of(target, known).startswith(f"{SHOWN}/")}
    folders = {path for path in named if (ROOT / path).is_dir()}
    named |= {one.relative_to(ROOT).as_posix() for folder in folders for one in files_in(ROOT / folder)}
    for path in sorted(named):
        files.append(File.generated(config, page_of(path, known), content=shown(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with links of the site, and with what GitHub reads otherwise than Python's Markdown as the latter has it."""
    source = page.file.src_uri
    if source.startswith(f"{SHOWN}/"):
        return markdown
    if WIDE.match(source):
        page.meta["hide"] = ["toc"]
    known = set(pages())
    path = next((one for one in known if place(one) == source), f"docs/{source}")
    title, link = re.match(r"# (.+)\n", markdown), PART.search(markdown)
    if title is not None and link is not None:
        front = _page(part_of_front(title.group(1)), FRONT, source, known)
        before, after = markdown[: link.start()], markdown[link.end() :]
        return "\n".join([_page(before, path, source, known), front, _page(after, path, source, known)])
    if path.startswith("leaderboards/") and (ROOT / path).with_name("index.html").exists():
        line = "[As a page to sort, filter and unfold, with figures](report.html)"
        markdown = re.sub(r"^# .+$", lambda found: f"{found.group()}\n\n{line}", markdown, count=1, flags=re.MULTILINE)
    return _page(markdown, path, source, known)


def _page(markdown: str, path: str, source: str, known: set[str]) -> str:
    lines = []
    for line, is_prose in prose(markdown):
        # Behind the language of a block may stand the name of a file.
        told = _linked(line, path, source, known) if is_prose else re.sub(r"^(```\w+) (\S+)$", r'\1 title="\2"', line)
        if is_prose and told.startswith("|"):
            # A bar within code within a table: escaped for GitHub, as it is for Python's Markdown.
            told = _CODE.sub(lambda found: found.group().replace("\\|", "|"), told)
            # A score and its interval stay on one line.
            told = told.replace(" ± ", "\u00a0±\u00a0")
        lines.append(told)
    return "\n".join(lines)


def _linked(line: str, path: str, source: str, known: set[str]) -> str:
    return _LINK.sub(lambda found: _site_link(found, path, source, known), line)


def _site_link(found: re.Match[str], path: str, source: str, known: set[str]) -> str:
    before, target, after = found.groups()
    if "://" in target or target.startswith(("#", "mailto:", "report.html")):
        return found.group()
    file, mark, part = unquote(target).partition("#")
    named = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(path), file)), known)
    relative = posixpath.relpath(named, posixpath.dirname(source) or ".")
    return f"{before}{quote(relative)}{mark}{part}{after}"
