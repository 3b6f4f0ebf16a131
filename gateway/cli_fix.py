"""`si fix`: FIX messages for people, from a file or from the journal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli_common import AsJson, friendly, out, say
from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.fix_view import Names, Shown

fix = typer.Typer(no_args_is_help=True, help="Look at FIX messages: names, meanings, searching.")

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]
Own = Annotated[
    Path | None,
    typer.Option("--dictionary", help="A data dictionary of your own, in QuickFIX's format."),
]
Session = Annotated[str, typer.Option(help="Only with this counterparty (CompID).")]
POLL_S = 0.1


@fix.command()
def view(
    file: Annotated[Path, typer.Argument(help="A file, or - for standard input.")],
    dictionary: Own = None,
    short: Annotated[bool, typer.Option(help="One line for each message.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the FIX messages of a file: fields separated by SOH, `|` or `^A`."""
    from gateway import fix_view_source as source

    with friendly():
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        found = source.messages(data)
        if not _show(found, _names(dictionary), short=short, as_json=as_json):
            raise UserError(f"{file}: no FIX message: one begins with 8=FIX.x.y and 9=")


@fix.command()
def tail(
    directory: Directory,
    session: Session = "",
    types: Annotated[str, typer.Option("--type", help="MsgTypes, like D,8.")] = "",
    follow: Annotated[bool, typer.Option(help="Go on with what comes, until Ctrl-C.")] = True,
    count: Annotated[int, typer.Option("-n", help="Messages before that.", min=1)] = 20,
    dictionary: Own = None,
    as_json: AsJson = False,
) -> None:
    """Show the journal's latest messages, one line each (one JSON document each with --json)."""
    from gateway import fix_view, journal_schema
    from gateway import fix_view_source as source

    with friendly():
        journal = source.journal_of(directory)
        journal_schema.check(journal)
        names = _names(dictionary)
        query = source.Query(session=session, types=tuple(types.split(",")) if types else ())

        def show(each: Shown) -> None:
            known = names(_begin(each))
            if as_json:
                print(json.dumps(fix_view.as_dict(each, known)), flush=True)
            else:
                out.print(fix_view.line(each, known), markup=False)

        found, reader = source.latest(journal, count, lambda each: source.matches(each, query))
        for each in found:
            show(each)
        try:
            while follow:
                for each in source.read(reader):
                    if source.matches(each, query):
                        show(each)
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return


@fix.command()
def find(
    directory: Directory,
    clordid: Annotated[str, typer.Option(help="ClOrdID(11) or OrigClOrdID(41).")] = "",
    order: Annotated[str, typer.Option(help="OrderID(37): every message of that order.")] = "",
    session: Session = "",
    isin: Annotated[str, typer.Option(help="SecurityID(48) or Symbol(55).")] = "",
    since: Annotated[str, typer.Option("--from", help="UTC: 10:15 or 2025-12-01T10:15.")] = "",
    until: Annotated[str, typer.Option("--to", help="The same; included.")] = "",
    text: Annotated[str, typer.Option(help="Words that Text(58) has, all of them.")] = "",
    types: Annotated[str, typer.Option("--type", help="MsgTypes, like D,8.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(help="Like 44=17.35; repeatable, all must hold.")
    ] = None,
    dictionary: Own = None,
    short: Annotated[bool, typer.Option(help="One line for each message.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find messages in the journal and show them whole."""
    from gateway import fix_view_source as source
    from gateway import journal_schema

    with friendly():
        journal = source.journal_of(directory)
        journal_schema.check(journal)
        query = source.Query(
            clordid, order, session, isin,
            source.moment(since) if since else None,
            source.moment(until) if until else None,
            text, tuple(types.split(",")) if types else (),
            tuple(_tag_and_value(each) for each in tag or ()),
        )  # fmt: skip
        found = source.find(lambda: source.everything(journal), query)
        if not _show(found, _names(dictionary), short=short, as_json=as_json):
            say.print(f"no message in {journal} has all of that", markup=False)
            raise typer.Exit(1)


def _tag_and_value(text: str) -> tuple[int, str]:
    tag, equals, value = text.partition("=")
    if not (equals and tag.isascii() and tag.isdigit()):
        raise UserError(f"--tag {text!r} is no tag=value: write 44=17.35")
    return int(tag[:9]), value


def _names(own: Path | None) -> Callable[[str], Names]:
    from gateway import fix_view

    return fix_view.names_with(own) if own is not None else fix_view.names_of


def _begin(message: Shown) -> str:
    from gateway.fix_pairs import first_values

    return first_values(message.pieces).get(8, "")


def _show(
    found: Iterable[Shown], names: Callable[[str], Names], *, short: bool, as_json: bool
) -> int:
    """Print messages; answers how many there were."""
    from gateway import fix_view

    count, documents = 0, []
    for count, each in enumerate(found, 1):
        known = names(_begin(each))
        if as_json:
            documents.append(fix_view.as_dict(each, known))
        elif short:
            out.print(fix_view.line(each, known), markup=False)
        else:
            if count > 1:
                out.print()
            out.print(fix_view.table(each, known))
    if as_json:
        print(json.dumps(documents))
    return count
