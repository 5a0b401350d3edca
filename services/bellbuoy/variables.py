"""Variables: the names of all that any program reads from the environment.

Law of this file: it lists what the settings classes of all programs declare, no more and no less;
a test of the repository compares them. The chassis cannot import the programs, and a program that
knew only its own variables would either stay silent about a misspelt one or call its neighbour's
a mistake.
"""

VARIABLES = frozenset(
    {
        "BUOY_ACCESS_LOG_SAMPLE",
        "BUOY_ADMIN_HOST",
        "BUOY_ADMIN_NAMES",
        "BUOY_ADMIN_TOKEN_FILE",
        "BUOY_API_ADDRESS_RATE",
        "BUOY_API_ADMIN_PORT",
        "BUOY_API_GREETING_RATE",
        "BUOY_API_PORT",
        "BUOY_API_TOKENS_FILE",
        "BUOY_API_TOKEN_RATE",
        "BUOY_BACKLOG",
        "BUOY_CONCURRENCY_LIMIT",
        "BUOY_CONCURRENCY_MODE",
        "BUOY_CONCURRENCY_WAITING",
        "BUOY_DATA_DIR",
        "BUOY_DB_CA_FILE",
        "BUOY_DB_HOST",
        "BUOY_DB_NAME",
        "BUOY_DB_PASSWORD_FILE",
        "BUOY_DB_POOLER",
        "BUOY_DB_POOL_SIZE",
        "BUOY_DB_PORT",
        "BUOY_DB_SSLMODE",
        "BUOY_DB_USER",
        "BUOY_DRAIN_DELAY_SECONDS",
        "BUOY_DRAIN_TIMEOUT_SECONDS",
        "BUOY_ECHO_ADMIN_PORT",
        "BUOY_ECHO_HALF_CLOSE_TIMEOUT_SECONDS",
        "BUOY_ECHO_IDLE_TIMEOUT_SECONDS",
        "BUOY_ECHO_MAX_AGE_SECONDS",
        "BUOY_ECHO_PORT",
        "BUOY_ECHO_PROXY_NETWORKS",
        "BUOY_ECHO_TLS_CERTIFICATE_FILE",
        "BUOY_ECHO_TLS_CLIENT_CA_FILE",
        "BUOY_ECHO_TLS_KEY_FILE",
        "BUOY_ECHO_WRITE_BUDGET_BYTES",
        "BUOY_ECHO_WRITE_BUFFER_BYTES",
        "BUOY_ECHO_WRITE_TIMEOUT_SECONDS",
        "BUOY_HOST",
        "BUOY_LOG_LEVEL",
        "BUOY_LOOP",
        "BUOY_LOOP_BLOCKED_SECONDS",
        "BUOY_MAX_CONNECTIONS",
        "BUOY_MAX_CONNECTIONS_PER_PEER",
        "BUOY_POSTGRES_BIN",
        "BUOY_TRUSTED_PROXIES",
        "BUOY_REVISION",
        "BUOY_WATCHDOG_SECONDS",
        "BUOY_WORKERS",
    }
)
