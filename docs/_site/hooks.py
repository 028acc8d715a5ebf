"""What the site needs beyond Markdown: files beside docs/, formulas without JavaScript, sentences that wrap.

Pages link to the repository as a repository browser has it (`../calibration/README.md`, `../infersim/x.py`).
Files that are linked become part of the site under `repository/`: Markdown as pages, code as pages that show
it, everything else as it is.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

BESIDE = "repository"
SECTIONS = {"": "Guides", "commands": "Commands", "families": "Families of pruning"}
"""Where a page stands that the navigation does not name, by its folder."""

CODE = {".py": "python", ".toml": "toml", ".sh": "sh", ".yml": "yaml"}

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
_MARKER = re.compile(r"^ *<!--.*?-->$", re.MULTILINE)
_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
_PARAMETER = re.compile(r'(?:<mi mathvariant="monospace">[^<]+</mi>)+')
"""Letters of one name, which MathML would set apart."""

_CONSOLE = re.compile(r'<div class="language-(?:console|text) highlight">.*?</div>', re.DOTALL)
_LINE = re.compile(
    r'(?P<open><span id="__line[^>]*>)(?P<line>.*?\n?)(?=</span><span id="__line|</span></code>)', re.DOTALL
)
_COLUMNS = re.compile(r"\S  +\S|─|^\s*$|^  ")
_LONG = 40
"""Characters from which a printed line without columns is a sentence that wraps."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages that the navigation does not name at the end of their folder's section."""
    named = set(_paths(config.nav))
    for page in sorted(Path(config.docs_dir).rglob("*.md")):
        path = page.relative_to(config.docs_dir).as_posix()
        if path not in named:
            section = SECTIONS[posixpath.dirname(path)]
            next(entry[section] for entry in config.nav or [] if section in entry).append(path)
    return config


def _paths(nav: object) -> Iterator[str]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (list, dict)):
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from _paths(entry)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside docs/, and what those pages link to in turn."""
    root = _root(config)
    waiting = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        uri, text = waiting.pop()
        for match in _LINK.finditer(text):
            target = _in_repository(uri, match["path"])
            added = _published(target)
            if target.startswith("docs/") or not (root / target).is_file() or files.get_file_from_path(added):
                continue
            content = (root / target).read_text(encoding="utf-8")
            language = CODE.get(Path(target).suffix)
            if language is not None:
                content = f"---\nsearch:\n  exclude: true\n---\n# {target}\n\n````{language}\n{content}````\n"
            elif target.endswith(".md"):
                waiting.append((added, content))
            files.append(File.generated(config, added, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Links into the repository as links within the site; markers of computed tables are left out."""

    def within_site(match: re.Match[str]) -> str:
        target = _in_repository(page.file.src_uri, match["path"])
        path = posixpath.relpath(_published(target), posixpath.dirname(page.file.src_uri) or ".")
        return f"{path}{match['anchor'] or ''}"

    return _LINK.sub(within_site, _MARKER.sub("", markdown))


def on_page_content(content: str, **_: object) -> str:
    """Formulas as MathML, printed sentences that wrap."""
    content = _FORMULA.sub(_as_mathml, content)
    return _CONSOLE.sub(lambda match: _LINE.sub(_wrapping, match[0]), content)


def _as_mathml(match: re.Match[str]) -> str:
    """A formula that browsers draw by themselves; a long one scrolls."""
    block = match["tag"] == "div"
    formula = convert(html.unescape(match["latex"]).strip(), display="block" if block else "inline")
    named = _PARAMETER.sub(lambda letters: f"<mtext>{re.sub('<[^>]+>', '', letters[0])}</mtext>", formula)
    return f'<div class="formula">{named}</div>' if block else named


def _wrapping(match: re.Match[str]) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", "", match["line"]))
    if len(text) < _LONG or _COLUMNS.search(text):
        return match[0]
    return match["open"].replace("<span ", '<span class="sentence" ', 1) + match["line"]


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _in_repository(uri: str, link: str) -> str:
    """The path in the repository that a link in the page `uri` leads to."""
    inside = uri.removeprefix(f"{BESIDE}/") if uri.startswith(f"{BESIDE}/") else f"docs/{uri}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(inside), link))


def _published(target: str) -> str:
    """Where the site has a file of the repository."""
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"{BESIDE}/{target}{'.md' if Path(target).suffix in CODE else ''}"
