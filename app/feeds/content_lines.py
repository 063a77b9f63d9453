"""Content lines of RFC 5545: escaped text, folded at 75 octets (icalendar)."""

from collections.abc import Iterable

from icalendar import vText
from icalendar.parser import Contentline

FOLDED = 75  # octets from which a line is folded
# RFC 5545 has no other control characters than tab in its text, and one sort of line end. Some
# parsers end lines at all that Unicode calls a line end.
LINE_ENDS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
CONTROLS = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)]),
    **{ord(each): "\n" for each in LINE_ENDS},
    ord("\t"): "\t",
    ord("\n"): "\n",
}


def content_line(name: str, value: str) -> bytes:
    """A line with its end; `name` may have parameters, and `value` is as it is to be sent."""
    line = f"{name}:{value}"
    octets = line.encode()
    if len(octets) >= FOLDED:
        octets = Contentline(line).to_ical()  # type: ignore[no-untyped-call]
    return octets + b"\r\n"


def text(value: str) -> str:
    """Text as a value: escaped, without control characters."""
    if not value.isprintable():
        value = value.replace("\r\n", "\n").translate(CONTROLS)
    escaped: bytes = vText(value).to_ical()
    return escaped.decode()


def texts(values: Iterable[str]) -> str:
    """Several texts as one value."""
    return ",".join(map(text, values))
