"""The site's pages that lie elsewhere in the repository, and links as they are written for the repository.

A page keeps its path in the repository, but for README.md, which begins the site as index.md, and what lies in docs/.
Links lead from page to page; what they name that is no page (source files, folders) is told as text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
ELSEWHERE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/*.md", "saved_models/*.md",
             "examples/*/README.md", "benchmarks/*.png", "saved_models/*.png")  # fmt: skip
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def place_of(path: str) -> str:
    """Where a file of the repository is on the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def in_repository(path: str) -> str:
    """Where a page of the site is in the repository."""
    if path == "index.md":
        return "README.md"
    return f"docs/{path}" if (ROOT / "docs" / path).exists() else path


def on_files(files: Files, config: Any) -> Files:
    """Take the pages and pictures that lie elsewhere."""
    for found in sorted(path for pattern in ELSEWHERE for path in ROOT.glob(pattern)):
        place = found.relative_to(ROOT).as_posix()
        files.append(File.generated(config, place_of(place), abs_src_path=str(found)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links for the site.

    Raises:
        FileNotFoundError: a link leads nowhere.
    """
    here = in_repository(page.file.src_uri)

    def told(link: re.Match[str]) -> str:
        sign, text, target, anchor = link.groups()
        place = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        if not (ROOT / place).exists():
            raise FileNotFoundError(f"{here}: links to {target}, which is not there")
        if files.get_file_from_path(place_of(place)) is None:
            return text
        way = posixpath.relpath(place_of(place), posixpath.dirname(page.file.src_uri) or ".")
        return f"{sign}[{text}]({way}{anchor or ''})"

    return LINK.sub(told, markdown)
