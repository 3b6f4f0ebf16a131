"""What every file of the command line shares: where it writes, and how it ends on an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.errors import UserError
from refdata.rows import Refused

say = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@contextmanager
def friendly() -> Iterator[None]:
    """What a user, a file or another process can cause is a message, not a traceback."""
    try:
        yield
    except (UserError, Refused, OSError) as error:
        say.print(f"[bold red]error[/]: {escape(str(error))}", markup=True)
        raise typer.Exit(1) from error


@contextmanager
def bar(verb: str) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error; yields `show(name, done, count)`."""
    columns = (
        SpinnerColumn(), TextColumn(verb + " {task.description}"), BarColumn(),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=say, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda name, done, count: progress.update(
            task, description=name, completed=done, total=count, refresh=True
        )
