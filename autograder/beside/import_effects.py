"""What a statement of a submission's file would do when the file is imported, read off its tree."""

import ast

ASSIGNMENT = ast.Assign | ast.AnnAssign
DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
TRAINING = {"backward", "step", "parse_args", "parse_known_args", "DataLoader", "input"}  # calls


def runs_something(statement, tree):
    """Whether a statement of a file calls the file's own functions, as `main()` or a loop does."""
    active = ast.Expr | ast.For | ast.While | ast.If | ast.With | ast.Try
    guard = any("__name__" in map(name_of, ast.walk(test)) for test in conditions(statement))
    return isinstance(statement, active) and not guard and bool(called(statement, tree))


def trains(statement, tree):
    """Whether a statement, or what it calls of the file, looks like a training or a command line.

    Everything else that runs at import is let run: functions may need what it does.
    """
    parts = [statement]
    for part in parts:  # grows meanwhile
        parts += [x for x in called(part, tree, DEFINITION) if x not in parts]
    calls = [x.func for part in parts for x in ast.walk(part) if isinstance(x, ast.Call)]
    return bool(TRAINING & {getattr(x, "attr", name_of(x)) for x in calls})


def conditions(statement):
    """What decides whether a part of a statement runs, of `if` and of `and` alike."""
    for node in ast.walk(statement):
        if isinstance(node, ast.If | ast.IfExp):
            yield node.test
        elif isinstance(node, ast.BoolOp):
            yield node


def fills_something(statement, tree):
    """Whether a statement fills a variable that the file's functions read, as a loop does a table.

    Whatever it calls may do so for it. Python's path counts as such a variable.
    """
    calls = called(statement, tree)
    if any(map(is_path, (node for part in (statement, *calls) for node in ast.walk(part)))):
        return True
    filled = changed(statement) | bound(statement)
    filled |= set().union(*(changed(function) - bound(function) for function in calls))
    given = set().union(*map(bound, (x for x in tree.body if isinstance(x, ASSIGNMENT))))
    given |= set().union(*map(declared_global, calls))
    given |= {x.name for x in tree.body if isinstance(x, ast.ClassDef)}
    filled &= given | bound(statement)  # neither modules nor functions
    readers = [x for x in tree.body if isinstance(x, DEFINITION) and x not in calls]
    return any(filled & set(map(name_of, ast.walk(x))) - bound(x) for x in readers)


def is_path(node):
    """Whether a node of a tree is `sys.path`."""
    return isinstance(node, ast.Attribute) and (name_of(node.value), node.attr) == ("sys", "path")


def called(statement, tree, kind=ast.FunctionDef):
    """The functions, or other definitions, of a file that a statement calls by their names."""
    names = {name_of(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)}
    return [x for x in tree.body if isinstance(x, kind) and x.name in names]


def changed(part):
    """Names that a part of a file declares global or changes: `NAME[0] = 1`, `NAME.append(1)`."""
    names = declared_global(part)
    for node in ast.walk(part):
        if isinstance(node, ast.Call):
            node = node.func
        elif not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        if isinstance(node, ast.Attribute | ast.Subscript):
            names.add(name_of(node.value))
    return names - {None}


def bound(part):
    """Names that a part of a file assigns to or has for arguments, and does not declare global."""
    names = set()
    for node in ast.walk(part):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names - declared_global(part)


def declared_global(part):
    """Names that a part of a file declares global."""
    return {name for node in ast.walk(part) if isinstance(node, ast.Global) for name in node.names}


def name_of(node):
    """The name that a node of a tree is, if it is one."""
    return node.id if isinstance(node, ast.Name) else None


def does_without(tree, line):
    """Whether the import in a line is tried, and the file does without the library.

    A file does if what follows `except ImportError:` returns, or gives it what it would have
    imported, or lines before have, or if nothing else needs that. So it does where the import is
    in a `with suppress(ImportError)`.
    """
    for part in ast.walk(tree):
        suppressed = part.items if isinstance(part, ast.With) and within(line, part.body) else []
        if any(catches_missing(item.context_expr) for item in suppressed):
            return True
        if not isinstance(part, ast.Try) or not within(line, part.body):
            continue
        handlers = [x for x in part.handlers if x.type is None or catches_missing(x.type)]
        if not handlers or any(map(gives_up, handlers)):
            continue
        tried = set().union(*map(imported, part.body))
        wanted = tried.union(*map(bound, [*part.body, *part.orelse]))
        before = [x for x in ast.walk(tree) if isinstance(x, ASSIGNMENT) and x.lineno < part.lineno]
        instead = [x for handler in handlers for x in handler.body]
        given = set().union(*map(defined, before + instead))
        leaves = any(isinstance(x, ast.Return | ast.Continue) for x in instead)
        inside = {id(x) for x in ast.walk(part)}
        used = {name_of(x) for x in ast.walk(tree) if id(x) not in inside}
        if wanted & given or leaves or not tried & used:
            return True
    return False


def gives_up(part):
    """Whether a part of a file raises something or ends the program."""
    for node in ast.walk(part):
        called = getattr(node, "func", None)
        if isinstance(node, ast.Raise) or name_of(called) in ("exit", "quit"):
            return True
        if isinstance(called, ast.Attribute) and called.attr in ("exit", "_exit"):
            return True
    return False


def within(line, body):
    """Whether a line is one of some statements'."""
    return body[0].lineno <= line <= body[-1].end_lineno


def catches_missing(types):
    """Whether an `except` of these types catches that a library is missing."""
    names = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    return bool(names & set(map(name_of, ast.walk(types))))


def imported(part):
    """Names that a part of a file imports."""
    imports = [x for x in ast.walk(part) if isinstance(x, ast.Import | ast.ImportFrom)]
    aliases = [alias for one in imports for alias in one.names]
    return {(alias.asname or alias.name).partition(".")[0] for alias in aliases}


def defined(part):
    """Names that a part of a file imports, assigns to or defines."""
    made = {node.name for node in ast.walk(part) if isinstance(node, DEFINITION)}
    return made | imported(part) | bound(part)
