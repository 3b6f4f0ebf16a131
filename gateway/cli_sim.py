"""`si sim`: the client's side of a FIX session, against any counterparty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from gateway.cli_common import AsJson, bar, friendly, out, say
from gateway.cli_sim_day import day
from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.sim_trial import Terms
    from gateway.sim_wire import Account

sim = typer.Typer(
    no_args_is_help=True,
    help="Be a FIX client: certify a counterparty, or trouble it; play a whole day.",
)
sim.command()(day)

Address = Annotated[
    str, typer.Argument(help="Where the counterparty listens.", metavar="HOST:PORT")
]
Sender = Annotated[str, typer.Option(help="Our SenderCompID(49).")]
Target = Annotated[str, typer.Option(help="Their CompID, TargetCompID(56) of what we send.")]
BeginString = Annotated[str, typer.Option(help="FIX.4.2, FIX.4.4 or FIXT.1.1 (with FIX 5.0 SP2).")]
Isin = Annotated[str, typer.Option(help="Instrument that orders are sent for.")]
Qty = Annotated[int, typer.Option(help="Quantity that is filled at once.", min=1)]
LisQty = Annotated[int, typer.Option(help="Quantity that goes to the desk; 0: none.", min=0)]
Username = Annotated[str, typer.Option(help="Username(553) of the Logon.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File whose first line is Password(554).", metavar="FILE")
]
Heartbeat = Annotated[int, typer.Option(help="HeartBtInt(108), seconds.", min=1, max=3600)]
NextOut = Annotated[
    int, typer.Option(help="Our next MsgSeqNum(34); without: every Logon resets.", min=0)
]
NextIn = Annotated[int, typer.Option(help="The number we expect next.", min=0)]


def account_of(
    address: str, sender: str, target: str, begin_string: str, username: str,
    password_file: Path | None, heartbeat: int,
) -> Account:  # fmt: skip
    """Where to log on and as whom. Raises UserError."""
    from gateway.sim_wire import BEGIN_STRINGS, Account

    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65_536):
        raise UserError(f"{address!r} is no HOST:PORT, for example 127.0.0.1:9878")
    if begin_string not in BEGIN_STRINGS:
        raise UserError(f"--begin-string {begin_string!r} is none of {', '.join(BEGIN_STRINGS)}")
    if password_file is not None and not username:
        raise UserError("--password-file needs --username")
    lines = password_file.read_text(encoding="utf-8").splitlines() if password_file else [""]
    if not lines:
        raise UserError(f"{password_file} is empty: its first line must be the password")
    return Account(
        host.strip("[]"), int(port), sender, target, begin_string, username, lines[0], heartbeat
    )


@sim.command()
def certify(
    address: Address = "",
    sender: Sender = "",
    target: Target = "SI",
    begin_string: BeginString = "FIX.4.4",
    isin: Isin = "",
    qty: Qty = 10,
    lis_qty: LisQty = 0,
    username: Username = "",
    password_file: PasswordFile = None,
    heartbeat: Heartbeat = 30,
    only: Annotated[str, typer.Option(help="Only these cases.", metavar="CASE,...")] = "",
    skip: Annotated[str, typer.Option(help="Not these cases.", metavar="CASE,...")] = "",
    next_out: NextOut = 0,
    next_in: NextIn = 0,
    wait: Annotated[float, typer.Option(help="Seconds that an answer may take.", min=0.1)] = 5.0,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Only list the cases.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the certification pack; exit code 1 where a case failed or none passed."""
    from gateway import sim_certify, sim_report, sim_trial
    from gateway.sim_line import Numbers

    with friendly():
        cases = sim_certify.chosen(only, skip)
        if show_list:
            _list([(case.id, case.title, case.citation, case.expected) for case in cases], as_json)
            return
        if not address or not sender:
            raise UserError("HOST:PORT and --sender are needed (or --list)")
        account = account_of(
            address, sender, target, begin_string, username, password_file, heartbeat
        )
        numbers = Numbers(next_out, next_in or 1) if next_out else None
        with bar("certifying") as progress:
            pack = sim_certify.run(
                account, sim_trial.Terms(isin, qty, lis_qty), cases, numbers=numbers, wait_s=wait,
                progress=progress,
            )  # fmt: skip
        if html is not None:
            html.write_text(sim_report.html(pack), encoding="utf-8")
            say.print(f"wrote {html}", markup=False)
        if as_json:
            print(json.dumps(sim_report.as_dict(pack)))
        else:
            out.print(sim_report.table(pack), soft_wrap=False)
            out.print(sim_report.summary(pack))
    if not pack.is_passed:
        raise typer.Exit(1)


