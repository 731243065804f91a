"""The built book as files: complete, and loading nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import minisam as ms
from minisam.equations import EQUATIONS
from tests.book.conftest import EXECUTED, NOTEBOOKS, ROOT

FETCHED = {  # what a browser loads by itself
    *(("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")),
    *(("audio", "src"), ("embed", "src"), ("object", "data"), ("link", "href")),
}


class Page(HTMLParser):
    """Every address in a page, its anchors, its text, and how many formulas it has."""

    def __init__(self, path):
        super().__init__()
        self.fetched, self.links, self.anchors, self.images = [], [], set(), []
        self.formulas, self.words = 0, []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self.formulas += "math" in (given.get("class") or "").split()
        if tag == "img":
            self.images.append(given["src"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        for name, value in given.items():
            if (tag, name) in FETCHED and value and given.get("rel") != "canonical":
                self.fetched.append(value)

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def pages(book):
    """Every page by its address in the book."""
    found = [p for p in sorted(book.rglob("*.html")) if "_static" not in p.parts]
    return {str(path.relative_to(book)): Page(path) for path in found}


def test_no_page_loads_anything_from_elsewhere(book, pages):
    for name, page in pages.items():
        for address in page.fetched:
            assert not re.match(r"(\w+:)?//", address), f"{name} loads {address}"
    for path in book.rglob("*.css"):
        for address in re.findall(
            r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", path.read_text("utf-8")
        ):
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"


def test_every_link_leads_somewhere(book, pages):
    for name, page in pages.items():
        for link in (*page.links, *page.fetched):
            if re.match(r"\w+:", link):
                continue
            address, anchor = urldefrag(link)
            to = (book / name).parent / unquote(address.split("?")[0]) if address else book / name
            to = to.resolve()
            assert to.exists(), f"{name} links to {link}"
            if anchor and to.suffix == ".html":
                known = pages[str(to.relative_to(book.resolve()))].anchors
                assert unquote(anchor) in known, f"{name} links to {link}"


def test_every_page_is_reached_from_the_first(book, pages):
    found, ahead = {"index.html"}, ["index.html"]
    while ahead:
        name = ahead.pop()
        for link in pages[name].links:
            if re.match(r"\w+:", link) or not urldefrag(link)[0]:
                continue
            to = ((book / name).parent / unquote(urldefrag(link)[0])).resolve()
            to = str(to.relative_to(book.resolve()))
            if to in pages and to not in found:
                found.add(to)
                ahead.append(to)
    assert set(pages) - found == {"search.html"}  # it is reached by its form


def test_every_notebook_and_every_chapter_is_a_page(pages):
    for path in NOTEBOOKS:
        assert f"tutorials/{path.stem}.html" in pages
    chapters = sorted((ROOT / "book").rglob("*.md"))
    assert len(chapters) >= 20
    for path in chapters:
        assert str(path.relative_to(ROOT / "book").with_suffix(".html")) in pages


def test_notebooks_were_executed(pages):
    for path in EXECUTED:
        page = pages[f"tutorials/{path.stem}.html"]
        assert "cell_output" in page.html
        assert len([image for image in page.images if "_images/" in image]) >= 1
    assert "the wrong rule" not in pages["extending.html"].text.split("Expect")[1]
    assert "late SAM" in pages["extending.html"].text


def test_every_equation_has_its_formula_its_number_and_its_function(pages):
    index = pages["equations.html"]
    for e in EQUATIONS:
        assert f"equation-{e.name}" in index.anchors
        address = f"api/{_home(e.implementation)}.html#{e.implementation}"
        assert address in index.links, f"{e.name}: no link to {e.implementation}"
    # One formula for each, one more for each misprint, and the numbers.
    misprints = sum(e.printed_latex is not None for e in EQUATIONS)
    assert index.formulas >= len(EQUATIONS) + misprints
    assert index.text.count("tolerance") >= len(EQUATIONS)


def test_every_misprint_is_in_the_errata(pages):
    links = pages["errata.html"].links
    for e in EQUATIONS:
        linked = f"equations.html#equation-{e.name}" in links
        assert linked == (e.printed_latex is not None), e.name


def test_a_derivation_is_found_by_the_name_of_its_equation(pages):
    text = pages["equations.html"].html
    for path in NOTEBOOKS:
        if re.search(r"(?<![\w-])dual-norm-value(?![\w-])", path.read_text("utf-8")):
            entry = text.split('id="equation-dual-norm-value"')[1].split("<section")[0]
            assert f"tutorials/{path.stem}.html" in entry


def test_every_public_name_is_documented(pages):
    for module in ["minisam", *(f"minisam.{n}" for n in ms.__all__ if _is_module(n))]:
        page = pages[f"api/{module}.html"]
        for name in import_module(module).__all__:
            if module == "minisam" and _is_module(name):
                continue
            here = f"{module}.{name}" in page.anchors
            elsewhere = [link for link in page.links if link.endswith(f".{name}")]
            assert here or elsewhere, f"{module}.{name}"


def test_nothing_was_left_unfilled(pages):
    for name, page in pages.items():
        assert "% generated" not in page.html, name
        assert "{py:obj}" not in page.html, name


def _home(dotted):
    return dotted.rpartition(".")[0]


def _is_module(name):
    return type(getattr(ms, name)).__name__ == "module"


def test_no_table_takes_a_norm_for_an_absolute_value():
    r"""In a table Markdown turns ``\|`` into ``|``, also in a formula: it must be ``\lVert``."""
    texts = {path: path.read_text("utf-8") for path in (ROOT / "book").rglob("*.md")}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts[path] = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for path, text in texts.items():
        for line in text.splitlines():
            assert not re.match(r"\s*\|.*\\\|", line), f"{path.name}: {line}"


def test_the_pages_tell_no_path_of_this_machine(book, pages):
    for name, page in pages.items():
        assert str(ROOT) not in page.html, name
        assert str(Path.home()) + "/" not in page.html, name
