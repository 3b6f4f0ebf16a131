"""`si session`: FIX sessions of a running engine, by its desk socket."""

from __future__ import annotations

import difflib
import getpass
import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from gateway.cli_common import AsJson, friendly, out, say
from gateway.errors import UserError

session = typer.Typer(no_args_is_help=True, help="FIX sessions of a running engine.")

Directory = Annotated[Path, typer.Argument(help="Folder with si.toml.", metavar="DIR")]
Target = Annotated[str, typer.Argument(help="The client's CompID.", metavar="TARGET")]
Sender = Annotated[str, typer.Option(help="Our CompID, where the target has several.")]
By = Annotated[str, typer.Option(help="Who you are, for the engine's log.", envvar="USER")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting; repeatable. Empty: its default.", metavar="KEY=VALUE"),
]
File = Annotated[Path | None, typer.Option("--file", help="Settings of one session, a TOML file.")]
Number = Annotated[int, typer.Option(min=1)]


@session.command("list")
def list_(directory: Directory, as_json: AsJson = False) -> None:
    """State, numbers, times, owed bytes, schedule and address of every session."""
    with friendly():
        found = list(_views(directory))
        if as_json:
            print(json.dumps(found))
        else:
            out.print(_table(found), soft_wrap=False)


@session.command()
def show(
    directory: Directory, target: Target, sender: Sender = "", as_json: AsJson = False
) -> None:
    """Every setting of a session, from both files; needs no running engine."""
    from gateway import config as configuration
    from gateway import session_store
    from gateway.session_settings import shown

    with friendly():
        configured = configuration.load(directory).fix.sessions
        found = [
            shown(one)
            for one in session_store.read(directory, configured)
            if one.id.fits(target, sender)
        ]
        if len(found) != 1:
            raise UserError(f"{len(found)} sessions with target {target!r}: `si session list`")
        if as_json:
            print(json.dumps(found[0]))
            return
        for name, value in found[0].items():
            out.print(f"{name} = {json.dumps(value)}", markup=False)


