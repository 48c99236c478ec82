RIGHT = {
    "A": ("few digits", "fake_nearest"),
    "B": ("eval() too early", "loss_d"),
    "C": ("too little data", "logit_held_out"),
    "D": ("wrong range", "fake_brightest"),
    "E": ("healthy", "loss_d"),
    "F": ("D wins late", "loss_d"),
    "G": ("detach missing", "gradient_g"),
    "H": ("too high a rate", "logit_known"),
}


def diagnoses(**changes):
    """Return an answer to 8.1 with some diagnoses changed."""
    return lambda: RIGHT | changes


WRONG = [
    ("8.1", diagnoses(A=("healthy", "loss_d")), "run A .* closer to one another"),
    ("8.1", diagnoses(F=("too little data", "logit_known")), "run F .* D has won"),
    ("8.1", diagnoses(D=("wrong range", "gradient_g")), "does not show"),
    ("8.1", diagnoses(D=(["wrong range"], {})), "not on the list"),
    ("8.2", ("return place", "return place - patience + 1"), "Expected 3"),
    ("8.2", ("else 0", "else count"), "Expected 5"),
    ("8.2", ("< least", "<= least"), "Expected None"),
    ("8.3", ("before, -after", "-before, -after"), "Number 1"),
    ("8.3", ("-after,", "-before,"), "Number 2"),
    ("8.3", ("after - 1", "1 - after"), "Number 3"),
    ("8.4", ("2 / (1", "1 / (1"), "a half in front"),
    ("8.4", ("> 0", "< 0"), "derivative by w is 0"),
    ("8.4", ("return low", "return low, high"), "number"),
]
SECRETS = [*(f"{name}: {answer!r}" for name, (answer, _) in RIGHT.items()), "after - 1", "2.128"]
