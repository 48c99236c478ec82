TANH, LEAKY = "(1 - torch.tanh(x) ** 2)", "torch.where(x > 0, 1.0, leak)"
BY_UNIT = ".transpose(0, 1).flatten(1)"
ACTIVATION = "torch.nn.LeakyReLU(0.2)"
BEGIN, NORM = f"False),\n        {ACTIVATION},", f"BatchNorm2d(16),\n        {ACTIVATION},"
END = "4, 1, 0, bias=False),"
WRONG = [
    ("3.1", ("-0.6", "0.6"), "Number 1.*sign"),
    ("3.1", (" 0.2,", " -0.2,"), "Number 2.*steep"),
    ("3.1", (" * 2**2", ""), "Number 5.*weight"),
    ("3.2", (f"upstream * {TANH}", TANH), "upstream"),
    ("3.2", (TANH, "(1 - x**2)"), "squared"),
    ("3.2", (TANH, "1"), "section 1"),
    ("3.2", (LEAKY, "(x > 0)"), "negative input"),
    ("3.2", ("1.0, leak", "1.0, -leak"), "sign"),
    ("3.2", ("1.0, leak", "1.0, 0.2"), "argument"),
    ("3.2", (LEAKY, "F.leaky_relu(x, leak)"), "value"),
    ("3.3", (".all(dim=1)", ""), "share of zeros"),
    ("3.3", ("== 0", "<= 0"), "leaks"),
    ("3.3", ("all(", "any("), "some inputs"),
    ("3.3", ("dim=1", "dim=0"), "axis"),
    ("3.3", ("mean()", "sum()"), "count"),
    ("3.3", (BY_UNIT, ".flatten(1).T"), "whole channel"),
    ("3.3", ("return", "return 8.0  #"), "definition"),
    ("3.4", ("LeakyReLU(0.2)", "ReLU()"), "no gradient"),
    ("3.4", (NORM, NORM.replace("0.2", "-0.2")), "rises"),
    ("3.4", (END, f"{END} torch.nn.Tanh()"), "What does the loss take"),
    ("3.4", (ACTIVATION, "torch.nn.Tanh()"), "saturates"),
    ("3.4", ("LeakyReLU(0.2)", "LeakyReLU(0.5)"), "section 6"),
    ("3.4", (BEGIN, "False),"), "one activation"),
    ("3.4", ("BatchNorm2d(16)", "Identity()"), "convolutions"),
]
SECRETS = ["0.0625", "tanh(x) ** 2", "flatten", "transpose", "LeakyReLU(0.2)", "nn.LeakyReLU"]
