"""A method looks alike wherever it is drawn."""

from collections import Counter

import pytest

from minisam.plots.looks import COLOURS, LOOKS, looks


@pytest.mark.parametrize("method", ["SAM", "ERM"])
def test_a_method_keeps_its_look_in_any_company(method):
    color, linestyle = LOOKS[method]
    for names in ([method], ["other", method], ["USAM", f"{method} 0.05"], ["GSAM", method, "x"]):
        (name,) = (name for name in names if name.startswith(method))
        assert looks(names)[name] == {"color": color, "linestyle": linestyle}


def test_no_two_curves_share_a_colour_while_some_are_left():
    for names in (
        ["SAM", "ERM (same epochs)", "ERM (same gradients)"],
        ["SAM", "SAM SDE", "SGD SDE"],
        ["SAM SDE", "its drift only", "SGD SDE", "USAM SDE"],
        ["USAM SDE", "its drift only", "SGD SDE"],
        ["DNSAM SDE", "its drift only", "SGD SDE", "USAM SDE"],
        ["SGD", "USAM", "DNSAM", "SAM"],
        ["SAM 0.05", "SAM 0.1", "SAM 0.2", "ERM"],
        ["train", "test"],
    ):
        found = looks(names)
        assert list(found) == names
        assert len({look["color"] for look in found.values()}) == len(names)


def test_where_colours_do_not_suffice_each_is_taken_twice_before_any_thrice():
    names = [*"ABCDEFGH", "ERM", "ERM, twice the epochs", "SAM", "USAM", "DNSAM"]
    assert max(Counter(look["color"] for look in looks(names).values()).values()) == 2


def test_more_methods_than_colours_are_drawn_too():
    names = [f"method {i}" for i in range(20)]
    assert {look["color"] for look in looks(names).values()} == set(COLOURS)
    assert len(looks([*LOOKS, "one more"])) == len(LOOKS) + 1
