"""Context tree weighting of a binary sequence."""

from aixi.predictors.factored import FactoredContextTreeWeighting


class ContextTreeWeighting(FactoredContextTreeWeighting):
    """Context tree weighting (Willems, Shtarkov & Tjalkens 1995): a Bayes mixture over all tree sources.

    The mixture over every tree source S of depth at most D, weighted 2^-Gamma_D(S), in time proportional to D a bit
    and less where contexts repeat. The history before the first bit counts as zeros; `condition` puts real bits of
    the past there instead.

    Args:
        depth: greatest context depth D, in bits.
        estimator: `kt` (Krichevsky-Trofimov) or `zero-redundancy`.

    Example:
        The example of Willems et al. (1995), 0110100 after a past of 010, has the probability 95/32768:

        >>> predictor = ContextTreeWeighting(depth=3)
        >>> for bit in (0, 1, 0):
        ...     predictor.condition(bit)
        >>> round(predictor.update_many([0, 1, 1, 0, 1, 0, 0]), 6)
        8.430144
    """

    def __init__(self, depth: int, estimator: str = "kt") -> None:
        super().__init__(depth, 1, estimator)
