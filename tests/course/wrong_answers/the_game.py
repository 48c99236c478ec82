BEST = "torch.where(p + q > 0, p / (p + q), 0.5)"
LENGTHS = "slope.flatten(1).square().sum(dim=1)"
GRADIENT = "(slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)"
BACKWARD = "discriminator(real).sum().backward(create_graph=True)\n    slope = real.grad"
UNTIED = "return 0 * discriminator.weight.sum() + gamma / 2 * slope.detach()"
WRONG = [
    ("0.1", (BEST, "p / (p + q)"), "0 / 0"),
    ("0.1", ("p / (p", "q / (p"), "call real"),
    ("0.1", ("0.5", "0.0"), "neither"),
    ("0.1", (BEST, "(p > q).float()"), "how sure"),
    ("0.1", (BEST, "p"), "derivative"),
    ("0.1", ("torch.special.xlogy(p, d)", "p * d.log()"), "0 times the log"),
    ("0.1", ("-(torch", "(torch"), "climbs"),
    ("0.1", ("sum()", "mean()"), "mean needed"),
    ("0.1", ("d, loss", "d, loss / 2"), "sum of two terms"),
    ("0.1", ("d, loss", "d, loss + 1"), "sum over the bins"),
    ("0.2", ("new_theta, new_psi", "new_psi, new_theta"), "Theta comes first"),
    ("0.2", ("psi if together else new_psi", "psi"), "Which psi"),
    ("0.2", ("(-seen", "(seen"), "saturating"),
    ("0.2", ("    new_psi =", "    rate = -rate\n    new_psi ="), "uphill"),
    ("0.2", ("(psi * theta)", "(psi * theta) * 2"), "Begin with psi"),
    ("0.2", ("theta + rate * seen", "theta + 0"), "theta is not"),
    ("0.3", ("gamma / 2", "gamma"), "the half"),
    ("0.3", ("sum(dim=1).mean()", "sum()"), "sum over the batch"),
    ("0.3", (".sum(dim=1)", ""), "mean over the inputs"),
    ("0.3", (LENGTHS, "slope.flatten(1).norm(dim=1)"), "is the length"),
    ("0.3", (LENGTHS, "(slope.flatten(1).norm(dim=1) - 1).square()"), "toward 1"),
    ("0.3", ("(real).sum()", "(real).mean()"), "averaged before"),
    ("0.3", (GRADIENT, BACKWARD), "left in a `.grad`"),
    ("0.3", (", create_graph=True", ""), "no way back"),
    ("0.3", ("return gamma / 2 * slope", UNTIED), "as its gradient"),
    ("0.3", (LENGTHS, "(discriminator.weight**2)"), "What is squared"),
]
SECRETS = ["p / (p + q)", "create_graph", "sigmoid(", "2 ln 2"]
