"""Remove what `make run` keeps in its data directory: the database, the secrets, the logs.

    PYTHONPATH=services python tools/reset.py

Nothing else in that directory is touched, and nothing at all while a onebox runs on it.
"""

import os
import shutil
import sys
from pathlib import Path

from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import load
from onebox import initdb, lock, postmaster, secret
from onebox.datadir import DataDirectory
from onebox.settings import OneboxSettings


def reset(path: Path) -> str:
    """Empty the data directory `path` and return what was done, as a sentence.

    Raises:
        EnvironmentFault: A onebox runs on it.
    """
    held = path / "lock"
    if not held.exists():
        return f"Nothing to remove: {path} is not a data directory."
    with lock.hold(held):
        data = DataDirectory(path, was_abandoned=False)
        postmaster.evict(data.cluster)
        draft = initdb.draft_of(data.cluster)
        for folder in (data.cluster, draft, data.password("any").parent):
            if folder.exists():
                shutil.rmtree(folder)
        tokens = [
            each
            for token in (data.token, data.admin_token)
            for each in (token, secret.draft_of(token))
        ]
        # The lock comes last: whoever waits for it sees that it is not the file any more.
        for file in (*tokens, *path.glob(f"{data.log.name}*"), held):
            file.unlink(missing_ok=True)
    if any(path.iterdir()):
        return f"Removed the data in {path}; what else lies there stays."
    path.rmdir()
    return f"Removed {path}."


if __name__ == "__main__":
    try:
        print(reset(load(OneboxSettings, os.environ).data_dir))
    except BellbuoyError as error:
        sys.exit(str(error))
