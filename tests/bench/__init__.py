"""Tests of the benchmarks' own arithmetic; what they measure is in bench/results."""
