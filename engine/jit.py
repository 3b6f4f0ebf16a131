"""The only `njit` of the project, and the few machine instructions numba does not offer.

numba's disk cache does not notice an edit in *another* module, so the cache folder is named by a
hash of all sources and of the compiler's versions. Reference counting is off (`_nrt=False`):
compiled code then cannot allocate at all, which is the point.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from engine import lean

lean.install()

SOURCES = Path(__file__).resolve().parent.parent
PACKAGES = ("engine", "gateway", "refdata", "bench")
JIT = not numba.config.DISABLE_JIT
#: A constant for arithmetic on uint64; interpreted, plain integers that the code masks itself.
unsigned: Any = np.uint64 if JIT else int


def source_hash() -> str:
    """Hex digest over the compiler's versions and every source that compiled code is made of.

    That is all of `engine` and whatever else speaks of `engine.jit` or `engine.handle`, which a
    module of mere constants does in its docstring.
    """
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for package in PACKAGES:
        for path in sorted((SOURCES / package).rglob("*.py")):
            text = path.read_bytes()
            if package == "engine" or b"engine.jit" in text or b"engine.handle" in text:
                digest.update(path.name.encode())
                digest.update(text)
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Where compiled code is kept between runs (`SI_CACHE_DIR` moves it)."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "si-engine"
    return Path(os.environ.get("SI_CACHE_DIR", default))


CACHE_DIR = cache_root() / source_hash()
numba.config.CACHE_DIR = str(CACHE_DIR)


def njit(function: Callable[..., Any]) -> Any:
    """Compile without reference counting, with the GIL released, cached on disk."""
    return numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """`njit` whose code is put into each caller.

    For the pieces of the hot path that take whole tables: handing these on costs more than the work
    (an order took 600 ns with calls, 320 ns without). Anything rare stays a call, which keeps the
    first compile short.
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)(
        function
    )


