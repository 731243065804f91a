"""What goes wrong in A1, the reverse-mode engine."""

from tests.course.wrong import Spoiled, Wrong

SPOILED = Spoiled("largest", "largest", "ties")

PRODUCT_RULE = "(a, lambda ct: unbroadcast(ct * b.value, a.value.shape))"
WALK = """        elif id(node) not in seen:
            seen.add(id(node))
            ahead.append((node, True))
            ahead += [(parent, False) for parent, _ in node.made_from]
    return parents_first[::-1]"""
SUM = "cotangents[id(parent)] = cotangents.get(id(parent), 0) + share"
COTANGENT = "ct = np.random.default_rng(1).uniform(0.5, 1.5, y.value.shape)"

WRONG = [
    Wrong(
        "copies in front are not summed",
        "unbroadcast",
        "    ct = ct.sum(axis=in_front)\n",
        "",
        "missing-axes",
        "copies not summed",
        8,
    ),
    Wrong(
        "mean of the copies instead of their sum",
        "unbroadcast",
        "ct = ct.sum(axis=in_front)",
        "ct = ct.mean(axis=in_front)",
        "missing-axes",
        "sum of both rows",
        8,
    ),
    Wrong(
        "axes of length 1 forgotten",
        "unbroadcast",
        "return ct.sum(axis=of_length_1, keepdims=True)",
        "return ct",
        "axes-of-length-1",
        "axes of length 1 forgotten",
        9,
    ),
    Wrong(
        "axes of length 1 are lost",
        "unbroadcast",
        "keepdims=True",
        "keepdims=False",
        "axes-of-length-1",
        "axes of length 1 forgotten",
        9,
    ),
    Wrong(
        "the argument itself as its factor",
        "rules",
        PRODUCT_RULE,
        "(a, lambda ct: unbroadcast(ct * a.value, a.value.shape))",
        "elementwise-rules",
        "wrong rule of the product",
        9,
    ),
    Wrong(
        "slope of exp without the cotangent",
        "rules",
        "lambda ct: ct * y",
        "lambda ct: y",
        "elementwise-rules",
        "wrong slope of exp",
        9,
    ),
    Wrong(
        "a power's rule for exp",
        "rules",
        "lambda ct: ct * y",
        "lambda ct: ct * a.value * y",
        "elementwise-rules",
        "wrong slope of exp",
        9,
    ),
    Wrong(
        "matrices without transposes",
        "rules",
        "[(a, lambda ct: ct @ b.value.T), (b, lambda ct: a.value.T @ ct)]",
        "[(a, lambda ct: ct @ b.value), (b, lambda ct: a.value @ ct)]",
        "product-of-matrices",
        "a transpose is missing",
        9,
    ),
    Wrong(
        "path by path",
        "order",
        WALK,
        WALK.replace("elif id(node) not in seen:", "else:"),
        "each-once",
        "visited more than once",
        8,
    ),
    Wrong(
        "in the order in which they are found",
        "order",
        WALK,
        """        elif id(node) not in seen:
            seen.add(id(node))
            parents_first.append(node)
            ahead += [(parent, False) for parent, _ in node.made_from]
    return parents_first""",
        "before-its-parents",
        "wrong order",
        9,
    ),
    Wrong(
        "by recursion",
        "order",
        "    seen, parents_first, ahead = set(), [], [(output, False)]\n",
        """    seen, parents_first = set(), []

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent, _ in node.made_from:
                visit(parent)
            parents_first.append(node)

    visit(output)
    ahead = []
""",
        "each-once",
        "recursion",
        9,
    ),
    Wrong(
        "overwritten instead of added",
        "gradient",
        SUM,
        "cotangents[id(parent)] = share",
        "shares-add-up",
        "overwritten",
        9,
    ),
    Wrong(
        "kept in the tensors",
        "gradient",
        SUM,
        "cotangents[id(parent)] = parent.grad = getattr(parent, 'grad', 0) + share",
        "shares-add-up",
        "kept in the tensors",
        9,
    ),
    Wrong(
        "ties not shared",
        "largest",
        "ct * ties / ties.sum()",
        "ct * ties",
        "ties",
        "ties not shared",
        9,
    ),
    Wrong(
        "ties lost",
        "largest",
        "ties = a.value == y",
        "ties = np.arange(a.value.size).reshape(a.value.shape) == a.value.argmax()",
        "ties",
        "ties lost",
        9,
    ),
    Wrong(
        "a cotangent of ones",
        "check",
        COTANGENT,
        "ct = np.ones(y.value.shape)",
        "rejects-what-is-wrong",
        "blind to a missing transposition",
        9,
    ),
    Wrong(
        "the smallest step that there is",
        "check",
        "h = 1e-5",
        "h = 1e-12",
        "accepts-what-is-right",
        "a right gradient is rejected",
        9,
    ),
    Wrong(
        "too tolerant",
        "check",
        "> 1e-6 * (1 + abs(quotient))",
        "> 1e-2",
        "rejects-what-is-wrong",
        "too tolerant",
        9,
    ),
    Wrong(
        "only one coordinate",
        "check",
        "for i in np.ndindex(x.shape):",
        "for i in [(0,) * x.ndim]:",
        "rejects-what-is-wrong",
        "coordinate 1 is not looked at",
        9,
    ),
]
