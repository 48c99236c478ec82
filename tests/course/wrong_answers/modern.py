import torch

SQUARES = "slopes.square().sum((1, 2, 3)).mean()"
WRONG = [
    ("13.1", lambda weight, u, times: weight.norm(), "length of all"),
    ("13.1", ("return u @ (matrix @ v)", "return (matrix @ v) @ (matrix @ v)"), "the square"),
    ("13.1", ("range(times)", "range(times + 1)"), "one turn more"),
    ("13.1", ("range(times)", "range(max(1, times - 1))"), "one turn less"),
    ("13.1", lambda w, u, times: torch.linalg.svdvals(w.flatten(1))[0], "That is exact"),
    ("13.2", ("gamma / 2", "gamma"), "halve"),
    ("13.2", (SQUARES, "slopes.square().sum((1, 2, 3)).sqrt().mean()"), "takes its square"),
    ("13.2", ("discriminate(images).sum()", "discriminate(images).mean()"), "divided by the batch"),
    ("13.2", (SQUARES, "slopes.square().sum()"), "averaged over the images\\."),
    ("13.2", (SQUARES, "slopes.square().mean()"), "added over the pixels"),
    ("13.2", (", create_graph=True", ""), "can't learn from it"),
    ("13.2", (SQUARES, SQUARES + ".detach()"), "keeps the graph"),
    ("13.3", ("return [-0.5", "return [0.5"), "Which sign"),
    ("13.3", ("return [-0.5", "return [0.0"), "still pulls"),
    ("13.3", ("return [-0.5", "return [-0.25"), "Write t for"),
    ("13.3", ("-(1 - sigma(3))", "-sigma(3)"), "opposite number"),
    ("13.3", ("-(1 - sigma(3))", "-0.5"), "knows the logit"),
    ("13.3", ("-sigma(2)", "-1"), "with t = 2"),
    ("13.3", ("-sigma(-2)", "-sigma(2)"), "opposite number"),
    ("13.4", lambda: ["γ too small"] * 3, "not a digit differs"),
    ("13.4", lambda: ["no create_graph", "γ too small", "γ too small"], "near 0"),
    ("13.4", lambda: ["no create_graph", "γ too large", "γ too small"], "its size decides"),
    ("13.4", lambda: ["batch norm", "γ too large", "γ too small"], "not on the list"),
]
SECRETS = ["0.047", "0.119", "create_graph=True", "normalize(", "flatten"]
