"""Makes numba compile for callers what only compiled code calls.

numba prepares every function on the way as if Python were to call it: two wrappers, an optimised
module that holds all the code below it once more, machine code, an entry in the cache. Here a
function that is compiled for a compiled caller is typed and translated, and that is all; the caller
that Python calls links, optimises and emits the whole, once. If Python calls such a function
later, it is compiled like any other. Functions must not call each other in a circle.

What several callers share would still be optimised and emitted in each: a unit (`engine.jit.unit`)
is done once, by itself, and called by its symbol; the cached code of a caller names the units that
it needs. numba also compiles a function anew for each constant that it is called with, and compares
options and lists variables more slowly than it must; ours are not, here it does not.
"""

import gc
from importlib import import_module
from typing import Any, NamedTuple

from numba import types
from numba.core import errors, ir, sigutils
from numba.core.codegen import CPUCodeLibrary, ll
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher, _FunctionCompiler  # type: ignore[attr-defined]
from numba.core.targetconfig import TargetConfig

_depth = [0]  # of functions being compiled, each for the one before


class Inner:
    """In place of what Python calls, for a function that only compiled code calls."""


class Moved(Exception):
    """The cached function calls a unit that has been compiled anew since."""


class Unit(NamedTuple):
    """Which function compiled apart a compiled function calls."""

    module: str
    name: str
    args: tuple[Any, ...]
    symbol: str

    def __call__(self) -> None:
        """Have it in memory before what calls it is loaded from the cache.

        Raises:
            Moved: it goes by another symbol now.
        """
        dispatcher = getattr(import_module(self.module), self.name)
        if self.args not in dispatcher.overloads:
            dispatcher.compile(self.args)
        if dispatcher.overloads[self.args].fndesc.llvm_func_name != self.symbol:
            raise Moved(self.symbol)


_apart: set[Any] = set()  # the dispatchers of units


def set_apart(dispatcher: Any) -> None:
    """Make it a unit: compiled and cached as if Python called it, never linked into its callers."""
    _apart.add(dispatcher)


def _mark(dispatcher: Any, result: Any) -> None:
    """Let the libraries of callers know that this one is a unit."""
    if dispatcher in _apart:
        function, symbol = dispatcher.py_func, result.fndesc.llvm_func_name
        args = tuple(result.signature.args)
        result.library._unit = Unit(function.__module__, function.__name__, args, symbol)


def _load(dispatcher: Any, sig: Any) -> Any:
    """What the cache holds, or None."""
    try:
        return dispatcher._cache.load_overload(sig, dispatcher.targetctx)
    except Moved:
        return None


def _compile(dispatcher: Any, sig: Any) -> Any:
    """`Dispatcher.compile`, which also does without numba's timers.

    These take note of every call into LLVM once for each function on the way to it.
    """
    with global_compiler_lock, dispatcher._compiling_counter:
        if not dispatcher._can_compile:
            raise RuntimeError("compilation disabled")
        args, return_type = sigutils.normalize_signature(sig)
        existing = dispatcher.overloads.get(tuple(args))
        if existing is not None and (_depth[0] or not isinstance(existing.entry_point, Inner)):
            return existing.entry_point
        context, result = dispatcher.targetctx, _load(dispatcher, sig)
        if result is not None:
            dispatcher._cache_hits[sig] += 1
            _mark(dispatcher, result)
            context.insert_user_function(result.entry_point, result.fndesc, [result.library])
            dispatcher.add_overload(result)
            return result.entry_point
        dispatcher._cache_misses[sig] += 1
        collects, outside = gc.isenabled(), _depth[0]
        depth = 0 if dispatcher in _apart else outside
        try:
            _depth[0] = depth + 1
            gc.disable()  # nothing that the compiler makes is garbage before it is done
            result = dispatcher._compiler.compile(args, return_type)
        except errors.ForceLiteralArg as error:
            fold = dispatcher._compiler.fold_argument_types
            raise error.bind_fold_arguments(lambda args, kws: fold(args, kws)[1]) from error
        finally:
            _depth[0] = outside
            if collects:
                gc.enable()
        if depth:
            result = result._replace(entry_point=Inner())
            context.insert_user_function(result.entry_point, result.fndesc, [result.library])
            dispatcher.overloads[tuple(args)] = result
        else:
            # what a `print` in any of them needs
            for environment in result._find_referenced_environments():
                result.library.codegen.set_env(environment.env_name, environment)
            dispatcher.add_overload(result)
            _mark(dispatcher, result)
            dispatcher._cache.save_overload(sig, result)
        return result.entry_point


