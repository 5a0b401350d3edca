"""Tests that read the repository: imports, layout, requirements, documents, the wheel."""
