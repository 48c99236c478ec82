NO_GRADIENT, ZERO = "parameter.grad is None", "not parameter.grad.any()"
TEST = f"{NO_GRADIENT} or {ZERO}"
LAST = ", nn.Conv2d(maps, 1, 4, 1, 0, bias=False)"
RETURN = "return nn.Sequential("
LINEAR = "nn.Flatten(), nn.Linear(100, 4096), nn.Unflatten(1, (256, 4, 4)), *layers[1:3]"
UPSAMPLE = "nn.Upsample(scale_factor=2), nn.Conv2d(32, 3, 3, padding=1)"
LAYER = "after, 4, stride, padding, bias=False"
END = "nn.ConvTranspose2d(32, 3, 4, 2, 1, bias=False)"
WRONG = [
    ("4.1", ("(16, 4", "(8, 4"), "Layer 1: the number of ch"),
    ("4.1", ("16, 4, 4", "16, 2, 2"), "Layer 1: the side"),
    ("4.1", ("16, 4, 4", "4, 4, 16"), "order is channels"),
    ("4.1", ("7600", "7552"), "Batch norm has parameters"),
    ("4.1", ("7600", "7606"), "image itself gets no batch norm"),
    ("4.1", ("7600", "4296"), "each layer by itself"),
    ("4.2", ("network.zero_grad()", "pass"), "missing.* after a step.* made by this call"),
    ("4.2", (NO_GRADIENT, "parameter.grad is not None"), "gets? a gradient"),
    ("4.2", (TEST, f"not ({NO_GRADIENT}) and {ZERO}"), "spare.* is missing"),
    ("4.2", (ZERO, "(parameter.grad == 0).any()"), "half .*whole tensor"),
    ("4.2", (TEST, NO_GRADIENT), "0.bias is missing .* all off"),
    ("4.2", lambda network, x: ["main.99.weight"], "no parameter of the net"),
    ("4.3", ("nn.LeakyReLU(0.2)]", "nn.ReLU()]"), "Expected a Leaky.* layer 1"),
    ("4.3", ("0.2", "0.01"), "negative_slope 0.2 .*got 0.01"),
    ("4.3", ("bias=False", "bias=True"), "bias False .*got True"),
    ("4.3", (LAST, f"{LAST}, nn.Sigmoid()"), "expected 12 layers, got 13"),
    ("4.3", ("image_size // 2", "32"), "at 16×16"),
    ("4.4", (f"{RETURN}*layers", f"{RETURN}{LINEAR}, *layers[3:]"), "Rule 2"),
    ("4.4", (END, UPSAMPLE), "Rule 1"),
    ("4.4", ("nn.Tanh()", "nn.Sigmoid()"), "Rule 4"),
    ("4.4", ("nn.BatchNorm2d(after),", ""), "after layer 1 of 5 is .'ReLU"),
    ("4.4", (LAYER, LAYER.replace("False", "True")), "Layer 1.*without bias"),
    ("4.4", ("64", "32"), "got .256, 128, 32, 32, 3."),
    ("4.4", (END, END.replace("2, 1", "1, 0")), "Expected shape"),
]
SECRETS = ["7600", "7,600", "zero_grad", "2 * maps", "nn.Tanh", "grad.any", "[(16, 4, 4)"]
