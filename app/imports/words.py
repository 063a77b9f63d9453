"""The words of dates and repetitions in English, German, French and Spanish.

A language is a table from words, as they are after `plain`, to tokens, which are the same for all:
the grammar in phrases.py knows tokens only. Of several words that begin alike the longest counts.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Token(NamedTuple):
    """A word's meaning, and its number where it has one."""

    name: str
    number: int = 0


EVERY, OTHER, LAST, AT, FROM, UNTIL, FOR, AND, OF = (
    Token(name) for name in ("EVERY", "OTHER", "LAST", "AT", "FROM", "UNTIL", "FOR", "AND", "OF")
)
TODAY, TOMORROW, WORKDAY, WEEKEND, NEXT, IN = (
    Token(name) for name in ("TODAY", "TOMORROW", "WORKDAY", "WEEKEND", "NEXT", "IN")
)
DAY, WEEK, MONTH, YEAR = (Token("UNIT", number) for number in range(4))
QUARTER = Token("QUARTER")
DAILY, WEEKLY, MONTHLY, YEARLY = (Token("ADVERB", number) for number in range(4))
CLOCK = Token("CLOCK")  # o'clock, Uhr


def plain(text: str) -> str:
    """The text in small letters without accents, in single spaces."""
    text = text.replace("ß", "ss").replace("’", "'").casefold()
    decomposed = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def _numbered(name: str, words: str, first: int = 1) -> dict[str, Token]:
    """A token for each group of words, separated by |, counted from `first`."""
    groups = words.split("|")
    return {
        word: Token(name, number)
        for number, group in enumerate(groups, first)
        for word in group.split()
    }


def _table(words: Mapping[Token, str], *others: Mapping[str, Token]) -> Mapping[str, Token]:
    found = {
        word.replace("_", " "): token for token, group in words.items() for word in group.split()
    }
    for each in others:
        found |= each
    return found


