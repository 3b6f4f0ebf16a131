"""The gateway's own tables: sessions, connections, buffers, scratch. Allocated once.

A *session* is a FIX session: it outlives connections and restarts, through the journal. A
*connection* is one accepted TCP socket, bound to a session by its Logon.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from engine import schema
from engine.handle import Handle
from engine.limits import ECHO_SIZE_MAX, ECHO_TAGS_MAX
from gateway import large_pages, rule_tables

SESSIONS_MAX = 256
CONNECTIONS_MAX = 320  # sessions plus those that have not logged on yet
MESSAGE_SIZE_MAX = 16 << 10  # bytes of one FIX message
RX_SIZE = 64 << 10  # bytes read but not yet understood
TX_SIZE = 1 << 20  # bytes a slow reader may owe before it is disconnected
TAG_MAX = rule_tables.TAG_MAX  # larger tags are in `parts` only: for `fix_check` and `echo`
FIELDS_MAX = 4096  # of one message
LAST_WORDS_SIZE = 1 << 10  # behind what a slow reader owes: the Logout that says so
COMP_ID_SIZE_MAX = 48  # six words of schema.session_set
SENT_RING = 1 << 13  # last outbound messages of a session whose place is remembered
TEXT_SIZE = 512
REQUEST_ID_MAX = 64  # bytes of an OrdStatusReqID(790) or MassStatusReqID(584)
REQUEST_SIZE_MAX = REQUEST_ID_MAX + 8
SPARE_CHUNK = 4 << 20  # bytes of the next journal segment written at once
STREAMED_INSTRUMENTS = 1 << 16  # rows of the instrument table that can be subscribed to
CHANGES = 1 << 16  # last changes of our quotes that a subscriber may be behind
REQUESTS_MAX = 1 << 12  # subscriptions at one time; number 0 is for a single snapshot
REQUEST_BITS = 12  # of a word of `wanted`
REQUEST_ID_SIZE_MAX = 64  # bytes of an MDReqID(262)
MASS_QUOTE_MAX = 16  # entries of one MassQuote(i)


class SessionState(IntEnum):
    """Whether a session is logged on."""

    OFF = 0
    ON = 1
    LOGGING_OUT = 2  # our Logout is out, theirs is awaited


class SessionStatus(IntEnum):
    """What a person has made of a session."""

    NONE = 0
    ACTIVE = 1
    PAUSED = 2  # may not log on
    REMOVED = 3  # its row is kept for the journal's sake


class Version(IntEnum):
    """Of FIX, of a session."""

    FIX_4_2 = 0
    FIX_4_4 = 1
    FIX_5_0_SP2 = 2  # over FIXT.1.1


BEGIN_STRINGS = {
    Version.FIX_4_2: "FIX.4.2",
    Version.FIX_4_4: "FIX.4.4",
    Version.FIX_5_0_SP2: "FIXT.1.1",
}


VERSION_OF = {name: version for version, name in BEGIN_STRINGS.items()}


class OutTag(IntEnum):
    """Bits: optional fields of our reports; a session gets those that its dictionary knows."""

    PRICE_IMPROVEMENT = 1  # 639
    MATCH_TYPE = 2  # 574
    REGULATORY_SIDE = 4  # 2524
    ECHO = 8  # what the client said of an order comes back on its reports (gateway.echo)
    PARTY_QUALIFIER = 256  # 2376, in the parties that come back
    ORDER_ORIGINATION = 512  # 1724 comes back
    ORDER_ATTRIBUTES = 1024  # the group 2593 comes back
    QUOTE_ATTRIBUTES = 1 << 11  # the group 2706 of Quote(S)
    CANCEL_TEXT = 1 << 20  # 58 in QuoteCancel(Z), which no stock dictionary has there


class StreamKind(IntEnum):
    """How a subscriber is told of our public quotes."""

    NONE = 0
    QUOTE = 1  # Quote(S), QuoteCancel(Z)
    MASS_QUOTE = 2  # MassQuote(i), QuoteCancel(Z)
    MARKET_DATA = 3  # MarketDataSnapshotFullRefresh(W), MarketDataIncrementalRefresh(X)
    IOI = 4  # IOI(6) of each side


class Wake(IntEnum):
    """Why the compiled loop came back to Python."""

    NOTHING = 0
    LISTENER = 1
    SIGNAL = 2
    DESK = 3
    COLD_MESSAGE = 4  # a message the hot path leaves to Python
    CLOSED = 5  # the peer is gone
    SEGMENT = 6  # the journal needs a new segment
    TICK = 7  # a second has passed: Python's own duties
    OVERSIZE = 8
    CHECKED = 10  # passwords have been checked
    RECEIVED = 11  # within the loop only: bytes have come
    PIECE = 9  # nothing happened: Python may go on with what it does in pieces


def _dtype(*fields: str) -> np.dtype:
    return np.dtype([(name, "i8") for name in fields], align=True)


session = _dtype(
    "client",
    "state",
    "connection",  # row, or -1
    "next_in",  # MsgSeqNum(34) expected next
    "next_out",
    "heartbeat_ns",
    "last_recv_ns",
    "last_sent_ns",
    "test_sent_ns",  # when an unanswered TestRequest went out, else 0
    "status",  # the next six as in schema.session_set
    "version",
    "precision",
    "fill_style",
    "last_processed",
    "out_tags",
    "since_ns",  # when its numbers began at 1
    "latency_max_ns",  # how far SendingTime(52) may be off, 0: any
    "early",  # 1: messages are missing, Python looks at each one; 2: and has looked at this one
    "resend_part",  # last number of the part asked for again, 0: all was asked for
    "rules",  # slot of its data dictionary
    "strict",  # 1: what the dictionary does not have is rejected
    "rate_per_s",  # orders; 0: no throttle
    "burst",
    "tokens_e9",  # orders that may come now, in billionths
    "tokens_ns",  # when that was so
    "throttle_reject",  # BusinessRejectReason(380) of an order over the rate
    "begin_size",  # bytes of `49=..|56=..|` in `headers`
    "sender_size",  # bytes of their CompID and of ours, as they come in 49 and 56
    "target_size",
    "resend_to",  # highest number asked again for, 0: none outstanding
    "mass_from",  # desk item at which the next piece of a mass request begins, 0: none is open
    "mass_total",
)

connection = _dtype(
    "fd",  # -1: free
    "session",  # row, or -1 before the Logon
    "rx_start",
    "rx_end",
    "tx_start",
    "tx_end",
    "blocked",  # 1 while the socket takes no more
    "slow",  # 1: owed more than TX_SIZE; to be disconnected, what it missed is in the journal
    "opened_ns",
    "recv_ns",  # when its last bytes were read; orders keep it where the loop had to pause
    "closing",  # 1: we have said goodbye, 2: and ended our side; what still comes is forgotten
    "held",  # 1: bytes were left when Python was needed; others have their turn first
    "deaf",  # 1: while held, epoll does not say what it sends
    "turn_ns",  # when it may go on: what it asks of Python is bounded
)

#: What a session is told of our quotes, one row per session.
stream = _dtype(
    "requests",  # subscriptions it has, 0: none
    "static",  # the one from its settings, or 0
    "cursor",  # changes it has been taken past
    "round_at",  # next instrument of a walk over all of them, or -1
    "interval_ns",  # between two batches
    "next_ns",  # no message before
    "told",  # 1: something was said since the last batch ended
    "batched",  # instruments waiting in `batch` for their MassQuote
)

#: A subscription: a MarketDataRequest(V) or a session's setting.
stream_request = _dtype(
    "session",  # row, or -1: free
    "kind",  # StreamKind
    "sides",  # of MARKET_DATA: 1 bid, 2 offer
    "incremental",
    "id_size",  # bytes of its MDReqID(262) in `request_ids`
    "generation",  # what has been told in an earlier one is cancelled
)

loop = _dtype(
    "wake",
    "connection",
    "message_at",  # of a COLD_MESSAGE, in the connection's rx buffer
    "message_size",
    "cold_reason",  # SessionRejectReason(373) found by the hot path, or -1
    "cold_tag",
    "parts",  # fields of the message read last
    "generation",  # of the field table: one per message
    "next_tick_ns",
    "next_second_ns",
    "held",  # connections that are
    "held_at",  # the one looked at next
    "epoll_fd",
    "feed_fd",
    "journal_fd",
    "spare_fd",  # of the next segment
    "durable",  # 1: fdatasync before replies leave
    "wait_ms",  # 0: busy
    "messages",
    "garbled",
    "feed_datagrams",
    "feed_bad",
    "ready",  # events of the last epoll_wait
    "ready_next",
    "day",  # of the cached time text
    "stamp_ns",  # its time
    "echo_size",  # bytes in `echo` and `request`
    "request_size",
    "busy_ns",  # when Python goes on with what it does in pieces between inputs, 0: nothing
    "changes",  # of our quotes since the start
    "streams",  # sessions that have a subscription
    "stream_at",  # whose turn it is
    "stream_settled",  # value of `changes` at which nobody had more to be told
    "stream_wake_ns",  # when one that waits may go on
)


class Wire(Handle):
    """Everything the compiled loop owns besides the engine's tables and the journal."""

    sessions: Any
    headers: Any  # uint8[SESSIONS_MAX, 128]: `49=<us>|56=<them>|`
    begins: Any  # uint8[VERSIONS, 16]: `8=<BeginString>|9=`
    begin_sizes: Any  # int64[VERSIONS]
    their_ids: Any  # uint8[SESSIONS_MAX, COMP_ID_SIZE_MAX]: SenderCompID(49) of what comes in
    our_ids: Any  # the same of TargetCompID(56)
    connections: Any
    rx: Any
    tx: Any
    fields: Any  # int64[TAG_MAX, 3]: generation, start, size of a tag's value
    parts: Any  # int64[FIELDS_MAX, 3]: tag, start, size of each field of a message, in its order
    rule_slots: Any  # the data dictionaries of `rule_tables.allocate_rules`, by slot
    rule_tags: Any
    rule_types: Any
    rule_levels: Any
    rule_members: Any
    rule_required: Any
    rule_sets: Any
    rule_places: Any
    rule_seen: Any  # scratch of `fix_check`
    rule_frames: Any
    rule_stamp: Any
    rule_shapes: Any
    rule_day: Any
    event: Any  # order_event[1]
    quote_event: Any  # quote_event[1]
    venue_quote: Any  # venue_quote[1]
    datagram: Any  # uint8[2048]
    text: Any  # uint8[TEXT_SIZE], scratch for Text(58)
    scratch: Any  # uint8[2 * MESSAGE_SIZE_MAX], one outbound message: it may quote an inbound one
    date: Any  # uint8[32]: 24 bytes, the text of `loop.stamp_ns`
    poll: Any  # int32 words of epoll events
    watch: Any  # int32 words of one event to change
    timespec: Any
    sent: Any  # int64[SESSIONS_MAX, SENT_RING]: journal position by MsgSeqNum
    own_mic: Any  # uint8[4]
    echo: Any  # uint8[ECHO_SIZE_MAX + 8]: what the client said of the current order, `|tag=value`
    echo_tags: Any  # int64[SESSIONS_MAX, ECHO_TAGS_MAX]: a client's own tags that come back
    request: Any  # uint8[REQUEST_SIZE_MAX]: the id of the current status request, `|tag=value`
    zeros: Any  # uint8[SPARE_CHUNK]
    changes: Any  # int64[CHANGES]: instruments whose quote changed, a ring
    streams: Any
    streaming: Any  # int64[SESSIONS_MAX]: the sessions that have a subscription
    requests: Any  # stream_request[REQUESTS_MAX]
    request_ids: Any  # uint8[REQUESTS_MAX, REQUEST_ID_SIZE_MAX]
    wanted: Any  # int32[SESSIONS_MAX, instruments]: request, and its generation if it was told
    told: Any  # int64[SESSIONS_MAX, instruments]: QuoteID told last plus 1, 0: nothing yet
    batch: Any  # int64[MASS_QUOTE_MAX]
    loop: Any