def _list(rows: list[tuple[str, str, str, str]], as_json: bool) -> None:
    names = ("id", "title", "citation", "expected")
    if as_json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    made = Table(*("case", "title", "source", "what is due"))
    for row in rows:
        made.add_row(*row)
    out.print(made, soft_wrap=False)


@sim.command()
def client(
    address: Address,
    sender: Sender,
    target: Target = "SI",
    begin_string: BeginString = "FIX.4.4",
    script: Annotated[Path | None, typer.Option(help="Play these steps (TOML).")] = None,
    habit: Annotated[str, typer.Option(help="Behave like this; `all`: each in turn.")] = "",
    seconds: Annotated[float, typer.Option(help="How long.", min=0.1)] = 10.0,
    rate: Annotated[float, typer.Option(help="Acts a second.", min=0.01, max=100_000)] = 10.0,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 1,
    isin: Isin = "",
    qty: Qty = 10,
    lis_qty: LisQty = 0,
    username: Username = "",
    password_file: PasswordFile = None,
    heartbeat: Heartbeat = 30,
    next_out: NextOut = 0,
    next_in: NextIn = 0,
    wait: Annotated[float, typer.Option(help="Seconds that an answer may take.", min=0.1)] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Be a client: play a script, or behave by a habit for a while, and tell what came of it."""
    from gateway import sim_trial

    with friendly():
        account = account_of(
            address, sender, target, begin_string, username, password_file, heartbeat
        )
        terms = sim_trial.Terms(isin, qty, lis_qty)
        if (script is None) == (habit == ""):
            raise UserError("give either --script FILE or --habit NAME (`si sim habits`)")
        if script is not None:
            is_done = _play_script(account, terms, script, next_out, next_in, wait, as_json)
        else:
            _play_habits(account, terms, habit, seconds, rate, seed, (next_out, next_in), as_json)
            is_done = True
    if not is_done:
        raise typer.Exit(1)


def _play_script(
    account: Account, terms: Terms, script: Path, next_out: int, next_in: int, wait: float,
    as_json: bool,
) -> bool:  # fmt: skip
    from gateway import sim_report, sim_scripts
    from gateway.sim_line import Numbers

    steps = sim_scripts.load(script)
    numbers = Numbers(next_out, next_in or 1) if next_out else None
    played = sim_scripts.Player(account, terms, numbers, wait).play(steps)
    if as_json:
        document = {
            "done": played.is_done,
            "steps": [
                {"step": done.step, "done": done.is_done, "reason": done.reason}
                for done in played.steps
            ],
            "log": sim_report.as_lines(played.log),
        }
        print(json.dumps(document))
    else:
        out.print(sim_scripts.table(played), soft_wrap=False)
    return played.is_done


def _play_habits(
    account: Account, terms: Terms, habit: str, seconds: float, rate: float, seed: int,
    numbers: tuple[int, int], as_json: bool,
) -> None:  # fmt: skip
    from gateway import sim_play
    from gateway.sim_habits import HABITS, NEED_LIS_QTY

    if habit == "all":
        names = [name for name in HABITS if terms.lis_qty or name not in NEED_LIS_QTY]
    else:
        names = [habit]
    documents = []
    with bar("playing") as progress:
        for name in names:
            played = sim_play.play(
                account, terms, name, seconds=seconds / len(names), rate_per_s=rate, seed=seed,
                next_out=numbers[0], next_in=numbers[1] or 1, progress=progress,
            )  # fmt: skip
            documents.append(sim_play.figures(played, name))
            numbers = (played.next_out, played.next_in) if numbers[0] else numbers
    if as_json:
        print(json.dumps(documents if habit == "all" else documents[0]))
        return
    for document in documents:
        out.print(sim_play.table(document), soft_wrap=False)


@sim.command()
def habits(as_json: AsJson = False) -> None:
    """List the habits of simulated clients."""
    from gateway.sim_habits import HABITS

    words = {name: (habit.__doc__ or "").strip() for name, habit in HABITS.items()}
    if as_json:
        print(json.dumps(words))
        return
    made = Table("habit", "what it does")
    for name, text in words.items():
        made.add_row(name, text)
    out.print(made, soft_wrap=False)
