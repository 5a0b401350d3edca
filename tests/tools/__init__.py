"""Tests of tools/: the scripts that the Makefile starts."""
