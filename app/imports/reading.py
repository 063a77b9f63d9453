"""Files as text, CSV records, JSON and archives, all of them within bounds."""

import codecs
import csv
import io
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from app.imports.entries import MOST_ROWS, TooLarge, Unreadable

FILE_LIMIT = 10 * 1024 * 1024  # bytes, as it was sent
MOST_FILES = 10_000  # in an archive
UNPACKED_LIMIT = 100 * 1024 * 1024  # bytes of all files of an archive
MEMBER_LIMIT = 32 * 1024 * 1024  # bytes of a file of an archive that is read
LONGEST_CELL = 128 * 1024  # characters
MOST_LINES = 500_000  # of a text: a cell may have several
MOST_VALUES = 2_000_000  # of a JSON text
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
DELIMITERS = ",;\t|"
ZIP_MARK = b"PK\x03\x04"
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")


class Record(NamedTuple):
    """A record of a CSV text, and the line on which it begins, from 1."""

    line: int
    cells: list[str]


def text_of(file: bytes) -> str:
    """The file as text: UTF-8, UTF-16 with its mark, or Windows-1252; raises Unreadable.

    NUL is in no text, so that it tells a file of another kind.
    """
    for mark, encoding in MARKS:
        if file.startswith(mark):
            return _without_nul(_decoded(file[len(mark) :], encoding))
    if b"\0" in file:
        raise Unreadable("Has NUL characters: send text in UTF-8, or in UTF-16 with its mark.")
    try:
        return file.decode()
    except UnicodeDecodeError:
        return _decoded(file, "cp1252")


def _decoded(file: bytes, encoding: str) -> str:
    try:
        return file.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("Is not text in UTF-8, UTF-16 or Windows-1252.") from error


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise Unreadable("Has NUL characters.")
    return text


def records(text: str, delimiter: str) -> Iterator[Record]:
    """The records of a CSV text; raises Unreadable for one that is none, and TooLarge."""
    if text.count("\n") > MOST_LINES or text.count("\r") > MOST_LINES:
        raise TooLarge(f"The file has more than {MOST_ROWS} rows; split it")
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line, number = 1, 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Unreadable(f"Is not CSV near line {line}: {error}.") from error
        if cells is None:
            return
        number += 1
        if number > MOST_ROWS + 100:  # some are a preamble, or a header
            raise TooLarge(f"The file has more than {MOST_ROWS} rows; split it")
        yield Record(line, cells)
        line = reader.line_num + 1


def delimiter_of(text: str) -> str:
    """The delimiter of a CSV text: the most frequent one in its first line, outside quotes."""
    counts: Counter[str] = Counter()
    is_quoted = False
    for character in text[:LONGEST_CELL]:
        if character == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            if character in "\r\n":
                break
            counts[character] += character in DELIMITERS
    return max(DELIMITERS, key=lambda each: counts[each])


def json_of(file: bytes) -> Any:
    """The file as JSON; raises Unreadable for one that is none, and TooLarge."""
    text = text_of(file)
    data = text.encode(errors="replace")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MOST_VALUES:
        raise TooLarge("The JSON has too many values; split the file")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"Is not JSON: {error}.") from error


def is_zip(file: bytes) -> bool:
    """Whether the file is an archive."""
    return file.startswith(ZIP_MARK)


class Archive:
    """A zip file: what it unpacks to is bounded, whatever its directory says."""

    def __init__(self, file: bytes) -> None:
        """Raises Unreadable, or TooLarge for a directory that tells too much."""
        if _number_of_files(file) > MOST_FILES:
            raise TooLarge(f"The archive has more than {MOST_FILES} files")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise Unreadable("Is not a zip archive, or a broken one.") from error
        members = self._zip.infolist()
        if len(members) > MOST_FILES:
            raise TooLarge(f"The archive has more than {MOST_FILES} files")
        if sum(each.file_size for each in members) > UNPACKED_LIMIT:
            raise TooLarge(f"The archive unpacks to more than {UNPACKED_LIMIT >> 20} MiB")
        self._left = UNPACKED_LIMIT
        self.names = [each.filename for each in members if not each.is_dir()]

    def read(self, name: str) -> bytes:
        """A file of it; raises Unreadable or TooLarge."""
        limit = min(MEMBER_LIMIT, self._left)
        try:
            with self._zip.open(name) as member:
                found = member.read(limit + 1)
        except Exception as error:  # zipfile, zlib, lzma and bz2 have errors of their own
            raise Unreadable("Has a file that can't be unpacked.") from error
        if len(found) > limit:
            raise TooLarge(f"A file of the archive unpacks to more than {MEMBER_LIMIT >> 20} MiB")
        self._left -= len(found)
        return found


def _number_of_files(file: bytes) -> int:
    """The number that the end of the directory has; 0 where there is no such end."""
    at = file.rfind(b"PK\x05\x06", -(1 << 16) - END_OF_DIRECTORY.size)
    if at < 0 or at + END_OF_DIRECTORY.size > len(file):
        return 0
    number: int = END_OF_DIRECTORY.unpack_from(file, at)[4]
    return number
