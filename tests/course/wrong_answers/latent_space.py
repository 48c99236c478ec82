def fixed_norm(z, weights):
    total = (weights[:, None, None] * z).sum(0)
    return 10 * total / total.norm(dim=1, keepdim=True)


COST, LOSS = "squared + 0.02", "generator(z) - images)[:, 0, visible]"
FIT = "torch.linalg.lstsq(latents, values[:, None]).solution[:, 0]"
WRONG = [
    ("9.1", ("25**0.5", "25"), "do not add up where"),
    ("9.1", ("10 / 25", "35 / 25"), "variance of the mean"),
    ("9.1", ("3**0.5", "1"), "do not cancel"),
    ("9.1", (" 3, ", " 1, "), r"That is \(b\)"),
    ("9.1", ("(3 / 4)", "(1 / 2)"), "right angle"),
    ("9.2", ("weights.norm()", "weights.sum()"), "too short"),
    ("9.2", (" / weights.norm()", ""), "as it is"),
    ("9.2", ("weights.norm()", "weights.norm() ** 2"), "of each number 1"),
    ("9.2", fixed_norm, "norm varies"),
    ("9.3", (" / slope.norm()", ""), "Divide by its norm"),
    ("9.3", ("return slope", "return -slope"), "values fall"),
    ("9.3", ("latents - latents.mean(0), values - values.mean()", "latents, values"), "constant"),
    ("9.3", (FIT, "values @ latents"), "covariance"),
    ("9.3", (FIT, "latents[values.argmax()]"), "least-squares fit"),
    ("9.4", ("visible]", "visible | True]"), "hidden pixels count"),
    ("9.4", (LOSS, "generator(z) - images * visible)"), "ask for zeros"),
    ("9.4", (COST, "squared + 0.0"), "nothing.*prior"),
    ("9.4", ("visible].square().sum()", "visible].square().mean()"), "The sum"),
    ("9.4", ("Adam([z]", "Adam([z, *generator.parameters()]"), "weights have changed"),
    ("9.4", ("range(300)", "range(20)"), "number of steps"),
]
SECRETS = ["8.66", "17.3", "lstsq", "tensordot", "visible]", "requires_grad"]
