"""R search trees for single-player games, LightZero's compiled ones (MuZero's PUCT)."""
import inspect
from typing import Optional, Tuple

import numpy as np
from easydict import EasyDict
from lzero.mcts.ctree.ctree_muzero import mz_tree


class Trees:
    """
    R trees that grow by one node per simulation. A tree contains only the legal actions (R, A) of its row, so the
    others are never tried, at the root or below it; legality is a property of the task, not of the state. ValueError if
    a row has no legal action, because LightZero would treat all of its actions as legal.

    Ties are frequent: every first visit to a node is one, because its exploration term is zero. LightZero 0.2.0 breaks
    ties by the clock, so its searches cannot be repeated exactly. Later versions can take the first of equals, and we
    always ask for that; with `rng`, from which the roots' noise comes too, the order is shuffled, or one action would
    win every tie.
    """

    def __init__(self, legal: np.ndarray, cfg: EasyDict, rng: Optional[np.random.Generator] = None) -> None:
        if not legal.any(1).all():
            raise ValueError(f'no legal action in rows {np.flatnonzero(~legal.any(1)).tolist()}')
        self._cfg, self._rng = cfg, rng
        rows, num_actions = legal.shape
        self._counts = legal.sum(1)
        rank = np.broadcast_to(np.arange(num_actions), legal.shape) if rng is None else rng.random(legal.shape)
        # (R, A): action j in the tree of row r is action _action_of[r, j]; the illegal ones come last.
        self._action_of = np.argsort(np.where(legal, rank, num_actions), axis=1, kind='stable')
        self._roots = mz_tree.Roots(rows, [list(range(count)) for count in self._counts.tolist()])
        self._stats = mz_tree.MinMaxStatsList(rows)
        self._stats.set_delta(cfg.value_delta_max)
        self._one_player = [-1] * rows
        parameters = inspect.signature(mz_tree.batch_traverse).parameters
        self._first_of_equals = dict(deterministic=True) if 'deterministic' in parameters else {}
        self._results = None

    def expand_roots(self, policy_logits: np.ndarray) -> None:
        """Expand the roots with the logits (R, A) of their priors."""
        no_reward, logits = [0.0] * len(self._counts), self._in_tree_order(policy_logits)
        if self._rng is None:
            self._roots.prepare_no_noise(no_reward, logits, self._one_player)
            return
        alpha = self._cfg.root_dirichlet_alpha
        noise = [self._rng.dirichlet([alpha] * count).tolist() for count in self._counts.tolist()]
        self._roots.prepare(self._cfg.root_noise_weight, noise, no_reward, logits, self._one_player)

    def select(self) -> Tuple[np.ndarray, np.ndarray]:
        """Walk down each tree: the node that gets a child (R,), the root is 0, and the action that leads to it (R,)."""
        cfg = self._cfg
        self._results = mz_tree.ResultsWrapper(num=len(self._counts))
        parent, row, index, _ = mz_tree.batch_traverse(
            self._roots, cfg.pb_c_base, cfg.pb_c_init, cfg.discount_factor, self._stats, self._results,
            self._one_player, **self._first_of_equals
        )
        return np.asarray(parent), self._action_of[row, index]

    def backpropagate(self, node: int, reward: np.ndarray, value: np.ndarray, policy_logits: np.ndarray) -> None:
        """Add the selected child as `node`, with reward (R,), value (R,) and logits (R, A), and update its path."""
        mz_tree.batch_backpropagate(
            node, self._cfg.discount_factor, reward.tolist(), value.tolist(), self._in_tree_order(policy_logits),
            self._stats, self._results, self._one_player
        )

    def visits(self) -> np.ndarray:
        """(R, A) float32, the share of the simulations that took each action."""
        in_tree_order = np.zeros(self._action_of.shape, dtype=np.float32)
        legal = np.arange(in_tree_order.shape[1]) < self._counts[:, None]
        in_tree_order[legal] = np.concatenate(self._roots.get_distributions())
        visits = np.empty_like(in_tree_order)
        np.put_along_axis(visits, self._action_of, in_tree_order, 1)
        return visits / visits.sum(1, keepdims=True)

    def values(self) -> np.ndarray:
        """(R,) float32, root values: the sum of the simulations' returns / (simulations + 1), as in LightZero."""
        return np.asarray(self._roots.get_values(), dtype=np.float32)

    def _in_tree_order(self, policy_logits: np.ndarray) -> list:
        """R lists of the legal actions' logits, in the order of the tree's actions."""
        logits = np.take_along_axis(policy_logits, self._action_of, 1).tolist()
        return [row[:count] for row, count in zip(logits, self._counts)]
