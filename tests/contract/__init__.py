"""What schemathesis is told about the api: its settings and its hooks."""
