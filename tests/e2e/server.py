"""A JupyterLab of the tests' own: its port, its token, its configuration, and nothing of the user's.

Invariant: nothing is written outside the given folder, and the server is gone when the ``with`` ends.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOKEN = "tapescope-e2e"
PATIENCE = 90  # s until a server answers
DIRECTORIES = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}
QUIET = {
    "notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    """The process's environment with all of Jupyter's folders under ``home``."""
    folders = {name: home / folder for name, folder in DIRECTORIES.items()}
    settings = folders["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "apputils-extension"
    for folder in (*folders.values(), settings):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in QUIET.items():
        (settings / name).write_text(json.dumps(content), encoding="utf-8")
    return {**os.environ, **{name: str(folder) for name, folder in folders.items()}}


def command(root: Path, port: int) -> list[str]:
    """How the server is started."""
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={TOKEN}",
    ]  # fmt: skip


@contextmanager
def running(home: Path, root: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves ``root``."""
    port, log = free_port(), home / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command(root, port), env=environment(home), stdout=output, stderr=output)
    try:
        wait(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server answers; fail with its log where it does not."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start within {PATIENCE} s. Its log:\n{log.read_text()[-4000:]}")


def chromium() -> str | None:
    """The browser to drive, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def has_extension() -> bool:
    """Whether this environment's JupyterLab carries the extension."""
    return (Path(sys.prefix) / "share/jupyter/labextensions/tapescope/package.json").is_file()
