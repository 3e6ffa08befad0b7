"""Eight frames at once in the lanes of a vector, for loops that numba compiles.

A frame has a lane of its own and no sum crosses lanes, so that its numbers do not
depend on the frames beside it. Everything is in double precision, and products are not
fused with sums: the same bytes whatever the processor's vectors.
"""

import hashlib
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INDEX = ir.IntType(32)
HERE = Path(__file__).parent


def code(folder: Path) -> str:
    """Hash of all files of the room whose functions are compiled."""
    digest = hashlib.sha256()
    for path in sorted(
        [*folder.glob("_lanes.py"), *folder.glob("_fourier.py"), *folder.glob("*_loops.py")]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# numba keeps machine code as long as the function's own file stays, though the
# functions that it calls may have changed: each state of the files has its own folder.
FOLDER = Path(numba.config.CACHE_DIR or HERE / "__pycache__") / f"compiled-{code(HERE)}"


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk where there is a place for it."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(FOLDER)
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # numba found no folder that it can write
        return numba.njit(function, nogil=True, error_model="numpy")
    finally:
        numba.config.CACHE_DIR = before


class LanesType(types.Type):
    """Eight doubles, one of each frame."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _address(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    start = context.make_array(signature.args[0])(context, builder, given[0]).data
    return builder.bitcast(builder.gep(start, [given[1]]), VECTOR.as_pointer())


def _load(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    value = builder.load(_address(context, builder, signature, given))
    value.align = 8  # a vector may begin at any number of an array
    return value


def _store(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    builder.store(given[2], _address(context, builder, signature, given)).align = 8
    return context.get_dummy_value()


def _spread(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    empty = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(empty, given[0], ir.Constant(INDEX, 0))
    zeros = ir.Constant(ir.VectorType(INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, zeros)


def _function(name: str) -> Callable[..., Any]:
    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f64")
        return builder.call(function, given)

    return emit


def _at_most(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    return builder.uitofp(builder.fcmp_ordered("<=", *given), VECTOR)


def _before(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    last = ir.Constant(ir.VectorType(INDEX, LANES), list(range(LANES - 1, 2 * LANES - 1)))
    return builder.shuffle_vector(*given, last)


@intrinsic
def load(context, array, index):
    """The eight numbers of a flat array from an index on."""
    return lanes(array, types.intp), _load


@intrinsic
def store(context, array, index, value):
    """Puts eight numbers into a flat array from an index on."""
    return types.void(array, types.intp, lanes), _store


@intrinsic
def spread(context, number):
    """The same number in every lane."""
    return lanes(types.float64), _spread


@intrinsic
def root(context, value):
    """Square roots."""
    return lanes(lanes), _function("llvm.sqrt")


@intrinsic
def size(context, value):
    """Absolute values."""
    return lanes(lanes), _function("llvm.fabs")


@intrinsic
def at_most(context, left, right):
    """One where the left number is at most the right one, else zero."""
    return lanes(lanes, lanes), _at_most


@intrinsic
def before(context, last, here):
    """Of every lane of `here` the one before it; `last` are the eight frames before."""
    return lanes(lanes, lanes), _before


def _arithmetic(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    """`left symbol right` of lanes, and of lanes and a number."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return getattr(builder, instruction)(*given)

    @intrinsic
    def both(context, left, right):
        return lanes(lanes, lanes), emit

    @overload(symbol)
    def choose(left, right):
        if left == lanes and right == lanes:
            return lambda left, right: both(left, right)
        if left == lanes and isinstance(right, types.Float):
            return lambda left, right: both(left, spread(right))
        return None


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")
