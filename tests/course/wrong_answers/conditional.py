WRONG = [
    ("10.1", ("randint(1,", "randint(0,"), "Some of them are right"),
    ("10.1", (") % classes", ")"), "no class"),
    ("10.1", (", generator=random", ""), "gave other labels"),
    ("10.1", lambda labels, classes, random: (labels + 1) % classes, "equally often"),
    ("10.2", ("weight[:, 1:]", "weight"), "image's own"),
    ("10.2", (".sum((2, 3))", ".mean((2, 3))"), "adds up"),
    ("10.2", ("[:, 1:]", "[:, 1:, 1:, 1:]"), "corner"),
    ("10.2", ("[:, 1:].sum((2, 3))", "[:, 1:, 0, 0]"), "Which kernels"),
    ("10.3", lambda p, q: (p / (p + q), (p / (p + q)).mean(1)), "mean of answers"),
    ("10.3", lambda p, q: (p / (p + q), (p / (p + q)).sum(1)), "whatever its label"),
    ("10.3", ("return p /", "return q /"), "share of generated"),
    ("10.3", ("/ (p + q)", "/ q"), "compares p with q"),
    ("10.4", ("torch.cdist(part, known)", "(-part @ known.T)"), "bright"),
    ("10.4", ("(part, known)", "(part, known, 1)"), "absolute"),
    ("10.4", (" != truth", " == truth"), "is right"),
]
SECRETS = ["randint(1", "sum((2, 3))", "p / (p + q)", "cdist"]
