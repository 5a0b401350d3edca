"""The announcement: what a person needs to know once everything is ready."""

import shlex
from pathlib import Path

from onebox.datadir import DataDirectory
from onebox.readiness import reachable, url
from onebox.settings import OneboxSettings


def compose(settings: OneboxSettings, data: DataDirectory, here: Path) -> str:
    """Return the readiness block: addresses, commands to paste, and where the data lives.

    Args:
        settings: All ports are numbers by now.
        data: Where things lie.
        here: The current directory, so that paths in it are short.
    """
    host, admin_host = settings.host, settings.admin_host
    api = url(host, settings.api_port)
    where = data.path.relative_to(here) if data.path.is_relative_to(here) else data.path
    token = shlex.quote(str(where / data.token.name))
    return f"""
Bellbuoy is ready. Ctrl-C ends it.

  echo     {reachable(host)}:{settings.echo_port}
  api      {api}
  admin    {url(admin_host, settings.echo_admin_port)} (echo)
           {url(admin_host, settings.api_admin_port)} (api)
           a status page in a browser; /livez /readyz /metrics /tasks
  data     {data.path}

Try it:

  printf 'hello\\n' | nc -N {reachable(host)} {settings.echo_port}
  curl {api}/
  curl {api}/Ada
  curl {api}/health
  curl -H "Authorization: Bearer $(cat {token})" {api}/users/1
  curl {url(admin_host, settings.api_admin_port, "/metrics")}
"""
