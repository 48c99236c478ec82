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
    ("8.1", diagnoses(E=("too little data", "logit_known")), "run E .* says the same"),
    ("8.1", diagnoses(D=("wrong range", "gradient_g")), "does not show"),
    ("8.1", diagnoses(D=(["wrong range"], {})), "not on the list"),
    ("8.1", diagnoses(D="wrong range"), "Run D needs a pair"),
    ("8.2", ("return place", "return place - patience + 1"), "Expected 3"),
    ("8.2", ("else 0", "else count"), "Expected 5"),
    ("8.2", ("< least", "<= least"), "Expected None"),
    ("8.3", ("of_d = d", "of_d = 2 * d"), "Number 1"),
    ("8.3", ("of_d - (1 - d)", "d - 1"), "Number 2"),
    ("8.3", ("return of_d - d,", "return"), "2 numbers"),
]
SECRETS = [*(f"{name}: {diagnosis!r}" for name, (diagnosis, _) in RIGHT.items()), "2 * d", "2d"]
