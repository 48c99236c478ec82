import torch
import torch.nn.functional as F


def one_mean(logits_real, logits_fake):
    return F.softplus(torch.cat([-logits_real, logits_fake])).mean()


def g_first(g, d, batches, random):
    """Train, G before D."""
    losses, label = [], F.binary_cross_entropy_with_logits
    of_g, of_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d))
    for real in batches:
        fake = g(torch.randn(len(real), g.latent_size, generator=random))
        logits = d(fake)
        loss_g = label(logits, torch.ones_like(logits))
        of_g.zero_grad()
        loss_g.backward()
        of_g.step()
        logits, others = d(real), d(fake.detach())
        loss_d = label(logits, torch.ones_like(logits)) + label(others, torch.zeros_like(others))
        of_d.zero_grad()
        loss_d.backward()
        of_d.step()
        losses.append((loss_d.item(), loss_g.item()))
    return losses


REAL, FAKE = "logsigmoid(logits_real).mean()", "logsigmoid(-logits_fake).mean()"
EXCHANGE = "logits_real, logits_fake = -logits_real, -logits_fake\n    return"
STEP_OF_D = "torch.optim.SGD(discriminator.parameters(), 0.1).step()\n    return loss"
SEPARATE = "discriminator(real), discriminator(fake.detach())"
TOGETHER = "discriminator(torch.cat([real, fake.detach()])).split(len(real))"
BOTH = "[*generator.parameters(), *discriminator.parameters()]"
ASK = "logits = discriminator(fake)"
DRAW = "fake = generator(torch.randn(len(real), generator.latent_size, generator=random))"
FOR, NAIVE = "for real in batches:", "(lambda x: x.sigmoid().log())"
ADAM = "optimizer_{} = torch.optim.Adam({}.parameters(), **adam)"
NEW = "\n        ".join([ADAM.format("g", "generator"), ADAM.format("d", "discriminator")])
WRONG = [
    ("5.1", (f"-{REAL} -", f"{REAL} +"), "sign"),
    ("5.1", ("mean()", "mean() / 2"), "sum of the two terms"),
    ("5.1", ("mean()", "sum()"), "mean over each batch"),
    ("5.1", one_mean, "mean of their own"),
    ("5.1", ("return", EXCHANGE), "labels are swapped"),
    ("5.1", (f" - {FAKE}", ""), "two terms"),
    ("5.1", ("logsigmoid", NAIVE), "round to exactly 0"),
    ("5.2", ("ones_like", "zeros_like"), "Which label"),
    ("5.2", ("generator(z)", "generator(z).detach()"), "RuntimeError|gradient"),
    ("5.2", ("optimizer.zero_grad()", "pass"), "before the step"),
    ("5.2", ("optimizer.step()", "pass"), "step missing"),
    ("5.2", ("return loss", STEP_OF_D), "discriminator's weights to stay"),
    ("5.3", ("0.5", "0.9"), "0.9"),
    ("5.3", (SEPARATE, TOGETHER), "batches of their own"),
    ("5.3", ("(logits, torch.ones", "(logits, torch.zeros"), "Which label"),
    ("5.3", (".zero_grad()", ".state"), "before the step"),
    ("5.3", g_first, "comes first"),
    ("5.3", ("Adam(generator.parameters()", f"Adam({BOTH}"), "leave D's weights"),
    ("5.3", (ASK, f"{DRAW}\n        {ASK}"), "D's step has used"),
    ("5.3", (FOR, f"{FOR}\n        {NEW}"), "once, before the loop"),
    ("5.3", (ASK, ASK.replace("fake", "fake.detach()")), "reach them"),
    ("5.3", ("loss_g.item()", "-loss_g.item()"), "not the losses of"),
    ("5.3", ("return losses", "return losses[:2]"), "one a batch"),
    ("5.4", ("D wins late", "healthy"), "Look at Loss_D at"),
    ("5.4", ('"T": "healthy"', '"T": "D wins late"'), "come back"),
    ("5.4", ('"P": "healthy"', '"P": "fine"'), "not one of"),
    ("5.4", ('        "T": "healthy",\n', ""), "missing"),
]
SECRETS = ["logsigmoid", "softplus", "ones_like", "zero_grad"]
