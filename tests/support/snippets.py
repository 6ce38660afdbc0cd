"""The fenced blocks of the documentation, and the commands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "helm" / "README.md")

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = "$ "


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        page: of the documentation, from the project's folder.
        line: on which its content begins.
        language: what stands behind the fence; empty where nothing does.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Where it stands, for the report of a test."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed behind the prompts, without what is printed; continued lines are one command."""
        joined = self.text.replace("\\\n", "\\\0")
        lines = [line for line in joined.splitlines() if line.startswith(_PROMPT)]
        return [line.removeprefix(_PROMPT).replace("\0", "\n") for line in lines]


def blocks() -> list[Block]:
    """Every block of every page."""
    return [
        Block(
            page=str(path.relative_to(ROOT)),
            line=path.read_text()[: found.start(2)].count("\n") + 1,
            language=found[1],
            text=found[2],
        )
        for path in PAGES
        for found in _FENCE.finditer(path.read_text())
    ]


def program_of(command: str) -> str:
    """Return the program that a command begins with, its first argument where that is a subcommand."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"^[A-Z_][A-Z0-9_]*=", words[0]):
        words = words[1:]
    named = (
        words[:2] if words and words[0] in {"make", "docker", "helm", "kubectl", "iton-worker"} else words[:1]
    )
    return " ".join(named)
