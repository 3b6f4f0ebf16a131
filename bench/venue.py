"""An engine process to measure: sample configuration, busy loop, one liquid instrument quoted."""

import csv
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import numpy as np

from engine import schema
from gateway import template
from gateway.config import CONFIG_FILE
from gateway.fix_message import Header, write
from refdata.sample import INSTRUMENTS_FILE, sample_prices

START_WAIT_S = 600  # the first start compiles
FAR = "1_000_000_000_000"  # a limit that is looked at and never reached
#: The policy that needs most, and every limit but that of repeated fills, which is what a load is.
ALL_ON = (
    (r'^policy = "ticks"', 'policy = "toxicity"'),
    (r"^policy_param = \[1\]", "policy_param = [1, 2, 100_000, 20]"),
    (r"^# (markout_weight|horizons_ms|vol_half_life_ms) = ", r"\1 = "),
    (r"^# (orders_per_second) = 0", r"\1 = 1_000_000"),
    (r"^# (credit_eur) = 0", rf"\1 = {FAR}"),
    (r"^(order_max_eur) = .*", rf"\1 = {FAR}"),
    (r"^(day_max_eur) = 0", rf"\1 = {FAR}"),
    (r"^(fills_max) = 0", r"\1 = 1_000_000_000"),
    (r"^# \[risk\]", "[risk]"),
    (r"^# (loss_max_eur|instrument_loss_max_eur|gross_max_eur|net_max_eur) = 0", rf"\1 = {FAR}"),
    (r"^# (undue_orders_per_second) = 0", r"\1 = 1_000_000_000"),
    (r"^# (undue_notional_eur_per_second) = 0", rf"\1 = {FAR}"),
)


class Venue:
    """Context manager: `si serve` on a fresh folder, on a core of its own."""

    ours, theirs = "SI", "CLIENT1"

    def __init__(self, folder: Path, *, cpu: int, idle: str = "busy") -> None:
        template.write(folder)
        path = folder / CONFIG_FILE
        text = path.read_text()
        for pattern, value in (
            (r"^port = \d+", "port = 0"),
            (r"^stale_ms = \d+", "stale_ms = 86_400_000"),
            (r'^idle = "yield"', f'idle = "{idle}"'),
            *ALL_ON,
        ):
            text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
            assert count, f"the sample configuration has no {pattern}"
        if cpu < (os.cpu_count() or 1):
            text = text.replace("# cpu = 1", f"cpu = {cpu}")
        path.write_text(text)
        self.folder = folder
        self.isin, self.mic, self.px_e6 = _liquid(folder / INSTRUMENTS_FILE)

    def __enter__(self) -> "Venue":
        self.log = (self.folder / "serve.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", str(self.folder)], stderr=self.log
        )
        self.pid = self.process.pid
        self.fix_port, self.feed_port = self._await_ports()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def _await_ports(self) -> tuple[int, int]:
        path = self.folder / "serve.log"
        deadline = time.monotonic() + START_WAIT_S
        while time.monotonic() < deadline:
            text = path.read_text()
            found = re.search(r"FIX \S+:(\d+), feed UDP \S+?:(\d+)", text.replace("\n", " "))
            if found and "ready" in text:
                return int(found[1]), int(found[2])
            if self.process.poll() is not None:
                raise OSError(f"the engine did not start:\n{text}")
            time.sleep(0.05)
        raise OSError(f"the engine is not ready after {START_WAIT_S} s:\n{path.read_text()}")

    def log_on(self) -> socket.socket:
        """A connected, logged-on session whose next number is 2, and a market to trade on."""
        self.quote()
        sock = socket.create_connection(("127.0.0.1", self.fix_port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields: list[tuple[int, object]] = [(98, 0), (108, 0), (141, "Y")]
        sock.sendall(
            write("A", Header("FIX.4.4", self.theirs, self.ours), 1, time.time_ns(), fields)
        )
        answer = sock.recv(4096)
        if b"\x0135=A\x01" not in answer:
            raise OSError(f"no Logon: {answer!r}")
        return sock

    def quote(self) -> None:
        """A two-sided market in the instrument, on its most relevant market."""
        row = np.zeros(1, schema.venue_quote)
        row["isin"], row["mic"] = schema.pack(self.isin, 2), schema.pack(self.mic)
        spread_e6 = self.px_e6 // 500 // 100_000 * 100_000 + 100_000
        row["bid_px_e6"], row["ask_px_e6"] = self.px_e6 - spread_e6, self.px_e6 + spread_e6
        row["bid_qty"] = row["ask_qty"] = 1000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feed:
            feed.sendto(row.tobytes(), ("127.0.0.1", self.feed_port))
        time.sleep(0.2)


def _liquid(path: Path) -> tuple[str, str, int]:
    """ISIN, MRM and price of a liquid EUR share of band 6 or the best there is."""
    prices = sample_prices(path)
    with path.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    share = max(
        (r for r in rows if r["liquid"] == "Y" and r["currency"] == "EUR" and r["si"] == "Y"
         and r["asset_class"] == "share" and prices[r["isin"]] > 50_000_000),
        key=lambda r: int(r["tick_band"]),
    )  # fmt: skip
    return share["isin"], share["mrm"], prices[share["isin"]] // 1_000_000 * 1_000_000
