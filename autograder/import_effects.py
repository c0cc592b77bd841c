"""What a statement of a submission's file would do when the file is imported, read off its tree."""

import ast

ASSIGNMENT = ast.Assign | ast.AnnAssign
DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def runs_something(statement, tree):
    """Whether a statement of a file calls the file's own functions, as `main()` or a loop does."""
    active = ast.Expr | ast.For | ast.While | ast.If | ast.With | ast.Try
    guard = isinstance(statement, ast.If) and "__name__" in map(name_of, ast.walk(statement.test))
    return isinstance(statement, active) and not guard and bool(called(statement, tree))


def fills_something(statement, tree):
    """Whether a statement fills a variable that the file's functions read, as a loop does a table.

    Whatever it calls may do so for it.
    """
    calls = called(statement, tree)
    filled = changed(statement) | bound(statement)
    filled |= set().union(*(changed(function) - bound(function) for function in calls))
    given = set().union(*map(bound, (x for x in tree.body if isinstance(x, ASSIGNMENT))))
    filled &= given | bound(statement)  # neither modules nor functions
    readers = [x for x in tree.body if isinstance(x, DEFINITION) and x not in calls]
    return any(filled & set(map(name_of, ast.walk(x))) - bound(x) for x in readers)


def called(statement, tree):
    """The functions of a file that a statement calls by their names."""
    names = {name_of(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)}
    return [x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name in names]


def changed(part):
    """Names that a part of a file declares global or changes: `NAME[0] = 1`, `NAME.append(1)`."""
    names = {name for node in ast.walk(part) if isinstance(node, ast.Global) for name in node.names}
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
    names, outside = set(), set()
    for node in ast.walk(part):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            outside |= {*node.names}
    return names - outside


def name_of(node):
    """The name that a node of a tree is, if it is one."""
    return node.id if isinstance(node, ast.Name) else None
