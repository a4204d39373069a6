"""How chosen points of the head move with the coefficients, in the two layouts that the fit needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Float32, Float64
from rendering.fitting.parameters import POSE


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingPoints:
    """K points of the head, linear in E expression and S identity coefficients."""

    mean: Float64
    """(K, 3) m."""
    expression: Float32
    """Expression modes, (E, 3 K)."""
    identity: Float32
    """Identity modes, (S, 3 K)."""
    lines: Float32
    """Modes in the order of a Jacobian row, 0 at pose, log focal and residual: (K, 3, E + 6 + S + 2)."""

    @property
    def expression_modes(self) -> int:
        """Number of expression modes, E."""
        return len(self.expression)

    def points(self, identity: Float64, expression: Float64) -> Float64:
        """Head-space positions, (N, K, 3) m; expression (N, E)."""
        neutral = self.mean.reshape(-1) + identity.astype(np.float32) @ self.identity
        moved = expression.astype(np.float32) @ self.expression
        return np.asarray((neutral + moved).reshape(-1, *self.mean.shape))


def moving_points(mean: Float64, expression_basis: Float32, identity_basis: Float32) -> MovingPoints:
    """Points (K, 3) with their bases (E, K, 3) and (S, K, 3)."""
    modes = len(expression_basis)
    # The columns of pose, log focal and residual stay 0: fill_line overwrites them.
    lines = np.zeros((len(mean), 3, modes + len(identity_basis) + POSE + 2), np.float32)
    lines[:, :, :modes] = expression_basis.transpose(1, 2, 0)
    lines[:, :, modes + POSE : -2] = identity_basis.transpose(1, 2, 0)
    return MovingPoints(
        mean=mean.astype(np.float64),
        expression=np.ascontiguousarray(expression_basis.reshape(modes, -1), dtype=np.float32),
        identity=np.ascontiguousarray(identity_basis.reshape(len(identity_basis), -1), dtype=np.float32),
        lines=lines,
    )
