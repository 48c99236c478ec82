WRONG = [
    ("12.1", ("each + (rank < left)", "each"), "not add up .*batch of 33"),
    ("12.1", ("each + (rank < left)", "batch / count"), "whole numbers"),
    ("12.1", ("(rank < left)", "left * (rank == 0)"), "differ by more than 1"),
    ("12.1", ("range(count)", "range(1)"), "2 numbers, got 1"),
    ("12.2", (" / sum(sizes)", ""), "Divide by the number"),
    ("12.2", lambda means, sizes: sum(means) / len(means), "count alike"),
    ("12.2", lambda means, sizes: sum(means), "sum of means"),
    ("12.3", (" + (means - mean) ** 2", ""), "that is variance too"),
    ("12.3", ("(weights * means).sum()", "means.mean()"), "Larger shares count"),
    ("12.3", ("mean, variance\n", "mean, variance / (1 - 1 / counts.sum())\n"), "by one"),
]
SECRETS = ["* count", "// count", "(means - mean)", "zip(", "sum(sizes)", "* size"]
