"""No character of a query reaches the text of a jsonpath, and none makes PostgreSQL fail."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import filtering
from app.filtering import Compiled, FilterError
from app.values import fold
from tests.filtering.selection import WORK, Selection, compiled, task

# All that a path may consist of.
WORDS = re.compile(
    r"""
    \$\.(title|due|start|created|updated|priority|completed|list|labels|overdue|parent)\b
    | \$v[1-9][0-9]*\b | \[\*\] | null\b | false\b | 0\b | exists\b
    | && | \|\| | ! (?!=) | [!=<>]= | [<>] | [()] | [ ]
    """,
    re.VERBOSE,
)
# What the compiler gives for each, with x instead of any other title.
PLAIN = compiled('title = "x"').path
ATTEMPTS = {
    "a quote": '"',
    "a quote and more": '" || true || "',
    "an apostrophe": "'; DROP TABLE tasks--",
    "a dollar quote": "$$; DROP TABLE tasks; $$",
    "a backslash": "\\",
    "a backslash and a quote": '\\"',
    "a backslash at the end": 'x\\"\\',
    "a variable": "$v1",
    "a variable that is not there": "$v99",
    "a variable in quotes": '$"v1"',
    "the root": "$",
    "a path": "$.completed",
    "the current item": "@.title",
    "a regular expression": '" like_regex ".*',
    "a prefix": '" starts with "',
    "a filter expression": "? (@ == 1)",
    "a comment": "/* x */",
    "an open comment": "/*",
    "a comment of SQL": "-- x",
    "a unicode escape": "\\u0022",
    "a long unicode escape": "\\u{22}",
    "a hexadecimal escape": "\\x22",
    "a newline": "\n) || (1 == 1",
    "a method": ".keyvalue()",
    "a mode": "strict $",
    "an accessor": "[*]",
    "a placeholder": "%(filter)s",
    "a placeholder without name": "%s %% %",
    "a template": "{value} {facet} {0} {}",
    "a word": "exists ($)",
    "null": "null",
    "a bracket": ")",
    "an end of text": "\x1a\x04",
    "right to left": "\u202e",
    "a quote that folds": "＂",
    "a dollar that folds": "＄v1",
    "a letter that folds": "K",
    "something wide": "😀",
    "something long": "x" * 400,
}
PIECES = st.sampled_from(
    [*"\"\\$@.*?()[]{}<>=!&|'`/-+%_,;:# \n\tvxu0129", "v1", "like_regex", "/*", "*/", "\\u0022"]
)
HOSTILE = st.lists(PIECES, max_size=30).map("".join)
FRAGMENTS = st.sampled_from(
    [
        *(
            "due",
            "title",
            "label",
            "list",
            "priority",
            "completed",
            "overdue",
            "today",
            "no",
            "has",
        ),
        *("and", "or", "not", "in", "(", ")", ",", "=", "!=", "<", "<=", '"x"', '"home"', '"Work"'),
        *("now", "+7d", "-2w", "2026-10-07", "2026-10-07T09:00", "monday", "true", "5", "$v1"),
        *("/*", "'", '"', "\\", "$.title", "like_regex", "null", "exists", "||", "&&", "@", "[*]"),
    ]
)
SENTENCES = st.lists(FRAGMENTS, min_size=1, max_size=12).map(" ".join)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_made_of_words(path: str) -> bool:
    return WORDS.sub("", path) == ""


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_title_is_in_the_values_alone(select: Selection, name: str) -> None:
    text = ATTEMPTS[name]
    for operator in ("=", "!=", "<", "<=", ">", ">="):
        found = compiled(f"title {operator} {quoted(text)}")
        assert (found.path, found.values) == (
            PLAIN if operator == "=" else PLAIN.replace("==", operator),
            {"v1": fold(text)},
        )
    tasks = {"itself": task(title=fold(text)), "x": task(title="x"), "other": task(title="other")}
    assert select(f"title = {quoted(text)}", tasks) == {"itself"}
    assert select(f"not title in ({quoted(text)}, {quoted(text)})", tasks) == {"x", "other"}


@pytest.mark.parametrize("name", ATTEMPTS)
@pytest.mark.parametrize("query", ["label = {}", "has label {}", "list {}", "list in ({})"])
def test_a_name_is_in_neither(name: str, query: str) -> None:
    text = ATTEMPTS[name]
    found = compiled(query.format(quoted(text)), labels={text: [WORK]}, lists={text: [WORK]})
    plain = compiled(query.format('"x"'), labels={"x": [WORK]}, lists={"x": [WORK]})
    assert found == plain
    assert found.values == {"v1": WORK}


@pytest.mark.parametrize("name", ATTEMPTS)
@pytest.mark.parametrize(
    "query",
    [
        "{} < today",
        "due.{} < today",
        "due {} today",
        "due < {}",
        "due < today {}",
        "{}",
        "not {}",
        "no {}",
        "priority in (1, {})",
        "completed = {}",
        "today and {} or today",
        "$.{}",
    ],
)
def test_outside_of_quotes_it_is_a_mistake(name: str, query: str) -> None:
    with pytest.raises(FilterError):
        compiled(query.format(ATTEMPTS[name]))


@pytest.mark.parametrize(
    "field",
    [
        *("$.due", "facets.due", "due.type()", "due[*]", "due.keyvalue()", "labels[0]", "labels"),
        *(
            "parent",
            "owner_id",
            "list_id",
            "tasks.facets",
            '"due"',
            "`due`",
            "[due]",
            "@due",
            "$v1",
        ),
        *(
            "title like_regex",
            "title ~",
            "title starts with",
            "exists",
            "$",
            "**",
            "due/**/",
            "due\\",
        ),
        *("\\u0064ue", "%64ue", "d\u200bue", "due\u0301", "ｄｕｅ", "overdue.due", "v1"),
    ],
)
def test_a_field_that_looks_like_a_path_is_a_mistake(field: str) -> None:
    for value in ("today", '"x"', "1"):
        with pytest.raises(FilterError):
            compiled(f"{field} = {value}")


def checked(select: Selection, query: str) -> None:
    """A query is a mistake, or its path is harmless and selects."""
    try:
        found = compiled(query)
    except FilterError as error:
        position, message = error.position, error.message
    else:
        assert_harmless(select, found)
        return
    assert 1 <= position <= len(query) + 1
    assert message


def assert_harmless(select: Selection, found: Compiled) -> None:
    assert is_made_of_words(found.path)
    assert len(select.matches(found, [task(), task(completed=True, title="x", labels=[WORK])])) == 2
    json.dumps(found.values, ensure_ascii=False).encode()


@given(query=st.one_of(HOSTILE, st.text(max_size=30), SENTENCES))
@settings(max_examples=500)
@example(query="today")
def test_any_text_is_a_filter_or_a_mistake(select: Selection, query: str) -> None:
    checked(select, query)


@given(title=HOSTILE, raw=HOSTILE)
@settings(max_examples=300)
def test_any_characters_between_quotes_are_a_value(select: Selection, title: str, raw: str) -> None:
    assert compiled(f"title = {quoted(title)}").values == {"v1": fold(title)}
    checked(select, f'title = "{raw}" and not completed')
    checked(select, f"title = {quoted(title)} or title in ({quoted(title)}, {raw})")


def test_every_operator_of_every_field_is_made_of_our_words() -> None:
    values = {
        **dict.fromkeys(("due", "start", "created", "updated"), ("today", "now", "2026-10-07")),
        "title": ('"x"',),
        "label": ('"home"',),
        "list": ('"Work"',),
        "priority": ("0", "9"),
        "completed": ("true", "false"),
    }
    paths = []
    for field, each in values.items():
        for value in each:
            for form in ("=", "!=", "<", "<=", ">", ">=", "in"):
                query = f"{field} in ({value})" if form == "in" else f"{field} {form} {value}"
                try:
                    paths.append(compiled(query).path)
                except FilterError:
                    assert field in ("label", "list", "completed")
    rest = ("overdue", "no due", "no list", "no label", "no priority", "not (today or overdue)")
    paths += [compiled(query).path for query in rest]
    assert len(paths) == 4 * 3 * 7 + 7 + 2 * 3 + 2 * 7 + 2 * 2 + len(rest)
    assert [path for path in paths if not is_made_of_words(path)] == []
    assert filtering.conjunction(compiled("today"), compiled("overdue")).path.count("$v") == 3


def test_these_tests_would_notice_other_words() -> None:
    for path in (
        '($.title == "x")',
        "($.x == $v1)",
        "($.due == $v0)",
        "(1 == 1)",
        "($.due == true)",
        "$.title like_regex",
    ):
        assert not is_made_of_words(path)
