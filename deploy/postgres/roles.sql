-- Roles and database of Bellbuoy. Run by psql as a superuser, at every start: it is idempotent.
--
-- Passwords come from the session, so that this file holds none and no process list shows them:
--
--     SET bellbuoy.owner_password = '…';
--     SET bellbuoy.app_password = '…';
--     SET bellbuoy.metrics_password = '…';
--     \ir roles.sql

\set ON_ERROR_STOP on

-- Who may do what:
--   bellbuoy_owner    owns the database and runs migrations
--   bellbuoy_app      reads and writes rows, changes no schema
--   bellbuoy_metrics  reads statistics
DO $$
DECLARE
    part     text;
    name     text;
    password text;
BEGIN
    FOREACH part IN ARRAY ARRAY['owner', 'app', 'metrics'] LOOP
        name := 'bellbuoy_' || part;
        password := current_setting('bellbuoy.' || part || '_password');
        IF password = '' THEN
            RAISE EXCEPTION 'bellbuoy.%_password is empty', part;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS '
            'PASSWORD %L', name, password);
    END LOOP;
END
$$;

-- Here and not in the services, so that they hold behind a transaction pooler too. They nest:
-- statement 4 s < the service's command 5 s < its request 15 s.
ALTER ROLE bellbuoy_app SET statement_timeout = '4s';
ALTER ROLE bellbuoy_app SET lock_timeout = '1s';
ALTER ROLE bellbuoy_app SET idle_in_transaction_session_timeout = '5s';

GRANT pg_monitor TO bellbuoy_metrics;
ALTER ROLE bellbuoy_metrics SET statement_timeout = '4s';
ALTER ROLE bellbuoy_metrics SET default_transaction_read_only = on;
ALTER ROLE bellbuoy_metrics CONNECTION LIMIT 5;

SELECT 'CREATE DATABASE bellbuoy OWNER bellbuoy_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'bellbuoy')
\gexec
ALTER DATABASE bellbuoy OWNER TO bellbuoy_owner;
REVOKE ALL ON DATABASE bellbuoy FROM PUBLIC;
GRANT CONNECT ON DATABASE bellbuoy TO bellbuoy_app, bellbuoy_metrics;

\connect bellbuoy

-- The owner may create here because the schema belongs to pg_database_owner.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO bellbuoy_app, bellbuoy_metrics;

-- For what migrations will make; a migration may revoke from it again.
ALTER DEFAULT PRIVILEGES FOR ROLE bellbuoy_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO bellbuoy_app;
ALTER DEFAULT PRIVILEGES FOR ROLE bellbuoy_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO bellbuoy_app;
