"""What a client said of an order comes back on its reports, byte for byte.

Account, parties, capacity and the like, and tags of the client's own (`echo_tags`), as far as the
session's `OutTag` bits let them. For an order that is answered at once they come from the message;
for one that goes to the desk they are kept with its item (`tables.echoes`), for every later report.
Replay reads them from the journalled message again, so they are the same bytes.
"""

import numpy as np

from engine.enums import ExecKind
from engine.jit import copy_bytes, inlined, load_word, njit, peek, store_word
from engine.limits import ECHO_SIZE_MAX, ECHO_TAGS_MAX
from gateway.fix_read import has, read_int
from gateway.wire import REQUEST_ID_MAX, TAG_MAX, OutTag, Version

SOH, EQUALS = 1, 61
GROUP_ENTRIES_MAX = 64
PARTIES, ATTRIBUTES = 453, 2593
ECHO = int(OutTag.ECHO)  # compiled code does not take an IntFlag
_PARTY_QUALIFIER = int(OutTag.PARTY_QUALIFIER)
_ORDER_ORIGINATION = int(OutTag.ORDER_ORIGINATION)
_ORDER_ATTRIBUTES = int(OutTag.ORDER_ATTRIBUTES)

#: Single fields that the stock ExecutionReport of each version has, in its order.
_TAGS = np.zeros((len(Version), 18), np.int64)
for _version, _tags in (
    (Version.FIX_4_2, (109, 1, 207, 110, 432, 126, 18, 47)),
    (Version.FIX_4_4, (526, 583, 1, 660, 581, 207, 847, 432, 126, 18, 528, 529, 582, 110)),
    (
        Version.FIX_5_0_SP2,
        (526, 583, 1, 660, 581, 207, 1094, 847, 432, 126, 18, 528, 529, 582, 2704, 110),
    ),
):
    _TAGS[_version, : len(_tags)] = _tags


def given_back(version: Version, bits: int) -> frozenset[int]:
    """Single fields that come back in a version without being asked for, by `OutTag` bits."""
    tags = frozenset(int(tag) for tag in _TAGS[version] if tag != 0)
    return tags | {1724} if bits & _ORDER_ORIGINATION else tags


@inlined
def collect(wire, buffer, generation, session_id, start, size):
    """Fill `wire.echo` from the order in `buffer[start:]`, whose fields are in the tables."""
    if wire.sessions[session_id]["out_tags"] & ECHO != 0:
        _collect(wire, buffer, generation, session_id, start, size)


@njit
def _collect(wire, buffer, generation, session_id, start, size):
    """Fields and whole groups in a fixed order, as many as ECHO_SIZE_MAX bytes hold."""
    session = wire.sessions[session_id]
    bits = session["out_tags"]
    fields = wire.fields
    out = wire.echo
    end = start + size - 7  # CheckSum(10) is the rest
    at = 0
    if session["version"] != Version.FIX_4_2 and has(fields, generation, PARTIES):
        qualified = bits & _PARTY_QUALIFIER != 0
        at = _put_group(out, at, buffer, fields, PARTIES, end, qualified)
    for i in range(_TAGS.shape[1]):
        tag = _TAGS[session["version"], i]
        if tag == 0:
            break
        if has(fields, generation, tag):
            at = _put_field(out, at, buffer, fields, tag)
    if bits & _ORDER_ATTRIBUTES != 0 and has(fields, generation, ATTRIBUTES):
        at = _put_group(out, at, buffer, fields, ATTRIBUTES, end, False)
    if bits & _ORDER_ORIGINATION != 0 and has(fields, generation, 1724):
        at = _put_field(out, at, buffer, fields, 1724)
    for i in range(ECHO_TAGS_MAX):
        tag = wire.echo_tags[session_id, i]
        if tag == 0:
            break
        if tag >= TAG_MAX:
            at = _put_large(out, at, buffer, wire.parts, wire.loop[0]["parts"], tag)
        elif has(fields, generation, tag):
            at = _put_field(out, at, buffer, fields, tag)
    wire.loop[0]["echo_size"] = at


