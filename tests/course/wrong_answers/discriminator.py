import numpy as np

WRONG = [
    ("11.1", ("first, last\n", "first, last + 1\n"), "one that is seen"),
    ("11.1", ("- padding", "- 0 * padding"), "Padding puts zeros"),
    ("11.1", ("return first,", "return max(0, first),"), "Do not cut off"),
    ("11.1", ("reversed(layers)", "layers"), "other order"),
    ("11.1", ("last * stride", "last"), "Draw the last layer"),
    ("11.2", ("gradient, leak * gradient", "gradient, 0"), "not zero"),
    ("11.2", ("where(values > 0", "where(gradient > 0"), "Whose sign"),
    ("11.2", ("gradient.clamp(min=0)\n", "gradient * (values > 0)\n"), "own sign"),
    ("11.2", ("min=0)\n", "min=0) + leak * gradient.clamp(max=0)\n"), "nothing leaks"),
    ("11.2", ("deconvolution, guided\n", "deconvolution, plain\n"), "Which sign decides"),
    ("11.2", ("guided = gradient.clamp(min=0)", "guided = gradient"), "two conditions"),
    ("11.2", (", guided\n", ", plain.clamp(min=0)\n"), "not even a leak"),
    ("11.3", ("known.mean(0), known.std(0)", "new.mean(0), new.std(0)"), "Whose mean|deviation"),
    ("11.3", ("known.std(0)", "known.var(0)"), "variance"),
    ("11.3", ("part - mean", "part"), "taken off first"),
    ("11.3", ("known.std(0)", "known.std(0, ddof=1)"), "Divide by N"),
    ("11.3", ("deviation == 0", "deviation < 0"), "deviation is 0"),
    ("11.4", ("return", "return 1 -"), "how often the second"),
    ("11.4", (" + 0.5 * (pairs == 0).mean()", ""), "may be equal"),
    ("11.4", ("0.5 * ", ""), "all pairs"),
    ("11.4", (".mean()", ".sum()"), "a count"),
    ("11.4", lambda a, b: float(np.mean(a) > np.mean(b)), "not about means"),
    ("11.4", lambda a, b: float(np.mean([x > y for x, y in zip(a, b)])), "not only its"),
]
SECRETS = ["- 1)", "clamp", "reversed", "0.5 *", "where(", "std(0)", "outer"]
