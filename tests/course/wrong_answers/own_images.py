WRONG = [
    ("14.1", ("// 4", "// 2"), "in the middle"),
    ("14.1", ("(height - side) // 4", "0"), "cut off above"),
    ("14.1", ("(height - side) // 4", "height - side - (height - side) // 4"), "Which side"),
    ("14.1", ('fit_images(window[None], size, "resize")[0]', "window"), "shape"),
    ("14.2", ("triu(1)", "triu(0)"), "with itself"),
    ("14.2", (".triu(1)", ".fill_diagonal_(False)"), "twice"),
    ("14.2", ("torch.cdist(flat, mirrored)", "torch.cdist(flat, flat)"), "mirrored"),
    ("14.2", ("<= limit", "== 0"), "3 gray levels"),
    ("14.2", ("** 0.5 <= limit", "** 0.5 <= 50 * limit"), "Expected 3 pairs"),
    ("14.3", ("k : k + 3", "k + 1 : k + 2"), "luck"),
    ("14.3", ("k + 2)]", "k + 1)]"), "Which of the three"),
    ("14.3", lambda runs: min((values[-1], rate) for rate, values in runs.items())[::-1], "not it"),
]
SECRETS = ["// 4", "triu", "flip(", "cdist", "float(", "sum(", "k + 2"]
