def one_by_one(wanted, others):
    for other in others:
        wanted = wanted - (wanted @ other) / (other @ other) * other
    return wanted / wanted.norm()


COST, LOSS = "squared + 0.02", "generator(z) - images)[:, 0, visible]"
WRONG = [
    ("9.1", ("25**0.5", "25"), "do not add up where"),
    ("9.1", ("10 / 25", "35 / 25"), "variance of the mean"),
    ("9.1", ("3**0.5", "1"), "do not cancel"),
    ("9.1", (" 3, ", " 1, "), r"That is \(b\)"),
    ("9.1", ("(3 / 4)", "(1 / 2)"), "right angle"),
    ("9.2", (" / left.norm()", ""), "length is .* not 1"),
    ("9.2", ("wanted - basis", "basis"), "the other part"),
    ("9.2", one_by_one, "bring back"),
    ("9.2", ("(others.T)", "(others[:1].T)"), "And the others"),
    ("9.2", ("return left", "return -left"), "right angles to all"),
    ("9.3", ("visible]", "visible | True]"), "hidden pixels count"),
    ("9.3", (LOSS, "generator(z) - images * visible)"), "ask for zeros"),
    ("9.3", (COST, "squared + 0.0"), "nothing.*prior"),
    ("9.3", ("visible].square().sum()", "visible].square().mean()"), "The sum"),
    ("9.3", ("Adam([z]", "Adam([z, *generator.parameters()]"), "weights have changed"),
    ("9.3", ("range(300)", "range(20)"), "number of steps"),
]
SECRETS = ["8.66", "17.3", "linalg", "lstsq", "visible]", "requires_grad"]
