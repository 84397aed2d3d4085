"""R search trees of single-player games, in LightZero's compiled code (MuZero's PUCT)."""
import inspect
from typing import Optional, Tuple

import numpy as np
from easydict import EasyDict
from lzero.mcts.ctree.ctree_muzero import mz_tree


class Trees:
    """
    Overview:
        R trees that grow by one node a simulation. A tree numbers only the legal actions, so that the others are never
        tried, neither in the root nor below it; legality is a property of the task, not of the state.
        Ties are frequent: a node's first visit is one, since its exploration term is zero. LightZero 0.2.0 breaks them
        by the clock, so its searches cannot be repeated exactly. Later versions can take the first of equals, and are
        always asked to; with `rng` the numbering is shuffled, else one action would be first in every tie.
    Interfaces:
        ``expand_roots``, ``select``, ``backpropagate``, ``visits``, ``values``.
    Arguments:
        - legal (:obj:`np.ndarray`): (R, A) bool.
        - cfg (:obj:`EasyDict`): See :func:`lzero_mow.mcts.tree_search.search`.
        - rng (:obj:`np.random.Generator` or None): Source of the roots' noise and of the numbering; None: no noise.
    Raises:
        - ValueError: When a row has no legal action; LightZero would take all actions as legal.
    """

    def __init__(self, legal: np.ndarray, cfg: EasyDict, rng: Optional[np.random.Generator] = None) -> None:
        if not legal.any(1).all():
            raise ValueError(f'no legal action in rows {np.flatnonzero(~legal.any(1)).tolist()}')
        self._cfg, self._rng = cfg, rng
        rows, num_actions = legal.shape
        self._counts = legal.sum(1)
        rank = np.broadcast_to(np.arange(num_actions), legal.shape) if rng is None else rng.random(legal.shape)
        # (R, A): the tree of row r calls action _action_of[r, j] its action j; the illegal ones come last.
        self._action_of = np.argsort(np.where(legal, rank, num_actions), axis=1, kind='stable')
        self._roots = mz_tree.Roots(rows, [list(range(count)) for count in self._counts.tolist()])
        self._stats = mz_tree.MinMaxStatsList(rows)
        self._stats.set_delta(cfg.value_delta_max)
        self._one_player = [-1] * rows
        parameters = inspect.signature(mz_tree.batch_traverse).parameters
        self._first_of_equals = dict(deterministic=True) if 'deterministic' in parameters else {}
        self._results = None

    def expand_roots(self, policy_logits: np.ndarray) -> None:
        """Expand the roots with logits (R, A) over all actions."""
        no_reward, logits = [0.0] * len(self._counts), self._in_tree_order(policy_logits)
        if self._rng is None:
            self._roots.prepare_no_noise(no_reward, logits, self._one_player)
            return
        alpha = self._cfg.root_dirichlet_alpha
        noise = [self._rng.dirichlet([alpha] * count).tolist() for count in self._counts.tolist()]
        self._roots.prepare(self._cfg.root_noise_weight, noise, no_reward, logits, self._one_player)

    def select(self) -> Tuple[np.ndarray, np.ndarray]:
        """
        Overview:
            Walk down each tree to where it will grow.
        Returns:
            - parent (:obj:`np.ndarray`): (R,) int64, number of the node that gets a child; the root is 0.
            - action (:obj:`np.ndarray`): (R,) int64, the action from there to the new node.
        """
        cfg = self._cfg
        self._results = mz_tree.ResultsWrapper(num=len(self._counts))
        parent, row, number, _ = mz_tree.batch_traverse(
            self._roots, cfg.pb_c_base, cfg.pb_c_init, cfg.discount_factor, self._stats, self._results,
            self._one_player, **self._first_of_equals
        )
        return np.asarray(parent), self._action_of[row, number]

    def backpropagate(self, node: int, reward: np.ndarray, value: np.ndarray, policy_logits: np.ndarray) -> None:
        """
        Overview:
            Add what was selected as node number `node`, and update the path to it.
        Arguments:
            - node (:obj:`int`): 1 for the first simulation.
            - reward (:obj:`np.ndarray`): (R,) on the way to the node; value (:obj:`np.ndarray`): (R,) of the node.
            - policy_logits (:obj:`np.ndarray`): (R, A) of the node.
        """
        mz_tree.batch_backpropagate(
            node, self._cfg.discount_factor, reward.tolist(), value.tolist(), self._in_tree_order(policy_logits),
            self._stats, self._results, self._one_player
        )

    def visits(self) -> np.ndarray:
        """(R, A) float32, each action's share of the simulations."""
        numbered = np.zeros(self._action_of.shape, dtype=np.float32)
        numbered[np.arange(numbered.shape[1]) < self._counts[:, None]] = np.concatenate(self._roots.get_distributions())
        shares = np.empty_like(numbered)
        np.put_along_axis(shares, self._action_of, numbered, 1)
        return shares / shares.sum(1, keepdims=True)

    def values(self) -> np.ndarray:
        """(R,) float32, of the roots: the simulations' returns added up, over their number and one, as in LightZero."""
        return np.asarray(self._roots.get_values(), dtype=np.float32)

    def _in_tree_order(self, policy_logits: np.ndarray) -> list:
        """R lists of the legal actions' logits, in the order of the trees."""
        logits = np.take_along_axis(policy_logits, self._action_of, 1).tolist()
        return [row[:count] for row, count in zip(logits, self._counts)]
