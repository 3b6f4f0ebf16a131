"""A small FIX acceptor for the simulator's tests: it behaves well, or wrongly in one named way.

`changes` alter what it sends (a field, or the whole message); `faults` are ways to behave badly.
It is written from the standard alone and shares nothing with the engine.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from gateway.waiting import is_readable
from tests.fix_peer import SOH, framed, stamp

ISIN = "DEZZ00000056"
BID, ASK, TICK = Decimal("344.40"), Decimal("344.50"), Decimal("0.05")
DESK_QTY = 1000  # from here on an order rests
ADMIN = frozenset("0 1 2 4 5 A".split())
SUPPORTED = frozenset("D F G H q R AJ V".split())
KNOWN = frozenset([*ADMIN, *SUPPORTED, "3", "j", "B", "M"])

Pairs = list[tuple[int, str]]
_WHOLE = re.compile(rb"8=[^\x01]*\x019=(\d+)\x01")


class Change(NamedTuple):
    """Of messages of this type: the field becomes `value`, None takes it away, tag 0 is all."""

    msg_type: str
    tag: int = 0
    value: str | None = None
    only_with: str = ""  # only where this `tag=value` is in it


class Order(NamedTuple):
    """What is kept of an order."""

    order_id: str
    side: str
    qty: int
    filled: int
    status: str


class Peer:
    """The acceptor: one session over many connections."""

    def __init__(
        self, *, begin: str = "FIX.4.4", changes: Iterable[Change] = (), faults: Iterable[str] = ()
    ) -> None:
        self.begin = begin
        self.changes = tuple(changes)
        self.faults = frozenset(faults)
        self.next_in = self.next_out = 1
        self.sent: dict[int, tuple[str, Pairs, str]] = {}
        self.orders: dict[str, Order] = {}
        self.quotes: dict[str, Decimal] = {}
        self.ids = 0
        self.received: list[dict[int, str]] = []
        self.resend_asked = 0
        self.ended = False
        self.owner: socket.socket | None = None
        self.asked_to = 0
        self.interval_s = 0.0
        self.sent_s = 0.0
        self.garbled = 0
        self.connections = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []

    # --- threads ---

    def __enter__(self) -> "Peer":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ended:
            with contextlib.suppress(OSError, ValueError):
                if is_readable(self._listener, 0.02):
                    link = self._listener.accept()[0]
                    self.connections += 1
                    self._start(self._serve, link)

    def _serve(self, link: socket.socket) -> None:
        buffer = bytearray()
        with link, contextlib.suppress(OSError):
            while not self.ended and link.fileno() >= 0:
                if is_readable(link, 0.02):
                    data = link.recv(1 << 16)
                    if not data:
                        break
                    buffer += data
                with self._lock:
                    for fields in self._cut(buffer):
                        if link.fileno() >= 0:
                            self._on_message(link, fields)
                    self._keep_alive(link)
        with self._lock:
            if self.owner is link:
                self.owner = None

    def _keep_alive(self, link: socket.socket) -> None:
        if self.owner is link and 0 < self.interval_s < time.monotonic() - self.sent_s:
            self.send(link, "0", [])

    def _cut(self, buffer: bytearray) -> Iterator[dict[int, str]]:
        """Whole messages; garbled ones are dropped, unless the fault is to take them."""
        while True:
            start = buffer.find(b"8=FIX")
            if start < 0:
                return
            del buffer[:start]
            end = buffer.find(b"\x0110=")
            if end < 0 or len(buffer) < end + 8:
                return
            raw = bytes(buffer[: end + 8])
            del buffer[: end + 8]
            head = _WHOLE.match(raw)
            right = (
                head is not None
                and int(head[1]) == len(raw) - head.end() - 7
                and raw[-4:-1] == b"%03d" % (sum(raw[:-7]) % 256)
            )
            if not right:
                self.garbled += 1
                if "takes-garbled" not in self.faults:
                    continue
            text = raw.decode("latin-1").split(SOH)[:-1]
            fields: dict[int, str] = {}
            for tag, _, value in (field.partition("=") for field in text):
                fields.setdefault(int(tag), value)
            yield fields

    # --- sending ---

    def send(
        self, link: socket.socket, msg_type: str, pairs: Pairs, *, seq: int = 0, first: str = ""
    ) -> None:
        """With the next number; with `seq` again as that number, first sent at `first`."""
        number, at = seq or self.next_out, stamp()
        if not seq:
            self.next_out += 1
            self.sent[number] = (msg_type, pairs, at)
        head: Pairs = [(35, msg_type), (34, str(number)), (49, "SI"), (56, "CLIENT1"), (52, at)]
        if seq:
            head += [(43, "Y"), (122, first or at)]
        out = self._changed(msg_type, head + [(tag, value) for tag, value in pairs])
        if out is not None:
            body = "".join(f"{tag}={value}|" for tag, value in out)
            with contextlib.suppress(OSError):
                link.sendall(framed(body, self.begin))
            self.sent_s = time.monotonic()

    def _changed(self, msg_type: str, pairs: Pairs) -> Pairs | None:
        for change in self.changes:
            fits = not change.only_with or any(f"{t}={v}" == change.only_with for t, v in pairs)
            if change.msg_type != msg_type or not fits:
                continue
            if change.tag == 0:
                return None
            there = [tag for tag, _ in pairs]
            if change.value is None:
                pairs = [pair for pair in pairs if pair[0] != change.tag]
            elif change.tag in there:
                value = change.value
                pairs = [(t, value if t == change.tag else v) for t, v in pairs]
            else:
                pairs = [*pairs, (change.tag, change.value)]
        return pairs

    def leave(self, link: socket.socket, why: str) -> None:
        self.send(link, "5", [(58, why)] if "no-reason" not in self.faults else [(58, "no")])
        self.hang_up(link)

    def hang_up(self, link: socket.socket) -> None:
        if "stays" in self.faults:
            return
        if self.owner is link:
            self.owner = None
        link.close()

    def reject(self, link: socket.socket, fields: dict[int, str], reason: int, tag: int) -> None:
        pairs: Pairs = [(45, fields[34]), (372, fields[35]), (373, str(reason))]
        self.send(link, "3", [*pairs, *([(371, str(tag))] if tag else []), (58, "SI-REJECT")])

    # --- the session ---

    def _on_message(self, link: socket.socket, fields: dict[int, str]) -> None:
        self.received.append(fields)
        if self.owner is not link:
            self._on_logon(link, fields)
            return
        if fields[8] != self.begin:
            self.leave(link, "BeginString")
            return
        if fields[49] != "CLIENT1":
            self.reject(link, fields, 9, 49)
            self.leave(link, "CompID")
            return
        seq, msg_type = int(fields[34]), fields[35]
        if msg_type == "4" and fields.get(123) != "Y":
            self._on_reset(link, fields)
        elif seq > self.next_in:
            self._on_gap(link, fields, seq)
        elif seq < self.next_in:
            if fields.get(43) == "Y" and "answers-duplicates" in self.faults:
                self._in_sequence(link, fields)
            elif fields.get(43) != "Y" and "takes-low" not in self.faults:
                self.leave(link, f"MsgSeqNum too low, expecting {self.next_in} but received {seq}")
        else:
            self.next_in = seq + 1
            self._in_sequence(link, fields)

    def _on_logon(self, link: socket.socket, fields: dict[int, str]) -> None:
        refusal = ""
        if fields.get(35) != "A":
            link.close()
            return
        if self.owner is not None:
            refusal = "logged on already"
        elif fields.get(49) != "CLIENT1" or fields.get(56) != "SI":
            refusal = "unknown CompID"
        elif "no-resets" in self.faults and fields.get(141) == "Y":
            refusal = "ResetSeqNumFlag is not allowed"
        if refusal:
            link.sendall(framed(f"35=5|34=1|49=SI|56={fields.get(49)}|52={stamp()}|58={refusal}|"))
            link.close()
            return
        if fields.get(141) == "Y":
            self.next_in = self.next_out = 1
            self.sent.clear()
        seq = int(fields[34])
        self.asked_to = 0
        if seq < self.next_in and "takes-low-logon" not in self.faults:
            self.leave(link, f"MsgSeqNum too low, expecting {self.next_in} but received {seq}")
            return
        self.owner = link
        self.interval_s = float(fields[108])
        answer: Pairs = [(98, "0"), (108, fields[108])]
        answer += [(141, "Y")] if fields.get(141) == "Y" else []
        answer += [(1137, "9")] if self.begin == "FIXT.1.1" else []
        self.send(link, "A", answer)
        if seq > self.next_in:
            self._on_gap(link, fields, seq)
        else:
            self.next_in = max(self.next_in, seq + 1)

    def _on_gap(self, link: socket.socket, fields: dict[int, str], seq: int) -> None:
        if fields[35] == "2":
            self._resend(link, fields)
        if self.asked_to < self.next_in:
            self.asked_to = seq - 1
            self.send(link, "2", [(7, str(self.next_in)), (16, "0")])

    def _on_reset(self, link: socket.socket, fields: dict[int, str]) -> None:
        if int(fields[36]) < self.next_in:
            self.reject(link, fields, 5, 36)
        elif "ignores-resets" not in self.faults:
            self.next_in = int(fields[36])

    def _in_sequence(self, link: socket.socket, fields: dict[int, str]) -> None:
        msg_type, seq = fields[35], int(fields[34])
        empty = next((tag for tag, value in fields.items() if value == ""), 0)
        far = "checks-clock" in self.faults and not fields[52].startswith(stamp()[:8])
        if empty:
            self.reject(link, fields, 4, empty)
        elif far:
            self.reject(link, fields, 10, 52)
            self.leave(link, "SendingTime")
        elif msg_type not in KNOWN:
            self.reject(link, fields, 11, 35)
        elif msg_type == "4":
            if int(fields[36]) <= seq:
                self.reject(link, fields, 5, 36)
            elif "ignores-gap-fills" not in self.faults:
                self.next_in = int(fields[36])
        elif msg_type == "2":
            self._resend(link, fields)
        elif msg_type == "1":
            self.send(link, "0", [(112, fields[112])])
        elif msg_type == "5":
            self.send(link, "5", [])
            self.hang_up(link)
        elif msg_type in SUPPORTED and f"no-{msg_type}" not in self.faults:
            self._business(link, fields)
        elif msg_type not in ("0", "3", "j"):
            pairs = [(45, fields[34]), (372, msg_type), (380, "3"), (58, "not supported")]
            self.send(link, "j", pairs)

    def _resend(self, link: socket.socket, fields: dict[int, str]) -> None:
        self.resend_asked += 1
        newest = self.next_out - 1
        last = min(int(fields[16]) or newest, newest)
        gap_from = 0
        for seq in range(int(fields[7]), last + 1):
            msg_type, pairs, at = self.sent[seq]
            if msg_type in ADMIN and "resends-admin" not in self.faults:
                gap_from = gap_from or seq
                continue
            if gap_from:
                self.send(link, "4", [(123, "Y"), (36, str(seq))], seq=gap_from)
                gap_from = 0
            if "resends-otherwise" in self.faults:
                pairs = [*pairs, (58, "changed")]
            self.send(link, msg_type, pairs, seq=seq, first=at)
        if gap_from:
            self.send(link, "4", [(123, "Y"), (36, str(last + 1))], seq=gap_from)

    # --- orders ---

    def _business(self, link: socket.socket, fields: dict[int, str]) -> None:
        if fields[35] in "DGF" and 54 not in fields:
            self.reject(link, fields, 1, 54)
        elif 38 in fields and not fields[38].isdigit():
            self.reject(link, fields, 6, 38)
        else:
            name = {
                "D": self._order, "F": self._cancel, "G": self._replace, "H": self._status,
                "q": self._mass_cancel, "R": self._quote, "AJ": self._take, "V": self._data,
            }[fields[35]]  # fmt: skip
            name(link, fields)

    def _order(self, link: socket.socket, fields: dict[int, str]) -> None:
        clordid, qty, side = fields[11], int(fields[38]), fields[54]
        px = ASK if side == "1" else BID
        limit = Decimal(fields[44]) if 44 in fields else px
        if clordid in self.orders and "takes-duplicates" not in self.faults:
            self._refuse(link, fields, 6)
        elif fields[55] != ISIN:
            self._refuse(link, fields, 1)
        elif limit % TICK and "any-tick" not in self.faults:
            self._refuse(link, fields, 18)
        elif (px > limit if side == "1" else px < limit) and "rests-nothing" not in self.faults:
            self._keep(clordid, side, qty, 0, "4")
            self._report(link, clordid, "4", [])
        elif qty >= DESK_QTY:
            self._keep(clordid, side, qty, 0, "0")
            self._report(link, clordid, "0", [])
        else:
            px = self.quotes.get(fields.get(117, ""), px)
            if "fills-worse" in self.faults and 44 in fields:
                px += 50 if side == "1" else -50
            self._fill(link, clordid, side, qty, px)

    def _fill(self, link: socket.socket, clordid: str, side: str, qty: int, px: Decimal) -> None:
        self._keep(clordid, side, qty, qty, "2")
        last = [(32, str(qty)), (31, str(px)), (29, "4"), (30, "SINT")]
        self._report(link, clordid, "2" if self.begin == "FIX.4.2" else "F", last, px)

    def _keep(self, clordid: str, side: str, qty: int, filled: int, status: str) -> None:
        self.ids += 1
        self.orders[clordid] = Order(str(self.ids), side, qty, filled, status)

    def _refuse(self, link: socket.socket, fields: dict[int, str], reason: int) -> None:
        kept = self.orders.get(fields[11])
        self._keep(fields[11], fields[54], int(fields[38]), 0, "8")
        self._report(link, fields[11], "8", [(103, str(reason)), (58, "refused")])
        if kept is not None:
            self.orders[fields[11]] = kept

    def _report(
        self, link: socket.socket, clordid: str, exec_type: str, more: Pairs,
        average: Decimal = Decimal(0),
    ) -> None:  # fmt: skip
        order = self.orders[clordid]
        self.ids += 1
        leaves = order.qty - order.filled if order.status == "0" else 0
        exec_id = "1" if "same-exec-id" in self.faults else f"E{self.ids}"
        is_42 = self.begin == "FIX.4.2"
        asked = exec_type == "I"
        pairs: Pairs = [(37, order.order_id), (17, exec_id), (11, clordid)]
        pairs += [(20, "3" if asked else "0")] if is_42 else []
        pairs += [(150, order.status if asked and is_42 else exec_type), (39, order.status)]
        pairs += [(55, ISIN), (54, order.side), (38, str(order.qty)), (151, str(leaves))]
        pairs += [(14, str(order.filled)), (6, str(average)), (60, stamp())]
        replaced = {tag for tag, _ in more}
        self.send(link, "8", [pair for pair in pairs if pair[0] not in replaced] + more)

    def _cancel(self, link: socket.socket, fields: dict[int, str]) -> None:
        order = self.orders.get(fields[41])
        if order is None or order.status != "0":
            status = order.status if order else "8"
            pairs = [(37, "1"), (11, fields[11]), (41, fields[41]), (39, status), (434, "1")]
            self.send(link, "9", [*pairs, (102, "0"), (58, "too late")])
            return
        self.orders[fields[41]] = order._replace(status="4")
        self._report(link, fields[41], "4", [(11, fields[11]), (41, fields[41])])

    def _replace(self, link: socket.socket, fields: dict[int, str]) -> None:
        order = self.orders[fields[41]]._replace(qty=int(fields[38]))
        self.orders[fields[11]] = order
        self._report(link, fields[11], "5", [(41, fields[41])])

    def _status(self, link: socket.socket, fields: dict[int, str]) -> None:
        self._report(link, fields[11], "I", [])

    def _mass_cancel(self, link: socket.socket, fields: dict[int, str]) -> None:
        if "refuses" in self.faults:
            self.send(link, "r", [(11, fields[11]), (37, "M1"), (531, "0"), (532, "0")])
            return
        for clordid, order in self.orders.items():
            if order.status == "0" and "cancels-nothing" not in self.faults:
                self.orders[clordid] = order._replace(status="4")
                self._report(link, clordid, "4", [])
        self.send(link, "r", [(11, fields[11]), (37, "M1"), (530, fields[530]), (531, "7")])

    # --- quotes ---

    def _quote(self, link: socket.socket, fields: dict[int, str]) -> None:
        if "refuses" in self.faults:
            self.send(link, "AG", [(131, fields[131]), (658, "6"), (58, "not for you")])
            return
        self.quotes["Q1"] = ASK
        pairs = [(131, fields[131]), (117, "Q1"), (55, ISIN), (132, str(BID)), (133, str(ASK))]
        self.send(link, "S", pairs + ([] if self.begin == "FIX.4.2" else [(537, "1")]))

    def _take(self, link: socket.socket, fields: dict[int, str]) -> None:
        self._fill(link, fields[11], fields[54], int(fields[38]), self.quotes[fields[117]])

    def _data(self, link: socket.socket, fields: dict[int, str]) -> None:
        if "refuses" in self.faults:
            self.send(link, "Y", [(262, fields[262]), (281, "4"), (58, "not for you")])
        elif fields[263] == "1":
            pairs = [(117, "Q9"), (55, ISIN), (132, str(BID)), (133, str(ASK))]
            self.send(link, "S", pairs + ([] if self.begin == "FIX.4.2" else [(537, "1")]))
