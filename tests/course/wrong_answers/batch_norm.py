from torch import nn


def as_batch_norm(x, groups, gamma, beta, eps=1e-5):
    return nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


AFFINE = "gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)"
RETURN, NO_AFFINE = "return network", "nn.BatchNorm2d(16, affine=False)"
MEANS = "along = (g * x_hat)"
WRONG = [
    ("2.1", ("3, 3]", "1, 1]"), "Number 3.*gamma"),
    ("2.1", ("81", "78"), "Number 6.*which variance"),
    ("2.1", ("81, 7", "81, 9"), "evaluation mode use"),
    ("2.2", ("groups, -1)", "1, -1)"), "All channels of an image"),
    ("2.2", ("groups, -1)", "x.shape[1], -1)"), "Every channel has a mean"),
    ("2.2", as_batch_norm, "That is batch norm"),
    ("2.2", ("correction=0", "correction=1"), "n or n - 1"),
    ("2.2", (AFFINE, "gamma * x_hat + beta"), "along W"),
    ("2.2", (AFFINE, "x_hat"), "no effect"),
    ("2.2", ("torch.sqrt(var + eps)", "(torch.sqrt(var) + eps)"), "Where does eps"),
    ("2.3", ("(g - g.mean(axes, keepdim=True) - x_hat * along)", "g"), "as constants"),
    ("2.3", (" * gamma.reshape(1, -1, 1, 1)", ""), "What stands between"),
    ("2.3", ("- g.mean(axes, keepdim=True)", ""), "missing: shifts"),
    ("2.3", ("- x_hat * along", ""), "missing: stretches"),
    ("2.3", ("along) / sigma", "along)"), "By what is a gradient divided"),
    ("2.3", ("(grad_y * x_hat).sum", "(grad_y * x).sum"), "What is gamma multiplied with"),
    ("2.3", (MEANS, "axes = (0,)\n    " + MEANS), "over the batch alone"),
    ("2.3", ("+ eps", "+ 1e-5"), "in the gradient for x .eps=0.5"),
    ("2.3", ("sum(axes)", "mean(axes)"), "for gamma.*Is a mean what adds up"),
    ("2.4", ("bias=False", "bias=True"), "takes it away again"),
    ("2.4", ("BatchNorm2d(16)", "BatchNorm2d(16, 0.8)"), "adds 0.8"),
    ("2.4", ("nn.Tanh()", "nn.BatchNorm2d(1), nn.Tanh()"), "before the Tanh"),
    ("2.4", ("normal_(1,", "normal_(0,"), "A gamma has mean"),
    ("2.4", ("normal_(0, 0.02", "normal_(0, 0.14"), "A convolution's weights"),
    ("2.4", ("nn.ReLU()", "nn.Identity()"), "Keep the layers"),
    ("2.4", ("(0, 0.02, generator=random)", "(0, 0.02)"), "same seed"),
    ("2.4", (RETURN, f"network[1] = {NO_AFFINE}\n    {RETURN}"), "needs a gamma"),
]
SECRETS = ["bias=False", "correction=", "(0, 2, 3)", " 81", "[-1", "keepdim", "1, 0.02", ".sum("]
