"""`si init`: a ready configuration with sample reference data and a comment for every setting."""

from pathlib import Path

from gateway.config import CONFIG_FILE
from refdata.sample import FX_FILE, INSTRUMENTS_FILE, write_sample

TEMPLATE = """\
# Configuration of one Systematic Internaliser. `si serve DIR` checks it and says what it loaded.

[firm]
mic = "SINT"                # our own MIC, in LastMkt(30) of every fill; replace by yours
jurisdiction = "EU"         # EU or UK
regime = "auto"             # auto: by the order's date; or a name, e.g. "eu-2018", for back-testing

[refdata]
instruments = "{instruments}"
format = "si"               # si: our CSV, see refdata/README.md; xetra: Deutsche Boerse's list
fx = "{fx}"
# thresholds = "thresholds.csv"   # with format = "xetra": isin,sms_eur[,lis_eur]
venues = ["XETR", "XPAR", "XLON", "XSTO", "XSWX"]   # venues whose quotes count, besides the MRMs

[hours]                     # without `days`: always open, as in this sample
# open = 09:00:00
# close = 17:30:00
# timezone = "Europe/Berlin"
# days = ["mon", "tue", "wed", "thu", "fri"]
# file = "hours.csv"        # instead: every trading day, as `si refdata hours XETR` writes them

[quoting]
policy = "ticks"            # none, ticks, midpoint, or the path of your own policy.py
policy_param = [1]          # ticks: how many
stale_ms = 5000             # a venue's quote older than this does not count
collar_bps = 1000           # furthest a limit price may be from the reference price
quote_size_bps = 10000      # published size, of the minimum quote size
discretionary = "desk"      # above the obligation, below large in scale: desk, auto or reject
on_request = "auto"         # illiquid instruments below large in scale

[desk]
item_seconds = 300          # how long an order waits for a person

[fix]
host = "127.0.0.1"
port = 9878                 # 0: any free port, printed at start

[[fix.sessions]]
sender_comp_id = "SI"       # ours
target_comp_id = "CLIENT1"  # the client's SenderCompID(49)
client = "client1"

[[fix.sessions]]
sender_comp_id = "SI"
target_comp_id = "CLIENT2"
client = "client2"
# reset_on_logon = false    # true: sequence numbers start at 1 with every logon
# mifid_fields = false      # true: fills carry 574 and 2524, which FIX 4.4's stock dictionary lacks

[[clients]]
name = "client1"
order_max_eur = 10_000_000  # largest order; 0 or absent: no limit
day_max_eur = 0             # cumulative fills of the day
fills_max = 0               # fills of the day (MiFIR Art 17(2))

[[clients]]
name = "client2"
order_max_eur = 1_000_000

[feed]
host = "127.0.0.1"
port = 9879                 # UDP, records of schema.venue_quote

[engine]
idle = "yield"              # yield: sleeps while nothing happens; busy: keeps a core to itself
# cpu = 1                   # run on this core
durability = "process"      # process: survives kill -9; disk: on the disk before a reply leaves
orders_max = 2_097_152      # orders that one journal can hold
"""


def write(directory: Path) -> list[Path]:
    """Make the folder with its files; answers them. Raises FileExistsError."""
    path = directory / CONFIG_FILE
    if path.exists():
        raise FileExistsError(f"{path} is there already: nothing was changed")
    directory.mkdir(parents=True, exist_ok=True)
    write_sample(directory)
    path.write_text(TEMPLATE.format(instruments=INSTRUMENTS_FILE, fx=FX_FILE))
    return [path, directory / INSTRUMENTS_FILE, directory / FX_FILE]
