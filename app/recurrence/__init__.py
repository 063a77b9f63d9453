"""Recurrence: rules of RFC 5545, their normal form, and the next date of a series.

Pure: it knows neither the database nor HTTP.
"""

from app.recurrence.normal_form import normalise as normalise
from app.recurrence.rule import RuleError as RuleError
from app.recurrence.rule import occurrences_left as occurrences_left
from app.recurrence.series import BASES as BASES
from app.recurrence.series import Next as Next
from app.recurrence.series import Series as Series
from app.recurrence.series import first_date as first_date
from app.recurrence.series import next_occurrence as next_occurrence
