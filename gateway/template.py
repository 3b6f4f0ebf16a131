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
policy = "ticks"            # one of `si policy list`, or the path of your own policy.py
policy_param = [1]          # ticks: how many
stale_ms = 5000             # a venue's quote older than this does not count
collar_bps = 1000           # furthest a limit price may be from the reference price
quote_size_bps = 10000      # published size, of the minimum quote size
discretionary = "desk"      # above the obligation, below large in scale: desk, auto or reject
on_request = "auto"         # illiquid instruments below large in scale
jump_bps = 5000             # a venue's price that moves further at once is not believed; 0: any is
jump_hold_ms = 5000         # for so long; then it is the market
close_bps = 100             # furthest that our quote may be from the MRM's; 0: any distance
quote_interval_ms = 0       # shortest time between two versions of a quote
above_quoted_size = "quoted_price"  # of an order within the obligation: partial, desk or reject

# [[quoting.size]]          # one or two sizes besides the first, ascending (MiFIR Art 15(4))
# times = 1.5               # the first size's quantity, so many times; up to T
# worse_ticks = 1           # so many ticks further out than the first price

[policy]                    # engine/policies/README.md
approvals = 1               # 2: a rule changed by `si policy set` waits for a second person
# markout_weight = 0.05     # of one fill in a client's mean mark-out; 0: none are taken
# horizons_ms = [100, 1000, 10000, 60000]
# vol_half_life_ms = 60000

# [[policy.rule]]           # other parameters than policy_param; a later rule holds over an earlier
# pool = "retail"           # of the clients; left out: all
# tier = 1                  # of the clients; left out: all
# group = "etf"             # share, depositary_receipt, etf, certificate, other; left out: all
# param = [2]

[desk]
item_seconds = 300          # how long an order waits for a person

[rfq]
valid_ms = 5000             # how long a quote on request is firm; at most its ExpireTime(126)

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
# Every setting of a session, with its default. Keys are QuickFIX's, in snake case; `si session
# import FILE.cfg` makes them of a QuickFIX file. `si session` changes them while the engine runs:
# what was changed there is in sessions.json, which holds over this file.
#
# begin_string = "FIX.4.4"            # or FIX.4.2, or FIXT.1.1 (FIX 5.0 SP2)
# default_appl_ver_id = "9"           # with FIXT.1.1 only
# enabled = true                      # false: no Logon is taken
# reset_on_logon = false              # true: sequence numbers start at 1 with every logon
# reset_on_logout = false
# reset_on_disconnect = false
# validation = "tolerant"             # strict: what the dictionary does not have is rejected
# data_dictionary = "FIX44.xml"       # your own, in QuickFIX's format; without: the stock one
# app_data_dictionary = "FIX50SP2.xml"        # with FIXT.1.1, the two instead of one
# transport_data_dictionary = "FIXT11.xml"
# mifid_fields = false                # true: fills carry 574 and 2524, which FIX 4.4's stock
#                                     # dictionary lacks
# echo_tags = []                      # custom tags of an order, given back on its reports
# fill_style = "F"                    # ExecType(150) of fills: F, or "1/2" (FIX.4.2 always)
# timestamp_precision = 6             # digits of a second, 0, 3, 6 or 9 (FIX.4.2: 3)
# enable_last_msg_seq_num_processed = false   # 369 in every header
# send_next_expected_msg_seq_num = false      # 789 in Logons; not with FIX.4.2
# max_messages_in_resend_request = 0  # we ask in pieces of so many; 0: all at once
# resend_max_messages = 0             # sent again in a second; 0: the server's bound only
# check_latency = true                # SendingTime may be so many seconds off:
# max_latency = 120
# requires_orig_sending_time = true   # with PossDupFlag(43)=Y
# heart_bt_int_min = 0                # seconds that a Logon may ask for
# heart_bt_int_max = 3600
# logon_timeout = 10                  # seconds; of all sessions the longest counts
# logout_timeout = 2
# cancel_on_disconnect = false        # true: orders with the desk are cancelled
# orders_per_second = 0               # 0: no throttle
# burst = 0                           # orders at once; left out: as orders_per_second
# throttle_reject = 0                 # BusinessRejectReason(380); the client's dictionary must
#                                     # have the value, or its engine rejects our reject
# quotes = "none"                     # quote, mass_quote, market_data or ioi: sent unasked
# quote_instruments = ["*"]           # ISINs; * for all
# quote_interval_ms = 0               # 0: every change
# username = ""                       # 553 of the Logon; with the hash of 554, which
# password_hash = "$argon2id$..."     # `si session password DIR TARGET --print` makes
# allowed_remote_addresses = []       # such as "10.1.0.0/16"; none: from anywhere
# start_time = 07:00:00               # without times: non-stop. Each window is a new session:
# end_time = 19:00:00                 # numbers start at 1. An end not after the start is the
# time_zone = "UTC"                   # next day's
# end_time_zone = "America/New_York"  # where the end has another zone than the start
# weekdays = ["mon", "tue", "wed", "thu", "fri"]   # days that a session starts on; none: all
# start_day = "sun"                   # instead of weekdays: one session a week, from start_day
# end_day = "fri"                     # at start_time to end_day at end_time
# holidays = [2026-12-25]             # no session starts on these days
# non_stop_session = true             # the default without times

