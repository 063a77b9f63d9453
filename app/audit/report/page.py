"""The report as one HTML page: it needs no other file, and its policy forbids the network."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.audit.ownership import Predicate
from app.audit.report.results import Report

FILES = Path(__file__).resolve().parent
PARAMETER = re.compile(r"%\(\w+\)s")


def as_html(report: Report) -> str:
    """The page; it is readable without its script, which only searches and filters."""
    style, script = ((FILES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704
            policy=content_security_policy(style, script),
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """The policy that allows this style sheet and script, by their hashes, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_source_hash(style)}'; "
        f"script-src '{_source_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = whole
    environment.filters["marked"] = marked
    return environment


def whole(text: str) -> Markup:
    """The text as HTML in which no line breaks within a %(parameter)s."""
    return Markup(  # noqa: S704 - escaped; a parameter has no character that this changes
        PARAMETER.sub(r'<span class="whole">\g<0></span>', str(escape(text)))
    )


def marked(text: str, predicates: Sequence[Predicate]) -> Markup:
    """The SQL text as HTML, with a <mark> around each of the predicates."""
    pieces = (
        Markup("<mark>{}</mark>").format(whole(piece)) if is_predicate else whole(piece)
        for piece, is_predicate in _pieces(text, predicates)
    )
    return Markup("").join(pieces)


def _pieces(text: str, predicates: Sequence[Predicate]) -> Iterator[tuple[str, bool]]:
    """The text cut at its predicates; overlapping ones are one piece."""
    end = 0
    for predicate in sorted(predicates, key=lambda each: each.start):
        if predicate.end > end:
            start = max(predicate.start, end)
            yield text[end:start], False
            yield text[start : predicate.end], True
            end = predicate.end
    yield text[end:], False