@inlined
def _copy_field(out, at, buffer, begin, end):
    """The bytes `tag=value` behind a separator, if there is room for them."""
    if at + 1 + end - begin > ECHO_SIZE_MAX:
        return at
    out[at] = SOH
    copy_bytes(out, at + 1, buffer, begin, end - begin)
    return at + 1 + end - begin


@njit
def _put_field(out, at, buffer, fields, tag):
    """A field of the table."""
    return _put_value(out, at, buffer, tag, fields[tag, 1], fields[tag, 2])


@njit
def _put_value(out, at, buffer, tag, value, size):
    """A field whose value stands at `value`; its tag stands before it."""
    begin = value - 2
    left = tag // 10
    while left > 0:
        begin -= 1
        left //= 10
    return _copy_field(out, at, buffer, begin, value + size)


@njit
def _field_end(buffer, at, end):
    """Place of the separator at or behind `at`."""
    while at < end and peek(buffer, at) != SOH:
        at += 1
    return at


@njit
def _tag_at(buffer, at, end):
    """The tag that stands at `at`."""
    tag = 0
    while at < end and peek(buffer, at) != EQUALS:
        tag = tag * 10 + peek(buffer, at) - 48
        at += 1
    return tag


@njit
def _put_large(out, at, buffer, parts, count, wanted):
    """A field whose tag is too large for the table: the first of all that has it."""
    for i in range(count):
        if parts[i, 0] == wanted:
            return _put_value(out, at, buffer, wanted, parts[i, 1], parts[i, 2])
    return at


@inlined
def _is_member(count_tag, tag):
    """Whether a tag belongs to the parties (with their sub-ids) or to the order attributes."""
    if count_tag == ATTRIBUTES:
        return tag == 2594 or tag == 2595
    return tag in (448, 447, 452, 2376, 802, 523, 803)


@njit
def _put_group(out, at, buffer, fields, count_tag, end, qualified):
    """A group with its count, whole or not at all; fields that are none of it are passed over."""
    count, good = read_int(buffer, fields[count_tag, 1], fields[count_tag, 2])
    if not good or count < 1 or count > GROUP_ENTRIES_MAX:
        return at
    first = 448 if count_tag == PARTIES else 2594
    put = _put_field(out, at, buffer, fields, count_tag)
    if put == at:
        return at
    entries = 0
    begin = fields[count_tag, 1] + fields[count_tag, 2] + 1
    while begin < end:
        behind = _field_end(buffer, begin, end)
        tag = _tag_at(buffer, begin, behind)
        if _is_member(count_tag, tag):
            entries += 1 if tag == first else 0
            if tag != 2376 or qualified:
                more = _copy_field(out, put, buffer, begin, behind)
                if more == put:
                    return at
                put = more
        elif entries >= count:
            break
        begin = behind + 1
    return put if entries == count else at


@njit
def collect_request(wire, buffer, generation, tag):
    """Keep OrdStatusReqID(790) or MassStatusReqID(584) for the reports; False where too long."""
    fields = wire.fields
    if not has(fields, generation, tag):
        return True
    size = fields[tag, 2]
    if size > REQUEST_ID_MAX:
        return False
    wire.request[0] = SOH
    copy_bytes(wire.request, 1, buffer, fields[tag, 1] - 4, size + 4)
    wire.loop[0]["request_size"] = size + 5
    return True


@inlined
def choose(tables, wire, execution):
    """Before a report: what the current message said, or what is kept with the desk's item."""
    item_id = execution["desk_item"]
    if item_id > 0:
        kind = execution["kind"]
        _at_desk(tables, wire, item_id, kind == ExecKind.NEW or kind == ExecKind.REPLACED)


@njit
def _at_desk(tables, wire, item_id, said_now):
    row = tables.echoes[item_id - 1]
    loop = wire.loop[0]
    if said_now:
        store_word(row, 0, loop["echo_size"])
        copy_bytes(row, 8, wire.echo, 0, loop["echo_size"])
    else:
        loop["echo_size"] = load_word(row, 0)
        copy_bytes(wire.echo, 0, row, 8, loop["echo_size"])


@inlined
def forget(wire):
    """Behind the reports of one input."""
    wire.loop[0]["echo_size"] = 0
    wire.loop[0]["request_size"] = 0
