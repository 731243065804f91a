"""Another engine's derivatives, checked by the table that minisam's own are checked by.

For each of its primitives minisam has a *domain*: arguments of every shape that matters, broadcast,
empty, 0-d, strided, with ties and zeros. `checks` runs another engine's functions of the same names
through them, to the second derivative, and to the third on the three smallest cases of each, in
which little is broadcast. An engine is told about by an *adapter*, a module or object with

``functions``
    a dict from the names of minisam's primitives to the engine's functions, which take arrays of
    the engine, and parameters such as ``axis`` by keyword; `by_name` makes one from a module;
``vjp(f, *args)``
    the value of ``f(*args)``, a NumPy array, and the pullback: a function that takes a cotangent
    and returns a tuple or list with a cotangent for each argument;
``jvp(f, args, tangents)``, if there is forward mode
    the value and the tangent;
``order``, by default 3
    the highest order of derivatives that the engine has.

``pytest --minisam-check mypackage.adapter`` runs them all and prints a table. In a test file of
one's own the same is

.. code-block:: python

    @pytest.mark.parametrize("check", minisam.testing.checks(adapter), ids=str)
    def test_derivatives(check):
        check.run()
"""

from minisam.testing.engine import Engine, as_primitive
from minisam.testing.table import Check, by_name, checks

__all__ = ["Check", "Engine", "as_primitive", "by_name", "checks"]
