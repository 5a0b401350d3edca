"""The ``bellbuoy`` command: one module for each of its words.

A module is named like its word, has ``add(commands)``, which declares the word's arguments, and
``run(arguments)``, which does it and returns the exit status; ``arguments.environ`` is the
environment. It imports what only it needs when
it runs.
"""
