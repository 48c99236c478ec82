"""Plausible wrong answers to the exercises of notebook 11, and what their hint must contain."""

import numpy as np

WRONG = [
    ("11.1", ("first, last\n", "first, last + 1\n"), "one that is seen"),
    ("11.1", ("- padding", "- 0 * padding"), "Padding puts zeros"),
    ("11.1", ("return first,", "return max(0, first),"), "Do not cut off"),
    ("11.1", ("reversed(layers)", "layers"), "other order"),
    ("11.1", ("last * stride", "last"), "Draw the last layer"),
    ("11.1", lambda layers, place: (-5, 90), "Draw the last layer"),
    ("11.1", (", last\n", ", last, place\n"), "2 numbers, got 3"),
    ("11.2", ("gradient, leak * gradient", "gradient, 0"), "not zero"),
    ("11.2", ("where(values > 0", "where(gradient > 0"), "Whose sign"),
    ("11.2", ("return plain, deconvolution", "return plain, plain"), "Which sign decides"),
    ("11.2", ("gradient.clamp(min=0)\n", "gradient * (values > 0)\n"), "own sign"),
    (
        "11.2",
        ("gradient.clamp(min=0)\n", "gradient.clamp(0) + leak * gradient.clamp(max=0)\n"),
        "nothing leaks",
    ),
    ("11.2", ("deconvolution, guided\n", "deconvolution, plain\n"), "Which sign decides"),
    ("11.2", ("guided = gradient.clamp(min=0)", "guided = gradient"), "two conditions"),
    ("11.2", (", guided\n", ", plain.clamp(min=0)\n"), "not even a leak"),
    ("11.2", (", guided\n", "\n"), "3 results, got 2"),
    ("11.2", (", guided\n", ", guided.sum()\n"), "Expected shape"),
    ("11.3", ("known.mean(0), known.std(0)", "new.mean(0), new.std(0)"), "Whose mean|deviation"),
    ("11.3", ("known.std(0)", "known.var(0)"), "variance"),
    ("11.3", ("part - mean", "part"), "taken off first"),
    ("11.3", ("known.std(0)", "known.std(0, ddof=1)"), "Divide by N"),
    ("11.3", ("known.mean(0)", "known.mean()"), "Whose mean"),
    (
        "11.3",
        ("np.where(alike, 0, (part - mean) / divisor)", "(part - mean) / deviation"),
        "deviation is 0",
    ),
    ("11.3", ("(known, new))", "(known,))"), "2 results"),
    ("11.3", ("/ divisor)", "/ divisor)[:, ::2]"), "Expected shape"),
    ("11.4", ("return", "return 1 -"), "how often the second"),
    ("11.4", (" + 0.5 * (pairs == 0).mean()", ""), "may be equal"),
    ("11.4", ("0.5 * ", ""), "all pairs"),
    ("11.4", (".mean()", ".sum()"), "a count"),
    ("11.4", lambda a, b: float(np.mean(a) > np.mean(b)), "not about means"),
    ("11.4", lambda a, b: float(np.mean([x > y for x, y in zip(a, b)])), "not only its"),
    ("11.4", lambda a, b: 0.3, "all pairs"),
]

# What a hint must not give away.
SECRETS = ["- 1)", "clamp", "reversed", "0.5 *", "where(", "std(0)", "outer"]
