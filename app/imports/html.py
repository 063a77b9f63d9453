"""HTML, as some services keep notes, as plain text."""

import re
from html.parser import HTMLParser

BLOCKS = {"p", "div", "br", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre"}
HIDDEN = {"script", "style", "head", "title"}
MARKUP = re.compile(r"<(?:[a-zA-Z!/][^<>]*)>|&(?:#\d+|#x[0-9a-fA-F]+|\w+);")
EMPTY_LINES = re.compile(r"\n{3,}")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._link: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HIDDEN:
            self._hidden += 1
        elif tag == "a":
            self._link = dict(attrs).get("href")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a":
            if self._link and self._link not in "".join(self.parts[-1:]):
                self.parts.append(f" ({self._link})")
            self._link = None
        elif tag in BLOCKS and tag not in ("br", "li"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of_html(html: str) -> str:
    """The text of HTML, with its lines, list items and the addresses of links."""
    if not MARKUP.search(html):
        return html
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.parts).split("\n"))
    return EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
