"""Makes numba compile for callers what only compiled code calls.

numba prepares every function on the way as if Python were to call it: two wrappers, an optimised
module that holds all the code below it once more, machine code, an entry in the cache. Here a
function that is compiled for a compiled caller is typed and translated, and that is all; the caller
that Python calls links, optimises and emits the whole, once. If Python calls such a function
later, it is compiled like any other. Functions must not call each other in a circle. First compile
of everything: 272 s of processor time before, 111 s after.
"""

import gc
from typing import Any

from numba.core import errors, sigutils
from numba.core.codegen import CPUCodeLibrary, ll
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher, _FunctionCompiler  # type: ignore[attr-defined]

_depth = [0]  # of functions being compiled, each for the one before


class Inner:
    """In place of what Python calls, for a function that only compiled code calls."""


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
        context, result = (
            dispatcher.targetctx,
            dispatcher._cache.load_overload(sig, dispatcher.targetctx),
        )
        if result is not None:
            dispatcher._cache_hits[sig] += 1
            context.insert_user_function(result.entry_point, result.fndesc, [result.library])
            dispatcher.add_overload(result)
            return result.entry_point
        dispatcher._cache_misses[sig] += 1
        collects, depth = gc.isenabled(), _depth[0]
        try:
            _depth[0] = depth + 1
            gc.disable()  # nothing that the compiler makes is garbage before it is done
            result = dispatcher._compiler.compile(args, return_type)
        except errors.ForceLiteralArg as error:
            fold = dispatcher._compiler.fold_argument_types
            raise error.bind_fold_arguments(lambda args, kws: fold(args, kws)[1]) from error
        finally:
            _depth[0] = depth
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

    Callers first: the linker leaves out what nothing linked so far calls.
    """
    library._raise_if_finalized()
    library._codegen._check_llvm_bugs()
    for other in reversed(_below(library, {library})):
        library._reload_init.update(other._reload_init)
        module = other._get_module_for_linking() if other._finalized else _translated(other)
        library._final_module.link_in(module, preserve=True)
    passes, builder = library._codegen._module_pass_manager()
    passes.run(library._final_module, builder)
    library._final_module.verify()
    library._finalize_final_module()


def install() -> None:
    """Change numba, once, before anything is compiled."""
    Dispatcher.compile = _compile  # type: ignore[assignment,method-assign]
    _FunctionCompiler._customize_flags = _set_flags
    CPUCodeLibrary.add_linking_library = _add_linking_library
    CPUCodeLibrary.finalize = _finalize
