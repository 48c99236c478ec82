"""Noticing, while a run is under way, that it is going wrong."""

import math

PATIENCE = (
    4  # reports in a row that must show a symptom: early training passes through both briefly
)
LOSS_D_FLOOR = 0.03  # nats above the least there is; so sure a discriminator teaches nothing
SPREAD_FLOOR = 0.1  # of the real images' spread; below, all generated images look the same

SURE = (
    "The discriminator's loss is at its least and stays there: it tells real from fake without "
    "effort, and the generator learns nothing from it. If it comes early, try a higher learning "
    "rate (0.0008 where 0.0002 fails) or a wider network; if late, end the run sooner (--steps)."
)
ALIKE = (
    "The generator draws nearly the same image for every latent vector (mode collapse). Try "
    "another seed or learning rate, and check that the data differ from one another."
)
DIVERGED = (
    "A loss or a weight became NaN or infinite, from which no run recovers. Lower the learning "
    "rate, or set precision to float32."
)


class Diverged(ArithmeticError):
    """The run's figures are no longer finite; it cannot recover."""


class Monitor:
    """Watches a run's figures and says, once for each onset, what is wrong and what to try.

    Parameters
    ----------
    real_label
        What D is to say of real images. The least Loss_D is this label's entropy: 0 for 1.
    """

    def __init__(self, real_label: float = 1.0) -> None:
        self._least_loss_d = -sum(p * math.log(p) for p in (real_label, 1 - real_label) if p > 0)
        self._reports_with = {SURE: 0, ALIKE: 0}

    def check(
        self, loss_d: float, loss_g: float, spread_real: float, spread_fake: float
    ) -> list[str]:
        """Take one report's figures and return the warnings that it is time to give.

        Parameters
        ----------
        loss_d, loss_g
            Loss_D and Loss_G at one step, in nats.
        spread_real, spread_fake
            Standard deviation over the images of a batch, averaged over the pixels.

        Raises
        ------
        Diverged
            If a figure is NaN or infinite.
        """
        if not all(map(math.isfinite, (loss_d, loss_g, spread_real, spread_fake))):
            raise Diverged(DIVERGED)
        alike = spread_real > 0 and spread_fake < SPREAD_FLOOR * spread_real
        warnings = []
        sure = loss_d < self._least_loss_d + LOSS_D_FLOOR
        for symptom, present in {SURE: sure, ALIKE: alike}.items():
            self._reports_with[symptom] = self._reports_with[symptom] + 1 if present else 0
            if self._reports_with[symptom] == PATIENCE:
                warnings.append(symptom)
        return warnings
