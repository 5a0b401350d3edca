"""Demo users: invented people to try the api with."""

from bellbuoy.database import DatabaseSettings, direct

_FIRST = (
    "Ada",
    "Alan",
    "Barbara",
    "Claude",
    "Edsger",
    "Frances",
    "Grace",
    "Ken",
    "Leslie",
    "Radia",
)
_LAST = ("Allen", "Dijkstra", "Hopper", "Lamport", "Liskov", "Lovelace", "Perlman", "Turing")

# Only who is missing is inserted: a conflict would use up an id each time.
_INSERT = """
WITH demo AS (
    SELECT n,
           $2::text[] AS firsts,
           $3::text[] AS lasts
    FROM generate_series(1, $1::integer) AS n
), person AS (
    SELECT n,
           firsts[1 + (n - 1) % cardinality(firsts)] AS first,
           lasts[1 + (n - 1) / cardinality(firsts) % cardinality(lasts)] AS last
    FROM demo
), account AS (
    SELECT n, first || ' ' || last AS name,
           lower(first || '.' || last) || '.' || n || '@example.com' AS email
    FROM person
)
INSERT INTO users (name, email)
SELECT name, email FROM account
WHERE NOT EXISTS (SELECT FROM users WHERE lower(users.email) = account.email)
ORDER BY n
ON CONFLICT DO NOTHING
"""


async def seed(settings: DatabaseSettings, users: int) -> int:
    """Have at least the first ``users`` demo users in the database; return how many are new.

    Raises:
        EnvironmentFault: PostgreSQL cannot be reached.
    """
    async with direct(settings, "bellbuoy-seed") as connection:
        status: str = await connection.execute(_INSERT, users, list(_FIRST), list(_LAST))
    return int(status.rpartition(" ")[2])
