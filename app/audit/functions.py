"""What functions may do, by their names and texts.

A function whose query tree PostgreSQL has kept is proved like a statement instead.
"""

import re

from app.audit.catalogue import SCHEMA, Catalogue, Function

# PostgreSQL's own functions that depend on a setting, the time or chance, and read no table. Others
# could run a query that is given as text (query_to_xml), or show what other sessions do; those that
# are IMMUTABLE read nothing but their arguments, aggregates and window functions nothing but rows.
PURE = re.compile(
    r"""(date|interval|timestamp|timestamptz)_\w+|date|time|timestamp|timestamptz|timetz|timezone
    |to_(char|date|json|jsonb|number|regclass|timestamp)|(plainto|phraseto|to|websearch_to)_tsquery
    |to_tsvector|jsonb?_(build_array|build_object|agg|object_agg)|array_to_(json|string)|row_to_json
    |jsonb?_(populate|to)_record(set)?|concat|concat_ws|textanycat|anytextcat|format|length|numeric
    |convert|convert_(from|to)|quote_(literal|nullable)|extract|age|overlaps|generate_series|now
    |(clock|statement|transaction)_timestamp|make_timestamptz|random|gen_random_uuid|uuidv4|uuidv7
    |current_setting|pg_backend_pid|pg_typeof|version|has_(schema|table)_privilege
    |row_security_active|pg_get_triggerdef""",
    re.VERBOSE,
)
# Functions with an effect on the session or the transaction: no argument of theirs may be read from
# a table, as it is not sure that PostgreSQL evaluates them for rows of the owner only.
EFFECTS = re.compile(r"set_config|pg_(try_)?advisory_xact_lock(_shared)?")

# The words without which a PL/pgSQL function can't reach a table; of its other words, those that
# name functions are looked up. A quoted name may be written in other characters.
REACHES = re.compile(
    r"""alter|call|copy|create|delete|do|drop|execute|fetch|from|insert|join|lock|merge|move|open
    |prepare|reset|set|table|truncate|update|using""",
    re.VERBOSE,
)
HIDES = re.compile(r"""--|/\*|"\s*\(""")
EXTRACT = re.compile(r"\bextract\(\w+ FROM\b", re.IGNORECASE)


def called(function: Function, catalogue: Catalogue) -> list[Function] | None:
    """The other functions that a PL/pgSQL function can call; None where it may do anything."""
    words = _words(EXTRACT.sub("extract(", function.body))
    is_text = (function.schema, function.language) == (SCHEMA, "plpgsql")
    uses = any(each in function.body for each in catalogue.operators_and_domains)
    reaches = any(map(REACHES.fullmatch, words)) or touched(function, catalogue)
    if not is_text or uses or reaches or HIDES.search(function.body):
        return None
    others = (each for each in catalogue.functions.values() if each.oid != function.oid)
    return [each for each in others if each.name in words]


def touched(function: Function, catalogue: Catalogue) -> list[str]:
    """The tables that a function names, sorted."""
    ours = {each.name for each in catalogue.tables.values() if each.is_ours}
    return sorted(ours & _words(function.body))


def _words(body: str) -> set[str]:
    return set(re.findall(r"\w+", body.lower()))
