"""The api measured beside a bare aiohttp application, FastAPI, the naive pool, Go and Node."""
