"""Values that every layer shares: identifiers, the identity behind a request, folded text."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, NewType
from uuid import uuid4

Uuid = NewType("Uuid", str)  # canonical text: 8-4-4-4-12 lower-case hexadecimal digits
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Unicode's Default_Ignorable_Code_Point: invisible, so that they only make look-alikes.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
LONGEST_RUN = 30  # marks in a row
# Characters that may be marks, more than LONGEST_RUN in a row; begins where a row begins only.
UNSPACED = re.compile(rf"(?<![^\w\x00-\x7f])[^\w\x00-\x7f]{{{LONGEST_RUN + 1},}}+")
VOICED = (("\uff9e", "\u3099"), ("\uff9f", "\u309a"))  # halfwidth marks: letters to a regex
YPOGEGRAMMENI = re.compile("[\u0345\u037a\u1f80-\u1fff]")  # U+0345, and what contains it
SPACED = re.compile("\u037a(?:[\uff9e\uff9f]|[^\\w\x00-\x7f\u0345])+")  # and marks behind it


@dataclass(frozen=True)
class Identity:
    """The user and the session that a token names; `scopes` is None unless it is an API token."""

    owner_id: Uuid
    session_id: Uuid
    scopes: frozenset[str] | None = None


class Origin(NamedTuple):
    """The request and the session that the ledger records for a change."""

    request_id: str
    session_id: Uuid | None


@dataclass(frozen=True)
class Page:
    """A page of a list: a JSON array, and the entity tag and version that it was read at.

    `tag` is None where the page changes with the time alone. `next_position` is the next page's
    position as a JSON array; None on the last page.
    """

    tag: str | None
    version: int
    items: bytes
    next_position: bytes | None


def canonical_uuid(text: str) -> Uuid | None:
    """The text as a Uuid; None for any spelling other than the canonical one."""
    return Uuid(text) if CANONICAL_UUID.fullmatch(text) else None


def new_uuid() -> Uuid:
    """A random (version 4) UUID."""
    return Uuid(str(uuid4()))


def nfkc_casefold(text: str) -> str:
    """Unicode's toNFKC_Casefold: without default-ignorable characters, case-folded, in NFC.

    For short text only: its time grows with the square of a run of marks.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _mapped(IGNORABLE.sub("", text)))


def fold(text: str) -> str:
    """Text as searches compare it: nfkc_casefold of its stream-safe form, with İ as i."""
    if text.isascii():
        return text.lower()
    mapped = _mapped(stream_safe(IGNORABLE.sub("", text)))
    return unicodedata.normalize("NFC", mapped.replace("i\u0307", "i"))


def stream_safe(text: str) -> str:
    """The text in a stream-safe form: without the marks beyond the 30th of each run (UAX #15).

    Normalisation sorts each run of marks in quadratic time, and holds the interpreter meanwhile.
    Unicode's own process separates marks by U+034F, which `fold` drops.
    """
    return UNSPACED.sub(_cut_runs, _with_marks(text))


def _with_marks(text: str) -> str:
    """The text with halfwidth voiced marks as marks."""
    for halfwidth, mark in VOICED:
        text = text.replace(halfwidth, mark)
    return text


def _cut_runs(found: re.Match[str]) -> str:
    """Cuts the runs of marks among characters without a letter, a digit or ASCII."""
    kept, run = [], 0
    for character in found[0]:
        run = run + 1 if _is_mark(character) else 0
        if run <= LONGEST_RUN:
            kept.append(character)
    return "".join(kept)


@lru_cache(2048)
def _is_mark(character: str) -> bool:
    """Whether it decomposes into marks (non-starters) alone; there are 927 of these."""
    return all(map(unicodedata.combining, unicodedata.normalize("NFKD", character)))


def _mapped(text: str) -> str:
    """Each character replaced by what Unicode's NFKC_Casefold has for it.

    U+0345 folds to a letter, so that the marks behind it must come before it; behind U+037A,
    Unicode sorts halfwidth voiced marks with the others.
    """
    if YPOGEGRAMMENI.search(text):
        text = SPACED.sub(lambda found: _with_marks(found[0]), text).replace("\u037a", " \u0345")
        text = unicodedata.normalize("NFD", text)
    return text.translate(CASEFOLDED)


class _Casefolded(dict[int, str]):
    """NFKC_Casefold of characters, computed at first use.

    One character stands for up to 18: to fold a text as a whole takes 20 times as long as to look
    these up. 32,768 entries take 5 MB.
    """

    CAPACITY = 32_768

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFD", chr(code))
        for _ in range(2):
            folded = unicodedata.normalize("NFKC", folded.casefold())
        if len(self) >= self.CAPACITY:
            self.clear()
        self[code] = folded
        return folded


CASEFOLDED = _Casefolded()
