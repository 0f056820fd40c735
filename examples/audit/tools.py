"""What an agent of this folder can do with a Python file, besides reading it.

``read_text`` of the library does the reading, so an agent measures only what its ``file_read`` capability
allows. Whatever is wrong with a file is a ``ToolFailed``: the model, or the policy, is told why.
"""

from dataclasses import asdict
from typing import Any

from measure import Measures, measure

from actors import Agent, FileRead, ToolFailed, tool
from actors.tools.files import read_text


@tool(capability=FileRead(), effect="idempotent")
def measure_file(path: str, *, agent: Agent[Any]) -> dict[str, Any]:
    """Measure one Python source file: its lines, its functions and how many of them are too long or too complex,
    its bare excepts and missing docstrings, and a score (0 is spotless, more is worse).

    Args:
        path: The file.
    """
    found = measured(path, agent)
    return {
        "path": path,
        "score": found.score,
        "lines": found.lines,
        "functions": len(found.functions),
        "long_functions": len(found.long_functions),
        "complex_functions": len(found.complex_functions),
        "bare_excepts": len(found.bare_excepts),
        "missing_docstrings": len(found.missing_docstrings),
    }


@tool(capability=FileRead(), effect="idempotent")
def worst_functions(path: str, limit: int = 5, *, agent: Agent[Any]) -> list[dict[str, Any]]:
    """List the most complex functions of one Python source file: name, line, length in lines, complexity.

    Args:
        path: The file.
        limit: How many to list.
    """
    found = measured(path, agent)
    worst = sorted(found.functions, key=lambda function: (-function.complexity, -function.length, function.line))
    return [asdict(function) for function in worst[: max(0, limit)]]


def measured(path: str, agent: Agent[Any]) -> Measures:
    """Read and measure *path*."""
    source = read_text(path, agent=agent)
    try:
        return measure(source.removeprefix("\ufeff"))
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        raise ToolFailed(f"not Python: {error.msg}{where}") from error