def _set_flags(compiler: Any, flags: Any) -> Any:
    flags.no_cfunc_wrapper = True
    if _depth[0] > 1:
        flags.no_compile = flags.no_cpython_wrapper = True
    return flags


def _add_linking_library(library: Any, other: Any) -> None:
    library._linking_libraries.append(other)


def _translated(library: Any) -> Any:
    """The module of a library that is linked before it is finished, without what it calls.

    Its functions are "linkonce_odr": as many definitions as there are, and none where unused.
    """
    if not hasattr(library, "_translated"):
        module = library._final_module.clone()
        for function in module.functions:
            if not function.is_declaration and function.linkage == ll.Linkage.external:
                function.linkage = "linkonce_odr"
        library._translated = module
    return library._translated


def _below(library: Any, seen: set[Any]) -> list[Any]:
    """All libraries that one needs, those that are called before those that call."""
    found = []
    for other in library._linking_libraries:
        if other not in seen:
            seen.add(other)
            found += [other] if other._finalized else [*_below(other, seen), other]
    return found


def _finalize(library: Any) -> None:
    """`CPUCodeLibrary.finalize`, which links each library below this one once.

    Callers first: the linker leaves out what nothing linked so far calls. Units are left out.
    """
    library._raise_if_finalized()
    library._codegen._check_llvm_bugs()
    for other in reversed(_below(library, {library})):
        if hasattr(other, "_unit"):
            library._reload_init.add(other._unit)
            continue
        library._reload_init.update(other._reload_init)
        module = other._get_module_for_linking() if other._finalized else _translated(other)
        library._final_module.link_in(module, preserve=True)
    passes, builder = library._codegen._module_pass_manager()
    passes.run(library._final_module, builder)
    library._final_module.verify()
    library._finalize_final_module()


_get_call_template = Dispatcher.get_call_template
_PLAIN = frozenset((ir.Loc, str, int, bool, type(None)))  # what most parts of instructions are


def _call_template(dispatcher: Any, args: Any, kws: Any) -> Any:
    """`Dispatcher.get_call_template`; ours (`engine.jit.njit`) take a constant as any number.

    The optimiser sees the constant anyway.
    """
    if dispatcher.targetoptions.get("_nrt", True) is False:
        args = [types.unliteral(a) if isinstance(a, types.IntegerLiteral) else a for a in args]
    return _get_call_template(dispatcher, args, kws)


def _is_same_config(config: Any, other: Any) -> Any:
    """`TargetConfig.__eq__`, by the options that either sets."""
    if type(config) is not type(other):
        return NotImplemented
    mine, theirs, options = config._values, other._values, config.options
    return mine == theirs or all(
        mine.get(name, options[name].default) == theirs.get(name, options[name].default)
        for name in mine.keys() | theirs.keys()
    )


def _hash_config(config: Any) -> int:
    """`TargetConfig.__hash__`, which is of the options' names: the same for a class."""
    return hash(type(config))


def _variables(instruction: Any, value: Any) -> list[Any]:
    """`Inst._rec_list_vars`, with less work for what is no variable."""
    if isinstance(value, ir.Var):
        return [value]
    if isinstance(value, ir.Inst):
        return list(value.list_vars())
    found = []
    parts = value.values() if isinstance(value, dict) else value
    for part in parts if isinstance(value, (dict, list, tuple)) else ():
        kind = type(part)
        if kind is ir.Var:
            found.append(part)
        elif kind not in _PLAIN and isinstance(part, (ir.Inst, list, tuple, dict)):
            found += _variables(instruction, part)
    return found


def install() -> None:
    """Change numba, once, before anything is compiled."""
    Dispatcher.get_call_template = _call_template  # type: ignore[assignment,method-assign]
    TargetConfig.__eq__ = _is_same_config
    TargetConfig.__hash__ = _hash_config
    ir.Inst._rec_list_vars = _variables
    Dispatcher.compile = _compile  # type: ignore[assignment,method-assign]
    _FunctionCompiler._customize_flags = _set_flags
    CPUCodeLibrary.add_linking_library = _add_linking_library
    CPUCodeLibrary.finalize = _finalize
