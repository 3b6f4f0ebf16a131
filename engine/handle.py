"""A handle: many tables passed to compiled code as one pointer.

A tuple of fifty arrays is 350 values to numba, copied at every call and carried through every loop:
compiling took minutes. A handle is one: the address of a small map of addresses and shapes.
`tables.orders` reads the same interpreted (an attribute) and compiled (an array made on the spot).
"""

import hashlib
from typing import Any, ClassVar

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    lower_getattr_generic,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np import arrayobj

_WORDS = 3  # of the map, per array: address, rows, columns


class HandleType(types.Type):
    """What numba knows of a handle: its class and the type of each array."""

    def __init__(self, name: str, fields: tuple[tuple[str, Any], ...]) -> None:
        self.fields = fields
        described = ", ".join(f"{field}: {kind.mangling_args}" for field, kind in fields)
        # short, since the names of all compiled functions that take it are made of its name
        digest = hashlib.sha256(described.encode()).hexdigest()[:16]
        super().__init__(name=f"{name}_{digest}")

    def field(self, name: str) -> tuple[int, Any]:
        """Position and type of an array; KeyError where there is none."""
        for index, (field, kind) in enumerate(self.fields):
            if field == name:
                return index, kind
        raise KeyError(name)


class Handle:
    """Base of the groups of tables; subclasses annotate their arrays, in order."""

    arrays: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.arrays = tuple(cls.__annotations__)

    def __init__(self, **arrays: Any) -> None:
        assert tuple(arrays) == self.arrays, "every array, in the order of its annotation"
        words = []
        for name, array in arrays.items():
            assert array.flags.c_contiguous and array.ndim <= 2
            setattr(self, name, array)
            words += [array.ctypes.data, array.shape[0], array.shape[-1]]
        self.map = np.array(words, np.int64)
        self.address = int(self.map.ctypes.data)
        fields = tuple((name, numba.typeof(array)) for name, array in arrays.items())
        # the name that numba's dispatcher looks for itself, four times as fast as asking `typeof`
        self._numba_type_ = HandleType(type(self).__name__, fields)

    def exchange(self, one: str, other: str) -> None:
        """Two arrays of one shape and type swap places; only while no compiled code runs.

        Compiled code takes the map as fixed for as long as a call lasts.
        """
        a, b = getattr(self, one), getattr(self, other)
        self.put(one, b)
        self.put(other, a)

    def put(self, name: str, array: Any) -> None:
        """Another array of the same shape and type in place of one; only as in `exchange`."""
        old = getattr(self, name)
        assert array.shape == old.shape and array.dtype == old.dtype and array.flags.c_contiguous
        setattr(self, name, array)
        self.map[_WORDS * self.arrays.index(name)] = array.ctypes.data

    def items(self) -> list[tuple[str, Any]]:
        """Name and array of each table."""
        return [(name, getattr(self, name)) for name in self.arrays]


@register_model(HandleType)
class _HandleModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, handle_type: HandleType) -> None:
        super().__init__(manager, handle_type, ir.IntType(64))


@typeof_impl.register(Handle)  # type: ignore[untyped-decorator]
def _typeof_handle(value: Handle, context: Any) -> HandleType:
    return value._numba_type_


@unbox(HandleType)
def _unbox_handle(handle_type, obj, c):  # type: ignore[no-untyped-def]
    address = c.pyapi.object_getattr_string(obj, "address")
    value = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(value, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


@infer_getattr
class _HandleAttribute(AttributeTemplate):  # type: ignore[misc]
    key = HandleType

    def generic_resolve(self, handle_type: HandleType, name: str) -> Any:
        """Type of `handle.name`."""
        try:
            return handle_type.field(name)[1]
        except KeyError:
            return None


@lower_getattr_generic(HandleType)
def _lower_attribute(context, builder, handle_type, value, name):  # type: ignore[no-untyped-def]
    index, array_type = handle_type.field(name)
    word = ir.IntType(64)
    base = builder.inttoptr(value, word.as_pointer())
    # the map never changes, which lets a loop read it once
    invariant = builder.module.add_metadata([])

    def entry(place: int) -> Any:
        pointer = builder.gep(base, [ir.Constant(word, _WORDS * index + place)])
        loaded = builder.load(pointer)
        loaded.set_metadata("invariant.load", invariant)
        return loaded

    itemsize = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    size = ir.Constant(word, itemsize)
    data = builder.inttoptr(entry(0), context.get_data_type(array_type.dtype).as_pointer())
    if array_type.ndim == 1:
        shape, strides = [entry(1)], [size]
    else:
        columns = entry(2)
        shape, strides = [entry(1), columns], [builder.mul(columns, size), size]
    array = context.make_array(array_type)(context, builder)
    arrayobj.populate_array(
        array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None
    )
    return array._getvalue()
