"""Tests of whole programs: real processes, sockets and signals."""
