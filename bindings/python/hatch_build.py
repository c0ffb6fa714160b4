"""Puts the shared library into the wheel, and names the platform that it is for."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = {"darwin": "libtolmach.dylib", "win32": "tolmach.dll"}.get(sys.platform, "libtolmach.so")


class SharedLibrary(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # It loads the library that the system has.
        library = find_library(Path(self.root)).resolve(strict=True)
        build_data["force_include"][str(library)] = f"tolmach/{NAME}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"


def find_library(package: Path) -> Path:
    """The one that TOLMACH_LIBRARY names, or of TOLMACH_PREFIX, or built by cargo."""
    if library := os.environ.get("TOLMACH_LIBRARY"):
        return Path(library)
    if prefix := os.environ.get("TOLMACH_PREFIX"):
        # Windows keeps what is loaded beside the programs.
        return Path(prefix, "bin" if sys.platform == "win32" else "lib", NAME)
    root = package.parents[1]
    if not (root / "Cargo.toml").is_file():
        raise FileNotFoundError(
            f"no shared library to put into the wheel: set TOLMACH_LIBRARY to a {NAME},"
            " or TOLMACH_PREFIX to where tolmach is installed, or build in a checkout of tolmach"
        )
    cargo = "cargo rustc --release --lib --crate-type cdylib --message-format json-render-diagnostics"
    built = subprocess.run(cargo.split(), cwd=root, stdout=subprocess.PIPE, check=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    files = [Path(file) for message in messages for file in message.get("filenames", [])]
    return next(file for file in files if file.name == NAME)


def platform_tag() -> str:
    tag = sysconfig.get_platform()
    if sys.platform == "darwin":
        # A Python for two processors; the library is for one.
        tag = tag.replace("universal2", platform.machine())
    return tag.replace("-", "_").replace(".", "_")
