"""The api: a greeting and a users service over HTTP, backed by PostgreSQL.

It is a program (``python -m api``), never imported by another one.
"""
