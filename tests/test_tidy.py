"""The style that a machine can check, over the files as they lie in the repository."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("engine", "gateway", "refdata", "bench")
FOLDERS = (*PACKAGES, "tests", ".ci")
LINES_MAX = 500
TEST_LINES_MAX = 600  # a table of cases may be longer
COLUMNS_MAX = 100

#: Imports point inward. The command line ties the packages together, so it may see them all.
MAY_IMPORT = {
    "engine": {"engine"},
    "refdata": {"engine", "refdata"},
    "gateway": {"engine", "gateway", "refdata"},
    "gateway/cli": set(PACKAGES),
    "bench": {*PACKAGES, "tests"},
}
ENGINE_LIBRARIES = {"llvmlite", "numba", "numpy"}

#: Modules that reach a clock, chance, the outside or another thread.
IMPURE = set(
    "asyncio concurrent io logging mmap multiprocessing os pathlib queue random secrets select"
    " selectors shutil signal socket ssl subprocess sys tempfile threading time uuid".split()
)
IMPURE_ALLOWED = {"engine/jit.py": {"os", "pathlib"}}  # the folder of the compile cache
IMPURE_CALLS = {"breakpoint", "eval", "exec", "input", "open", "print"}
CLOCK_METHODS = {"now", "today", "utcnow"}

COMPILERS = {"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"}
COMPILERS_ALLOWED = {"engine/jit.py", "engine/policy.py"}  # a policy has a signature of its own
UNTYPED = "# type: ignore[no-untyped-def]"  # the interpreted twin of a compiled function
SELVES = {"self", "cls"}
COMPILED = COMPILERS | {"inlined", "intrinsic", "overload", "register_jitable"}
WORDS = re.compile("|".join(("TO" + "DO", "FIX" + "ME")))
MACHINE_PATH = re.compile(r"(?<![\w.~*-])/(?:root|work)(?![\w-])")
PRAGMA = re.compile(r"\s*# (?:type: ignore|noqa|pragma).*$")  # ruff does not count them either
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def texts() -> Iterator[Path]:
    """Every text file that is ours: the top level's and the known folders'."""
    candidates = [p for p in ROOT.iterdir() if p.is_file()]
    for folder in FOLDERS:
        candidates += sorted((ROOT / folder).rglob("*"))
    for path in candidates:
        if "__pycache__" in path.parts or not path.is_file() or path.name.startswith(".coverage"):
            continue
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a golden journal or another binary
        yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of every module imported, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.lineno, str(node.module)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_called(node: ast.expr) -> str:
    """The last word of what is called or decorates: `njit` of `numba.njit(...)`."""
    if isinstance(node, ast.Call):
        return name_called(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_jitted_module(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "engine.jit"
        and any(alias.name == "njit" for alias in node.names)
        for node in ast.walk(tree)
    )


def test_imports_point_inward() -> None:
    found = []
    for path in sources(*PACKAGES):
        name = name_of(path)
        package = "gateway/cli" if name.startswith("gateway/cli") else name.split("/")[0]
        for line, module in imports(parse(path)):
            top = module.split(".")[0]
            if top in {*PACKAGES, "tests"} and top not in MAY_IMPORT[package]:
                found.append(f"{name}:{line}: imports {module}")
    assert not found


def test_the_engine_needs_the_compiler_and_nothing_else() -> None:
    allowed = {"engine"} | ENGINE_LIBRARIES | set(sys.stdlib_module_names)
    found = [
        f"{name_of(path)}:{line}: imports {module}"
        for path in sources("engine")
        for line, module in imports(parse(path))
        if module.split(".")[0] not in allowed
    ]
    assert not found


def test_the_engine_is_pure() -> None:
    found = []
    for path in sources("engine"):
        name, tree = name_of(path), parse(path)
        impure = IMPURE - IMPURE_ALLOWED.get(name, set())
        for line, module in imports(tree):
            if module.split(".")[0] in impure:
                found.append(f"{name}:{line}: imports {module}")
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = name_called(node.func)
            banned = IMPURE_CALLS if isinstance(node.func, ast.Name) else CLOCK_METHODS
            if called in banned:
                found.append(f"{name}:{node.lineno}: calls {called}()")
    assert not found


def test_compiled_engine_code_has_no_floats() -> None:
    """Policies may use floats inside; the gate takes only their integers."""
    found = []
    for path in sources("engine"):
        name, tree = name_of(path), parse(path)
        if name.startswith("engine/policies/") or not is_jitted_module(tree):
            continue
        for node in ast.walk(tree):
            where = f"{name}:{getattr(node, 'lineno', 0)}:"
            if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
                found.append(f"{where} true division; use // and say which way it rounds")
            elif isinstance(node, ast.Constant) and isinstance(node.value, float):
                found.append(f"{where} the float {node.value}")
            elif isinstance(node, ast.Name) and node.id in {"float", "round"}:
                found.append(f"{where} {node.id}")
            elif isinstance(node, ast.Attribute) and node.attr.startswith("float"):
                found.append(f"{where} .{node.attr}")
    assert not found


def test_no_schema_or_table_is_a_float() -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in sources("engine")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "float64" in line and not name_of(path).startswith("engine/policies/")
    ]
    assert not found


def test_one_decorator_compiles() -> None:
    """`engine.jit.njit` keys the cache by all sources; a bare one would run stale code."""
    found = []
    for path in sources(*PACKAGES, "tests"):
        name = name_of(path)
        if name in COMPILERS_ALLOWED:
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "numba":
                taken = [alias.name for alias in node.names if alias.name in COMPILERS]
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in {"nb", "numba"}
            ):
                taken = [node.attr] if node.attr in COMPILERS else []
            else:
                continue
            found += [f"{name}:{node.lineno}: numba's own {compiler}" for compiler in taken]
    assert not found


def test_only_compiled_functions_go_without_types() -> None:
    """numba infers the types of what it compiles; everything else says them, and mypy checks."""
    found = []
    for path in sources(*PACKAGES):
        if path.parent.name == "policies":
            continue  # compiled when they are loaded
        lines = path.read_text(encoding="utf-8").splitlines()
        pending: list[ast.AST] = [parse(path)]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                compiled = any(name_called(d) in COMPILED for d in node.decorator_list)
                if compiled or UNTYPED in lines[node.lineno - 1]:
                    continue
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = [a.arg for a in every if a.annotation is None and a.arg not in SELVES]
                if node.returns is None or bare:
                    found.append(f"{name_of(path)}:{node.lineno}: {node.name}({', '.join(bare)})")
            pending.extend(ast.iter_child_nodes(node))
    assert not found


def test_files_are_short() -> None:
    long_by_nature = {"LICENSE", "requirements.lock", "oracle.py"}  # the oracle reads as one
    found = []
    for path in texts():
        count = len(path.read_text(encoding="utf-8").splitlines())
        limit = TEST_LINES_MAX if path.parent.name == "tests" else LINES_MAX
        listed = path.suffix in {".csv", ".xml"} or path.name in long_by_nature
        if not listed and count > limit:
            found.append(f"{name_of(path)}: {count} lines")
    assert not found


def test_lines_are_short() -> None:
    found = [
        f"{name_of(path)}:{number}: {len(line)} columns"
        for path in texts()
        if path.suffix == ".py" or path.name in {"Dockerfile", "Makefile", "run"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(PRAGMA.sub("", line)) > COLUMNS_MAX
    ]
    assert not found


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("work left undone", WORDS), ("a path of one machine", MACHINE_PATH)],
)
def test_no_text_has(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{name_of(path)}:{number}: {what}: {line.strip()[:80]}"
        for path in texts()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


def test_links_in_documents_lead_somewhere() -> None:
    found = [
        f"{name_of(path)}: {target}"
        for path in texts()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not found


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_explains_itself(package: str) -> None:
    readme = ROOT / package / "README.md"
    assert readme.is_file(), f"{package}/ has no README.md"
    assert (ROOT / package / "__init__.py").is_file(), f"{package}/ is not a package"