if JIT:

    @inlined
    def signed(word):  # type: ignore[no-untyped-def]
        """The 64 bits of an unsigned word as int64."""
        return np.int64(word)

    def _byte_pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
        data = context.make_array(array_type)(context, builder, array).data
        return builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [offset])

    @intrinsic
    def put_record(typing_context, buffer, offset, record):  # type: ignore[no-untyped-def]
        """Copy the bytes of a table row to `buffer[offset:]`."""
        signature = types.void(buffer, types.int64, record)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            target = _byte_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
            source = builder.bitcast(arguments[2], target.type)
            size = ir.Constant(ir.IntType(64), record.size)
            cgutils.raw_memcpy(builder, target, source, size, 1)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def get_record(typing_context, record, buffer, offset):  # type: ignore[no-untyped-def]
        """Fill a table row with the bytes at `buffer[offset:]`."""
        signature = types.void(record, buffer, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            source = _byte_pointer(context, builder, signature.args[1], arguments[1], arguments[2])
            target = builder.bitcast(arguments[0], source.type)
            size = ir.Constant(ir.IntType(64), record.size)
            cgutils.raw_memcpy(builder, target, source, size, 1)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def copy_bytes(typing_context, target, at, source, start, size):  # type: ignore[no-untyped-def]
        """Copy `size` bytes from `source[start:]` to `target[at:]`; they may overlap."""
        signature = types.void(target, types.int64, source, types.int64, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            into = _byte_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
            outof = _byte_pointer(context, builder, signature.args[2], arguments[2], arguments[3])
            cgutils.raw_memmove(builder, into, outof, arguments[4], 1)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def peek(typing_context, buffer, at):  # type: ignore[no-untyped-def]
        """The byte at a place that is known to be within the buffer, as int64."""
        signature = types.int64(buffer, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _byte_pointer(context, builder, signature.args[0], *arguments)
            return builder.zext(builder.load(pointer), ir.IntType(64))

        return signature, codegen

    @intrinsic
    def peek_word(typing_context, buffer, at):  # type: ignore[no-untyped-def]
        """The 8 bytes at a place that is known to be within the buffer, as uint64."""
        signature = types.uint64(buffer, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _byte_pointer(context, builder, signature.args[0], *arguments)
            word = builder.bitcast(pointer, ir.IntType(64).as_pointer())
            return builder.load(word, align=1)

        return signature, codegen

    @intrinsic
    def trailing_zeros(typing_context, word):  # type: ignore[no-untyped-def]
        """Zero bits below the lowest one bit of a uint64 that is not zero."""
        signature = types.int64(types.uint64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return signature, codegen

    @intrinsic
    def leading_zeros(typing_context, word):  # type: ignore[no-untyped-def]
        """Zero bits above the highest one bit of a uint64 that is not zero."""
        signature = types.int64(types.uint64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return signature, codegen

    @intrinsic
    def prefetch(typing_context, array, index):  # type: ignore[no-untyped-def]
        """Ask for the cache line of an int64 that will be read soon."""
        signature = types.void(array, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            place = builder.shl(arguments[1], ir.Constant(ir.IntType(64), 3))
            pointer = _byte_pointer(context, builder, signature.args[0], arguments[0], place)
            word = ir.IntType(32)
            kinds = [pointer.type, word, word, word]
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), kinds), "llvm.prefetch.p0i8"
            )
            builder.call(function, [pointer, word(0), word(3), word(1)])
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def poke_word(typing_context, buffer, at, value):  # type: ignore[no-untyped-def]
        """Write 8 bytes to a place that is known to be within the buffer."""
        signature = types.void(buffer, types.int64, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _byte_pointer(context, builder, signature.args[0], *arguments[:2])
            word = builder.bitcast(pointer, ir.IntType(64).as_pointer())
            builder.store(arguments[2], word, align=1)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def clear_record(typing_context, record):  # type: ignore[no-untyped-def]
        """Zero a table row."""
        signature = types.void(record)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            target = builder.bitcast(arguments[0], ir.IntType(8).as_pointer())
            size = ir.Constant(ir.IntType(64), record.size)
            cgutils.memset(builder, target, size, 0)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def load_word(typing_context, buffer, offset):  # type: ignore[no-untyped-def]
        """Read the 8 bytes at `buffer[offset:]` as int64, acquiring what was released there."""
        signature = types.int64(buffer, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _byte_pointer(context, builder, signature.args[0], *arguments)
            word = builder.bitcast(pointer, ir.IntType(64).as_pointer())
            return builder.load_atomic(word, "acquire", 8)

        return signature, codegen

    @intrinsic
    def store_word(typing_context, buffer, offset, value):  # type: ignore[no-untyped-def]
        """Write int64 to `buffer[offset:]`; everything written before is visible with it."""
        signature = types.void(buffer, types.int64, types.int64)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            pointer = _byte_pointer(context, builder, signature.args[0], *arguments[:2])
            word = builder.bitcast(pointer, ir.IntType(64).as_pointer())
            builder.store_atomic(arguments[2], word, "release", 8)
            return context.get_dummy_value()

        return signature, codegen

    @intrinsic
    def call_policy(typing_context, address, record):  # type: ignore[no-untyped-def]
        """Call the compiled policy at `address` with a pointer to its inputs."""
        signature = types.int64(types.int64, record)

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            byte_pointer = ir.IntType(8).as_pointer()
            function_type = ir.FunctionType(ir.IntType(64), [byte_pointer])
            function = builder.inttoptr(arguments[0], function_type.as_pointer())
            return builder.call(function, [builder.bitcast(arguments[1], byte_pointer)])

        return signature, codegen

else:
    #: Interpreted policies by the stand-in address that `engine.policy` gave out.
    INTERPRETED_POLICIES: dict[int, Callable[[Any], Any]] = {}

    def signed(word):  # type: ignore[no-untyped-def]
        return word - 2**64 if word >= 2**63 else word

    def put_record(buffer, offset, record):  # type: ignore[no-untyped-def]
        data = np.frombuffer(record.tobytes(), np.uint8)
        buffer[offset : offset + data.size] = data

    def get_record(record, buffer, offset):  # type: ignore[no-untyped-def]
        size = record.dtype.itemsize
        source = buffer[offset : offset + size].tobytes()
        fresh = np.frombuffer(source, record.dtype)[0]
        for name in record.dtype.names:
            record[name] = fresh[name]

    def copy_bytes(target, at, source, start, size):  # type: ignore[no-untyped-def]
        target[at : at + size] = source[start : start + size].copy()

    def peek(buffer, at):  # type: ignore[no-untyped-def]
        return int(buffer[at])

    def peek_word(buffer, at):  # type: ignore[no-untyped-def]
        return int.from_bytes(buffer[at : at + 8].tobytes(), "little")

    def trailing_zeros(word):  # type: ignore[no-untyped-def]
        return (word & -word).bit_length() - 1

    def leading_zeros(word):  # type: ignore[no-untyped-def]
        return 64 - word.bit_length()

    def prefetch(array, index):  # type: ignore[no-untyped-def]
        pass

    def poke_word(buffer, at, value):  # type: ignore[no-untyped-def]
        store_word(buffer, at, value)

    def clear_record(record):  # type: ignore[no-untyped-def]
        get_record(record, np.zeros(record.dtype.itemsize, np.uint8), 0)

    def load_word(buffer, offset):  # type: ignore[no-untyped-def]
        return int.from_bytes(buffer[offset : offset + 8].tobytes(), "little", signed=True)

    def store_word(buffer, offset, value):  # type: ignore[no-untyped-def]
        data = int(value).to_bytes(8, "little", signed=True)
        buffer[offset : offset + 8] = np.frombuffer(data, np.uint8)

    def call_policy(address, record):  # type: ignore[no-untyped-def]
        try:
            return int(INTERPRETED_POLICIES[int(address)](record))
        except Exception:  # a policy that fails asks for nothing; compiled code answers 0 too
            return 0
