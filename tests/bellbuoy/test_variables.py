"""The list of all variables is the one that the settings classes make."""

from bellbuoy.settings import variable
from bellbuoy.variables import VARIABLES
from tools.configuration import PROGRAMS, settings_of, variables


def test_the_list_is_what_all_programs_declare() -> None:
    """Echo, api and onebox, the database's included."""
    rows = variables((program, settings_of(program)) for program in PROGRAMS)
    assert {variable(row.field.name) for row in rows} == VARIABLES
