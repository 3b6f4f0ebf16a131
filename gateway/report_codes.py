"""What a report says in a code, by FIX version: only values of the stock dictionaries.

A value that a counterparty's dictionary lacks makes it reject the report, and that reject may be
answered in turn: such a loop is worse than a code that says less. All are constants of code that
`engine.jit` compiles.
"""

import numpy as np

from engine.enums import ExecKind, OrderState, Reason
from engine.reasons import WORDS
from gateway.wire import Version

REASONS_MAX = 128
assert max(Reason) < REASONS_MAX

#: OrdStatus(39) by OrderState.
ORD_STATUS = np.zeros(8, np.uint8)
for _state, _char in (
    (OrderState.NONE, "8"), (OrderState.NEW, "0"), (OrderState.PARTIALLY_FILLED, "1"),
    (OrderState.FILLED, "2"), (OrderState.CANCELLED, "4"), (OrderState.REJECTED, "8"),
    (OrderState.EXPIRED, "C"),
):  # fmt: skip
    ORD_STATUS[_state] = ord(_char)

#: ExecType(150) by ExecKind; 0 for a kind that is no ExecutionReport.
EXEC_TYPE = np.zeros(32, np.uint8)
for _kind, _char in (
    (ExecKind.NEW, "0"), (ExecKind.FILL, "F"), (ExecKind.CANCELLED, "4"), (ExecKind.REJECTED, "8"),
    (ExecKind.EXPIRED, "C"), (ExecKind.STATUS, "I"), (ExecKind.DESK_QUOTE, "I"),
    (ExecKind.REPLACED, "5"), (ExecKind.MASS_STATUS, "I"),
):  # fmt: skip
    EXEC_TYPE[_kind] = ord(_char)


def _known(*texts: str) -> np.ndarray:
    """Which one-byte codes a version's stock dictionary has: uint8[VERSIONS, 128]."""
    made = np.zeros((len(Version), 128), np.uint8)
    for version, text in zip(Version, texts, strict=True):
        made[version, np.frombuffer(text.encode(), np.uint8)] = 1
    return made


#: OrdType(40) and TimeInForce(59) that may be said back.
ORD_TYPES = _known("123456789ABCDEFGHIP", "12346789DEGIJKLMP", "123456789ABCDEFGHIJKLMPQRS")
TIMES_IN_FORCE = _known("0123456", "01234567", "0123456789ABC")

#: OrdRejReason(103) by prefix of the reason's words; what has no code here is the last one's.
_REJECTS = {
    Version.FIX_4_2: (("SI-INST", 1), ("SI-HOURS", 2), ("SI-LIMIT", 3), ("SI-SIZE", 3),
                      ("SI-DUP", 6), ("", 0)),
    Version.FIX_4_4: (("SI-NOQUOTE", 0), ("SI-INST", 1), ("SI-HOURS", 2), ("SI-LIMIT", 3),
                      ("SI-SIZE", 3), ("SI-DUP", 6), ("SI-TYPE", 11), ("SI-QTY", 13), ("", 99)),
    Version.FIX_5_0_SP2: (("SI-NOQUOTE", 0), ("SI-INST", 1), ("SI-HOURS", 2), ("SI-LIMIT", 3),
                          ("SI-SIZE", 3), ("SI-DUP", 6), ("SI-TYPE", 11), ("SI-QTY", 13),
                          ("SI-COLLAR", 16), ("SI-TICK", 18), ("", 99)),
}  # fmt: skip

ORD_REJ_REASON = np.zeros((len(Version), REASONS_MAX), np.int64)
for _version, _codes in _REJECTS.items():
    for _reason in Reason:
        _prefix = WORDS[_reason].prefix
        ORD_REJ_REASON[_version, _reason] = next(c for p, c in _codes if _prefix.startswith(p))
    ORD_REJ_REASON[_version, Reason.UNKNOWN_ORDER] = 5
    ORD_REJ_REASON[_version, Reason.NO_OPEN_ORDER] = 5

#: CxlRejReason(102): 2, the broker's own reason, where nothing else fits.
CXL_REJ_REASON = np.full((len(Version), REASONS_MAX), 2, np.int64)
CXL_REJ_REASON[:, Reason.UNKNOWN_ORDER] = 1
CXL_REJ_REASON[:, Reason.TOO_LATE] = 0
CXL_REJ_REASON[Version.FIX_4_4 :, Reason.DUPLICATE_CLORDID] = 6
CXL_REJ_REASON[Version.FIX_5_0_SP2, Reason.PX_COLLAR] = 8
CXL_REJ_REASON[Version.FIX_5_0_SP2, Reason.PX_OFF_TICK] = 18

#: MassCancelRejectReason(532).
MASS_REJ_REASON = np.full(REASONS_MAX, 99, np.int64)
MASS_REJ_REASON[Reason.MASS_SCOPE] = 0
MASS_REJ_REASON[Reason.MASS_PARTIES] = 0
MASS_REJ_REASON[Reason.UNKNOWN_INSTRUMENT] = 1
MASS_REJ_REASON[Reason.ID_SOURCE] = 1
