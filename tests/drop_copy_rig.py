"""A drop copy consumer without a socket, made from the standard alone."""

from pathlib import Path

from gateway.drop_copy_config import DropCopySession
from gateway.drop_copy_feed import Feed
from gateway.drop_copy_link import Link
from gateway.drop_copy_session import Session
from gateway.drop_copy_store import Store
from tests.fix_peer import Fields, Terms, parsed, stamp
from tests.fix_text import message
from tests.journal_rig import TS_NS, JournalRig

CONFIG = DropCopySession(sender_comp_id="SI", target_comp_id="COPY")


class Consumer:
    """The other side, without a socket: its own encoder, its own numbers, an own clock."""

    def __init__(self, folder: Path, config: DropCopySession = CONFIG) -> None:
        self.folder, self.config = folder, config
        self.now_ns = TS_NS
        self.next_out = 1
        self.next_in = 1
        self.start()

    def start(self) -> None:
        """A drop copy process begins, from what is on disk."""
        self.store = Store(self.folder)
        self.session = Session(self.config, self.store, self.now_ns)
        self.link: Link | None = None

    def kill(self) -> None:
        """It ends without a word, and another one begins."""
        self.store.close()
        self.start()

    def message(self, msg_type: str, fields: Terms = (), **header: object) -> bytes:
        """A message; `t49="X"` replaces a header field, None takes it away."""
        begin, ours, theirs = self.config.key
        head: dict[int, object] = {35: msg_type, 34: self.next_out, 49: theirs, 56: ours}
        head |= {52: stamp()} | {int(tag[1:]): value for tag, value in header.items()}
        begin = str(head.pop(8, begin))
        pairs = [*((t, v) for t, v in head.items() if v is not None), *fields]
        return message("".join(f"{tag}={value}|" for tag, value in pairs), begin)

    def send(self, msg_type: str, fields: Terms = (), **header: object) -> None:
        raw = self.message(msg_type, fields, **header)
        if "t34" not in header:
            self.next_out += 1
        self.raw(raw)

    def raw(self, data: bytes) -> None:
        assert self.link is not None
        self.link.receive(data, self.now_ns)

    def connect(self) -> Link:
        self.link = Link({self.config.key: self.session}, self.now_ns)
        return self.link

    def logon(self, *fields: tuple[int, object], **header: object) -> list[Fields]:
        """Connect and log on; what came in answer."""
        self.connect()
        terms: list[tuple[int, object]] = [(98, 0), (108, 30), *fields]
        if self.config.begin_string == "FIXT.1.1":
            terms.append((1137, 9))
        self.send("A", terms, **header)
        return self.take()

    def take(self) -> list[Fields]:
        """What the drop copy has sent, as messages."""
        assert self.link is not None
        data = bytes(self.link.output)
        found = []
        while data:
            end = data.index(b"\x0110=") + 8
            found.append(parsed(data[:end]))
            data = data[end:]
        self.link.taken(len(self.link.output))
        return found

    def wait(self, ns: int) -> list[Fields]:
        """Time passes; what came then."""
        self.now_ns += ns
        assert self.link is not None
        self.session.tick(self.now_ns)
        self.link.tick(self.now_ns)
        return self.take()

    def copy(self, feed: Feed, frames: int = 10**6) -> None:
        """Reports from the journal, as long as the session wants some."""
        for each in feed.take(frames) if self.session.wants_reports else ():
            self.session.copy(each, self.now_ns)

    def feed(self, journal: JournalRig) -> Feed:
        return Feed(journal.folder, self.config.clients, self.store.copied)


def types(messages: list[Fields]) -> str:
    return "".join(each[35] for each in messages)


def some(messages: list[Fields], *tags: int) -> list[tuple[str | None, ...]]:
    return [tuple(each.get(tag) for tag in tags) for each in messages]
