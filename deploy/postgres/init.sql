-- Run once by the PostgreSQL image, at the first start on an empty volume, as the superuser.
-- Run it again to take over changed passwords.

\set owner `cat /run/secrets/owner.password`
\set app `cat /run/secrets/app.password`
\set metrics `cat /run/secrets/metrics.password`
SET bellbuoy.owner_password = :'owner';
SET bellbuoy.app_password = :'app';
SET bellbuoy.metrics_password = :'metrics';
\i /etc/bellbuoy/roles.sql