@session.command()
def add(
    directory: Directory,
    target: Annotated[str, typer.Option(help="The client's CompID.")] = "",
    client: Annotated[str, typer.Option(help="The client of [[clients]] it belongs to.")] = "",
    sender: Sender = "",
    settings: Settings = None,
    file: File = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Make a session known; its client may log on at once."""
    with friendly():
        given = _given(settings, file)
        named = {"target_comp_id": target, "client": client, "sender_comp_id": sender}
        given |= {key: value for key, value in named.items() if value}
        for option, key in (("--target", "target_comp_id"), ("--client", "client")):
            if not given.get(key):
                raise UserError(f"{option}: give one, or {key} in --file")
        _tell(_send(directory, "add", "", "", by, settings=given), as_json)


@session.command()
def change(
    directory: Directory,
    target: Target,
    sender: Sender = "",
    settings: Settings = None,
    file: File = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Give a session other settings; the rest stays."""
    with friendly():
        given = _given(settings, file)
        if not given:
            raise UserError("nothing to change: give --set KEY=VALUE or --file")
        _tell(_send(directory, "change", sender, target, by, settings=given), as_json)


@session.command()
def pause(
    directory: Directory, target: Target, sender: Sender = "", by: By = "", as_json: AsJson = False
) -> None:
    """Log a session out and take no Logon, also after a restart, until it is resumed."""
    with friendly():
        _tell(_send(directory, "pause", sender, target, by), as_json)


@session.command()
def resume(
    directory: Directory, target: Target, sender: Sender = "", by: By = "", as_json: AsJson = False
) -> None:
    """Take Logons of a paused session again."""
    with friendly():
        _tell(_send(directory, "resume", sender, target, by), as_json)


@session.command()
def remove(
    directory: Directory, target: Target, sender: Sender = "", by: By = "", as_json: AsJson = False
) -> None:
    """Log a session out and forget its settings; its messages stay in the journal."""
    with friendly():
        _tell(_send(directory, "remove", sender, target, by), as_json)


@session.command()
def logout(
    directory: Directory,
    target: Target,
    sender: Sender = "",
    why: Annotated[str, typer.Option(help="For the client, in Text(58).")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Log a session out; the client may log on again at once."""
    with friendly():
        _tell(_send(directory, "logout", sender, target, by, why=why), as_json)


@session.command()
def reset(
    directory: Directory,
    target: Target,
    sender: Sender = "",
    next_in: Number = 1,
    next_out: Number = 1,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Set the sequence numbers: what the client's next message has, and ours."""
    with friendly():
        numbers = {"next_in": next_in, "next_out": next_out}
        _tell(_send(directory, "reset", sender, target, by, **numbers), as_json)


@session.command()
def password(
    directory: Directory,
    target: Target,
    sender: Sender = "",
    username: Annotated[
        str, typer.Option(help="Username(553); empty: the one it has.", show_default=False)
    ] = "",
    show: Annotated[
        bool, typer.Option("--print", help="Print the hash for si.toml, send nothing.")
    ] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Ask for a password twice; only its argon2 hash goes to the engine."""
    from gateway import credentials

    with friendly():
        first = getpass.getpass("password: ")
        problem = credentials.password_problem(first)
        if problem:
            raise UserError(problem)
        if getpass.getpass("again: ") != first:
            raise UserError("the two passwords differ: nothing was changed")
        given = {"password_hash": credentials.hash_password(first)}
        if username:
            given["username"] = username
        if show:
            print(json.dumps(given) if as_json else given["password_hash"])
            return
        _tell(_send(directory, "change", sender, target, by, settings=given), as_json)


@session.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A settings file of QuickFIX.", metavar="FILE.cfg")],
    client: Annotated[str, typer.Option(help="The client of every session in it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the sessions of a QuickFIX .cfg as [[fix.sessions]] for si.toml; notes beside it."""
    from gateway import quickfix_cfg

    with friendly():
        found = quickfix_cfg.read(file, client)
        if as_json:
            notes = [note._asdict() for note in found.notes]
            print(json.dumps(found._asdict() | {"notes": notes}))
            return
        print(found.toml, end="")
        for note in found.notes:
            say.print(f"line {note.line}: {note.key}={note.value}: {note.why}", markup=False)


# --- requests -----------------------------------------------------------------------------------


def _send(
    directory: Path, verb: str, sender: str, target: str, by: str, **more: Any
) -> dict[str, Any]:
    """Ask the engine. Raises UserError."""
    from gateway import control

    named = {"sender": sender, "target": target, "by": by}
    request = {"session": verb} | {key: value for key, value in named.items() if value} | more
    size = len(json.dumps(request).encode())
    if size > control.REQUEST_SIZE_MAX:
        raise UserError(
            f"the request has {size} bytes, the most are {control.REQUEST_SIZE_MAX}: "
            "change fewer settings at once, or write them into si.toml"
        )
    return control.ask(directory, request)


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer))
        return
    numbers = [f"next {w} {answer[f'next_{w}']}" for w in ("in", "out") if f"next_{w}" in answer]
    extra = [*numbers, *answer.get("settings", [])]
    more = f": {', '.join(extra)}" if extra else ""
    out.print(f"{answer['sender']}->{answer['target']} {answer['done']}{more}", markup=False)


def _views(directory: Path) -> Iterator[dict[str, Any]]:
    """Every session, a page after the other."""
    from gateway import control

    place: int | None = 0
    while place is not None:
        answer = control.ask(directory, {"session": "list", "from": place})
        yield from answer["sessions"]
        place = answer["next"]


def _given(settings: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Settings of a file, and above them those of the command line, as JSON values."""
    from gateway.session_settings import Session

    given = _of_file(file) if file is not None else {}
    for text in settings or []:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise UserError(f"--set {text!r}: write KEY=VALUE")
        if key not in Session.model_fields:
            near = difflib.get_close_matches(key, Session.model_fields, 3)
            hint = f": {' or '.join(near)}?" if near else ""
            raise UserError(f"--set {key}: no such setting{hint}")
        given[key] = _value(key, value.strip())
    return given


def _value(key: str, text: str) -> Any:
    """Text as the model reads it; a list with commas, or as TOML writes one."""
    if not text:
        return None
    if not _is_list(key):
        return text
    if text.startswith("["):
        try:
            values = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"--set {key}={text}: {error}") from error
        return [_plain(value) for value in values]
    return [part.strip() for part in text.split(",")]


def _is_list(key: str) -> bool:
    from gateway.session_settings import Session

    return get_origin(Session.model_fields[key].annotation) is list


def _of_file(path: Path) -> dict[str, Any]:
    """One session's settings: the keys at the top, or one `[[fix.sessions]]`."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from error
    if set(tree) == {"fix"} and isinstance(tree["fix"], dict):
        found = tree["fix"].get("sessions")
        if not isinstance(found, list) or len(found) != 1 or set(tree["fix"]) != {"sessions"}:
            raise UserError(f"{path}: one [[fix.sessions]] is needed, no more")
        tree = found[0]
    return {key: _plain(value) for key, value in tree.items()}


def _plain(value: Any) -> Any:
    """A value of TOML as one of JSON: times and dates as text."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


# --- the table ----------------------------------------------------------------------------------


def _table(views: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("session", overflow="fold", min_width=11)
    for name in ("state", "client"):
        table.add_column(name, no_wrap=True)
    for name in ("in", "out", "last in", "owed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("schedule", overflow="fold", min_width=8)
    for view in views:
        state = str(view.get("state", "unknown"))
        cells = [
            "\n".join(filter(None, (f"{view['sender']}->{view['target']}", view.get("address")))),
            state if view["enabled"] else "paused",
            str(view["client"]), _count(view, "next_in"), _count(view, "next_out"),
            _clock(view, "last_in_ns"), _count(view, "owed_bytes"),
            str(view["schedule"]),
        ]  # fmt: skip
        table.add_row(*map(escape, cells))
    return table


def _count(view: dict[str, Any], key: str) -> str:
    return f"{view[key]:,}" if key in view else ""


def _clock(view: dict[str, Any], key: str) -> str:
    """UTC: the time today, the day before that; nothing where it never was."""
    seconds = int(view.get(key, 0)) // 1_000_000_000
    moment = datetime.fromtimestamp(seconds, UTC)
    today = moment.date() == datetime.now(UTC).date()
    return (f"{moment:%H:%M:%S}" if today else f"{moment:%m-%d}") if seconds else ""