def allocate(instruments: int = STREAMED_INSTRUMENTS, changes: int = CHANGES) -> Wire:
    """Empty tables with every connection free; `changes` is a power of two.

    `wanted` and `told` only take memory for sessions that subscribe.
    """
    assert changes & (changes - 1) == 0
    requests = np.zeros(REQUESTS_MAX, stream_request)
    requests["session"] = -1
    begins = np.zeros((len(Version), 16), np.uint8)
    begin_sizes = np.zeros(len(Version), np.int64)
    for version, name in BEGIN_STRINGS.items():
        text = f"8={name}\x019=".encode()
        begins[version, : len(text)] = np.frombuffer(text, np.uint8)
        begin_sizes[version] = len(text)
    connections = np.zeros(CONNECTIONS_MAX + 1, connection)  # the last: messages taken late
    connections["fd"] = -1
    connections["session"] = -1
    sessions = np.zeros(SESSIONS_MAX, session)
    sessions["connection"] = -1
    sessions["next_in"] = 1
    sessions["next_out"] = 1
    state = np.zeros(1, loop)
    state["day"] = -1
    state["stamp_ns"] = -1
    state["spare_fd"] = -1
    return Wire(
        sessions=sessions,
        headers=np.zeros((SESSIONS_MAX, 128), np.uint8),
        begins=begins,
        begin_sizes=begin_sizes,
        their_ids=np.zeros((SESSIONS_MAX, COMP_ID_SIZE_MAX), np.uint8),
        our_ids=np.zeros((SESSIONS_MAX, COMP_ID_SIZE_MAX), np.uint8),
        connections=connections,
        rx=large_pages.small(CONNECTIONS_MAX + 1, RX_SIZE),
        tx=large_pages.small(CONNECTIONS_MAX, TX_SIZE + LAST_WORDS_SIZE),
        fields=np.zeros((TAG_MAX, 3), np.int64),
        parts=np.zeros((FIELDS_MAX, 3), np.int64),
        **rule_tables.allocate_rules(),
        event=np.zeros(1, schema.order_event),
        quote_event=np.zeros(1, schema.quote_event),
        venue_quote=np.zeros(1, schema.venue_quote),
        datagram=np.zeros(2048, np.uint8),
        text=np.zeros(TEXT_SIZE, np.uint8),
        scratch=np.zeros(2 * MESSAGE_SIZE_MAX, np.uint8),
        date=np.zeros(32, np.uint8),
        poll=np.zeros(3 * CONNECTIONS_MAX, np.int32),
        watch=np.zeros(3, np.int32),
        timespec=np.zeros(2, np.int64),
        sent=np.zeros((SESSIONS_MAX, SENT_RING), np.int64),
        own_mic=np.zeros(4, np.uint8),
        echo=np.zeros(ECHO_SIZE_MAX + 8, np.uint8),
        echo_tags=np.zeros((SESSIONS_MAX, ECHO_TAGS_MAX), np.int64),
        request=np.zeros(REQUEST_SIZE_MAX, np.uint8),
        zeros=np.zeros(SPARE_CHUNK, np.uint8),
        changes=np.zeros(changes, np.int64),
        streams=np.zeros(SESSIONS_MAX, stream),
        streaming=np.zeros(SESSIONS_MAX, np.int64),
        requests=requests,
        request_ids=np.zeros((REQUESTS_MAX, REQUEST_ID_SIZE_MAX), np.uint8),
        wanted=np.zeros((SESSIONS_MAX, instruments), np.int32),
        told=np.zeros((SESSIONS_MAX, instruments), np.int64),
        batch=np.zeros(MASS_QUOTE_MAX, np.int64),
        loop=state,
    )