[[clients]]
name = "client1"
order_max_eur = 10_000_000  # largest order; 0 or absent: no limit
day_max_eur = 0             # cumulative fills of the day
fills_max = 0               # fills of the day (MiFIR Art 17(2))
# orders_per_second = 0     # orders, replacements and quote requests
# credit_eur = 0            # what it may owe, or be owed, for the fills of the day
tier = 0                    # 0 to 7: which policy rules and default limits hold
# pool = "retail"           # one of [[pools]]; left out: the first

[[clients]]
name = "client2"
order_max_eur = 1_000_000

# [risk]                        # limits of the firm, engine/RISK.md; 0 or absent: none
# approvals = 1                 # 2: what `si risk set` loosens waits for a second person
# loss_max_eur = 0              # a larger loss stops all trading until a person resumes it
# instrument_loss_max_eur = 0   # the same of one instrument
# gross_max_eur = 0             # sum of all positions, long or short
# net_max_eur = 0               # long less short
# repeat_max = 0                # fills of a client in one instrument and direction, 16 at most,
# repeat_window_ms = 1_000      # within this time
# undue_orders_per_second = 0           # all clients together (2017/567 Art 15): fills
# undue_notional_eur_per_second = 0     # and their value

# [[tiers]]                     # clients by published criteria: `si risk tiers DIR`
# tier = 0                      # 0 to 7; its limits hold for a client that has none of its own
# name = "professional"
# criteria = "Professional clients (MiFID II Annex II) with a clearing agreement."
# order_max_eur = 1_000_000     # and the other limits of a client

# [[pools]]                     # who has access to what, at most 8: `si risk pools DIR`
# name = "retail"               # without any: one pool, "main", with all clients
# criteria = "Clients who act for retail investors, on application."

[feed]
host = "127.0.0.1"
port = 9879                 # UDP, records of schema.venue_quote

[publication]               # `si publish`: our quotes for everybody (PUBLISH.md)
lei = "SAMPLELEI00000000035"    # of nobody: replace by yours
name = "Sample SI"          # the firm's, as readers see it
host = "127.0.0.1"
port = 9881                 # HTTP
folder = "published"
delayed_minutes = 15        # free delayed data (DR 2025/1156)

[engine]
idle = "yield"              # yield: sleeps while nothing happens; busy: keeps a core to itself
# cpu = 1                   # run on this core
durability = "process"      # process: survives kill -9; disk: on the disk before a reply leaves
orders_max = 2_097_152      # orders that one journal can hold
given_quotes_max = 65_536   # quotes on request that one journal can hold
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
