"""Bellbuoy's tests: they mirror services/ file by file, and read the repository itself."""
