"""The language of the parameter `filter`: text becomes a jsonpath with variables, a bound value.

The text of the jsonpath is made of names of facets, operators and variables of this package alone;
what a client wrote is in the values of the variables.
"""

from app.filtering.compiling import Compiled as Compiled
from app.filtering.compiling import compile_filter as compile_filter
from app.filtering.compiling import conjunction as conjunction
from app.filtering.conditions import Filter as Filter
from app.filtering.conditions import FilterError as FilterError
from app.filtering.parameters import parameters as parameters
from app.filtering.parsing import parse as parse