ENGLISH = _table(
    {
        EVERY: "every each ev", OTHER: "other", LAST: "last", AT: "at @", AND: "and , &",
        FROM: "starting start starting_from starting_on from beginning",
        UNTIL: "until ending ending_on till end", FOR: "for", OF: "of of_the on the a",
        TODAY: "today tod", TOMORROW: "tomorrow tom", NEXT: "next", IN: "in",
        WORKDAY: "workday workdays weekday weekdays business_day working_day business_days",
        WEEKEND: "weekend weekends",
        DAY: "day days d", WEEK: "week weeks w wk wks", MONTH: "month months mo",
        YEAR: "year years y yr yrs",
        QUARTER: "quarter quarters quarterly", DAILY: "daily everyday", WEEKLY: "weekly",
        MONTHLY: "monthly", YEARLY: "yearly annually", CLOCK: "o'clock",
    },
    _numbered(
        "WEEKDAY",
        "monday mondays mon|tuesday tuesdays tue tues|wednesday wednesdays wed|"
        "thursday thursdays thu thur thurs|friday fridays fri|saturday saturdays sat|"
        "sunday sundays sun", 0,
    ),
    _numbered(
        "NAMED_MONTH",
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|"
        "september sep sept|october oct|november nov|december dec",
    ),
    _numbered("ORDINAL", "first|second|third|fourth|fifth"),
    _numbered("NUMBER", "one|two|three|four|five|six|seven|eight|nine|ten"),
)  # fmt: skip
GERMAN = _table(
    {
        EVERY: "jeden jede jedes jeder alle je", LAST: "letzten letzter letztes letzte",
        AT: "um @", AND: "und , &", FROM: "ab beginnend beginnend_am ab_dem startend von",
        UNTIL: "bis bis_zum endend", FOR: "fur", OF: "des am im der den dem", IN: "in",
        TODAY: "heute", TOMORROW: "morgen", NEXT: "nachsten nachste nachster nachstes",
        WORKDAY: "werktag werktage werktags wochentag wochentage arbeitstag werktaglich",
        WEEKEND: "wochenende wochenenden",
        DAY: "tag tage tagen tags", WEEK: "woche wochen", MONTH: "monat monate monaten monats",
        YEAR: "jahr jahre jahren jahres", QUARTER: "quartal quartale vierteljahrlich",
        DAILY: "taglich", WEEKLY: "wochentlich", MONTHLY: "monatlich", YEARLY: "jahrlich",
        CLOCK: "uhr",
    },
    _numbered(
        "WEEKDAY",
        "montag montags mo|dienstag dienstags di|mittwoch mittwochs mi|"
        "donnerstag donnerstags do|freitag freitags fr|samstag samstags sonnabend sa|"
        "sonntag sonntags so", 0,
    ),
    _numbered(
        "NAMED_MONTH",
        "januar jan|februar feb|marz mrz|april apr|mai|juni jun|juli jul|august aug|"
        "september sep|oktober okt|november nov|dezember dez",
    ),
    _numbered(
        "ORDINAL",
        "ersten erster erste erstes|zweiten zweiter zweite zweites|dritten dritter dritte drittes|"
        "vierten vierter vierte viertes|funften funfter funfte",
    ),
    _numbered("NUMBER", "ein|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn"),
)  # fmt: skip
FRENCH = _table(
    {
        EVERY: "chaque tous_les toutes_les tous toutes", OTHER: "autre",
        LAST: "dernier derniere derniers", AT: "a @", AND: "et , &",
        FROM: "a_partir_du a_partir_de a_partir commencant commencant_le des_le",
        UNTIL: "jusqu'au jusqu'a jusqu'en jusque", FOR: "pendant", OF: "du de le la les",
        TODAY: "aujourd'hui auj", TOMORROW: "demain", NEXT: "prochain prochaine", IN: "dans",
        WORKDAY: "jour_ouvre jours_ouvres jour_ouvrable jours_ouvrables jour_de_semaine",
        WEEKEND: "week-end week-ends weekend",
        DAY: "jour jours", WEEK: "semaine semaines", MONTH: "mois", YEAR: "an ans annee annees",
        QUARTER: "trimestre trimestres", DAILY: "quotidien quotidiennement",
        WEEKLY: "hebdomadaire", MONTHLY: "mensuel mensuellement", YEARLY: "annuel annuellement",
        CLOCK: "heures heure",
    },
    _numbered(
        "WEEKDAY",
        "lundi lundis lun|mardi mardis mar|mercredi mercredis mer|jeudi jeudis jeu|"
        "vendredi vendredis ven|samedi samedis sam|dimanche dimanches dim", 0,
    ),
    _numbered(
        "NAMED_MONTH",
        "janvier janv|fevrier fevr fev|mars|avril avr|mai|juin|juillet juil|aout|"
        "septembre|octobre oct|novembre nov|decembre dec",
    ),
    _numbered(
        "ORDINAL",
        "premier premiere 1er|deuxieme second seconde 2e 2eme|troisieme 3e 3eme|quatrieme 4e 4eme|"
        "cinquieme 5e",
    ),
    _numbered("NUMBER", "un|deux|trois|quatre|cinq|six|sept|huit|neuf|dix"),
)  # fmt: skip
SPANISH = _table(
    {
        EVERY: "cada todos_los todas_las todos todas", OTHER: "otro otra",
        LAST: "ultimo ultima", AT: "a_las a_la @", AND: "y , &",
        FROM: "a_partir_del a_partir_de empezando empezando_el desde_el desde",
        UNTIL: "hasta hasta_el", FOR: "durante", OF: "del de el la los las",
        TODAY: "hoy", TOMORROW: "manana", NEXT: "proximo proxima", IN: "en",
        WORKDAY: "dia_laborable dias_laborables dia_habil dias_habiles dia_de_semana "
        "entre_semana",
        WEEKEND: "fin_de_semana fines_de_semana",
        DAY: "dia dias", WEEK: "semana semanas", MONTH: "mes meses", YEAR: "ano anos",
        QUARTER: "trimestre trimestres", DAILY: "diario diariamente diaria",
        WEEKLY: "semanal semanalmente", MONTHLY: "mensual mensualmente",
        YEARLY: "anual anualmente", CLOCK: "horas",
    },
    _numbered(
        "WEEKDAY",
        "lunes lun|martes mar|miercoles mie|jueves jue|viernes vie|sabado sabados sab|"
        "domingo domingos dom", 0,
    ),
    _numbered(
        "NAMED_MONTH",
        "enero ene|febrero feb|marzo|abril abr|mayo|junio jun|julio jul|agosto ago|"
        "septiembre sep|octubre oct|noviembre nov|diciembre dic",
    ),
    _numbered("ORDINAL", "primer primero primera|segundo segunda|tercer tercero|cuarto|quinto"),
    _numbered("NUMBER", "un uno una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez"),
)  # fmt: skip
LANGUAGES: Mapping[str, Mapping[str, Token]] = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
}
MOST_WORDS = 3  # of a word of the tables


def phrase_words(text: str) -> Sequence[str]:
    """The words of a text after `plain`; commas are words of their own."""
    return re.findall(r"[^\s,;&]+|[,&]", text)
