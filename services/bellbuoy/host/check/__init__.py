"""The health check of the containers, a program of its own."""
