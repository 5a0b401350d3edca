"""Documents that are generated are current, and no document names what does not exist."""

import re
from pathlib import Path

from bellbuoy.settings import variable
from tests.repository.tree import sources, text
from tools import configuration, metrics

VARIABLE = re.compile(r"\bBUOY_[A-Z0-9_]*[A-Z0-9]\b")


def known_variables() -> set[str]:
    """Return the environment variables of all programs."""
    programs = ((name, configuration.settings_of(name)) for name in configuration.PROGRAMS)
    rows = configuration.variables(programs)
    return {variable(row.field.name) for row in rows}


def test_the_configuration_document_is_current() -> None:
    """`make docs` was run after the last change of a settings class."""
    assert text(Path("docs/configuration.md")) == configuration.document()


def test_the_tables_of_metrics_are_current() -> None:
    """`make docs` was run after the last change of a declaration."""
    operations = text(Path("docs/operations.md"))
    assert operations == metrics.document(operations)


def test_every_setting_says_what_it_is() -> None:
    """No field of a settings class is without a description."""
    programs = ((name, configuration.settings_of(name)) for name in configuration.PROGRAMS)
    rows = configuration.variables(programs)
    assert [row.field.name for row in rows if not [*row.cells()][-1]] == []


def test_documents_name_only_settings_that_exist() -> None:
    """A renamed or removed variable leaves no trace in the documents."""
    named = {(str(path), name) for path in sources(".md") for name in VARIABLE.findall(text(path))}
    known = known_variables()
    assert {(path, name) for path, name in named if name not in known} == set()


def test_the_licence_is_the_one_that_the_distribution_names() -> None:
    """LICENSE holds Apache-2.0 in full."""
    licence = text(Path("LICENSE"))
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert 'license = "Apache-2.0"' in text(Path("pyproject.toml"))
