import torch


def noisy(copies, classifier, random):
    """Return copies with noise, whose features nobody has brought back."""
    noise = 140 * torch.randn(copies.shape, generator=random)
    return (copies.float() + noise).clamp(0, 255).to(torch.uint8)


MOVES = "range(-2, 3), repeat=2"
WRONG = [
    ("6.1", ("3**2", "3"), "square"),
    ("6.1", ("(1 - 3)", "(1 - 9)"), "standard deviations or variances"),
    ("6.1", ("64 * ", ""), "How many features"),
    ("6.1", ("(5 - 0) ** 2", "77"), "feature by feature"),
    ("6.1", ("3 * 0**2 + 3 * 1**2", "1**2"), "each moment"),
    ("6.1", ("3 * 0**2 + 3 * 1**2", "7"), "means of x"),
    ("6.2", (MOVES, "[0], range(-2, 3)"), "left and right alone"),
    ("6.2", ("(-2, 3)", "(-2, 2)"), "range end"),
    ("6.2", ("(-2, 3)", "(3)"), "negative"),
    ("6.2", (" / 255", ""), "0 to 1"),
    ("6.2", ("return best", "return best**2"), "squared"),
    ("6.2", ("(-2, 3)", "(-4, 5)"), "section 8"),
    ("6.3", ("np.mean(", "min("), "seeds"),
    ("6.3", ("run[:n]", "run"), "same number of samples"),
    ("6.3", ("run[:n], data", "run[:n], data[:200]"), "same real digits"),
    ("6.4", lambda c, k, r: c.clone(), "0.00 from what they copy"),
    ("6.4", noisy, "directions"),
    ("6.4", lambda c, k, r: c.float(), "dtype"),
]
SECRETS = ["(1 - 3)", "64 * 0.5", "range(-2, 3)", "minimum", "[:n]", "randn"]
