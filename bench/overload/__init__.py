"""Overload of the api: what is asked beyond its capacity must not cost what is within."""
