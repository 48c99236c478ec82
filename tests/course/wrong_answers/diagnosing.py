"""Plausible wrong answers to the exercises of notebook 08, and what their hint must contain."""

from dcgan_utils.exercises import check_alarm, check_clinic, check_leftover

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


def alarm(below=lambda value, least: value < least, at_start=False, forget=True):
    """Return an answer to 8.2 with chosen faults."""

    def function(values, least, patience):
        count = 0
        for place, value in enumerate(values):
            count = count + 1 if below(value, least) else (0 if forget else count)
            if count == patience:
                return place - patience + 1 if at_start else place
        return None

    return function


WRONG = [
    (check_clinic, diagnoses(A=("healthy", "loss_d")), "run A .* closer to one another"),
    (check_clinic, diagnoses(C=("healthy", "loss_d")), "run C .* never saw"),
    (check_clinic, diagnoses(G=("healthy", "loss_d")), "run G .* D has won"),
    (check_clinic, diagnoses(F=("too little data", "logit_known")), "run F .* D has won"),
    (check_clinic, diagnoses(B=("D wins late", "loss_d")), "run B .* never saw"),
    (check_clinic, diagnoses(E=("too little data", "logit_known")), "run E .* says the same"),
    (check_clinic, diagnoses(H=("eval() too early", "loss_d")), "run H .* single step"),
    (check_clinic, diagnoses(D=("too high a rate", "loss_d")), "run D .* usual size"),
    (check_clinic, diagnoses(D=("wrong range", "gradient_g")), "does not show"),
    (check_clinic, diagnoses(D=("bad data", "loss_d")), "not on the list"),
    (check_clinic, diagnoses(D="wrong range"), "pair for run D"),
    (check_clinic, diagnoses(D=("wrong range",)), "two things"),
    (check_clinic, lambda: {"A": RIGHT["A"]}, "Run B is missing"),
    (check_alarm, alarm(at_start=True), "last of three"),
    (check_alarm, alarm(forget=False), "fine value"),
    (check_alarm, alarm(below=lambda value, least: value <= least), "exactly at the limit"),
    (check_alarm, lambda values, least, patience: 3, "Expected"),
    (check_alarm, lambda values, least, patience: len(values) and min(values) < least, "Expected"),
    (check_leftover, lambda d: (d, 2 * d - 1), "saturating"),
    (check_leftover, lambda d: (0.0, d - 1), "non-saturating"),
    (check_leftover, lambda d: (0.0, 1 - 2 * d), "non-saturating"),
    (check_leftover, lambda d: 2 * d - 1, "pair"),
    (check_leftover, lambda d: (0.0,), "two numbers"),
]

# What a hint must not give away.
SECRETS = [*(f"{name}: {diagnosis!r}" for name, (diagnosis, _) in RIGHT.items()), "2 * d", "2d"]
