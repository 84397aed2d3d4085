"""When things happen in a run: every so many environment steps, and so many updates for each of them."""
from typing import Dict, Optional


class Every:
    """Says when a counter has reached the next multiple of ``freq``. The first call says yes."""

    def __init__(self, freq: int) -> None:
        self.freq = freq
        self.last: Optional[int] = None

    def __call__(self, step: int, force: bool = False) -> bool:
        """
        Overview:
            Whether it is time, at most once for one value of ``step``.
        Arguments:
            - step (:obj:`int`): The counter now; it may jump over multiples.
            - force (:obj:`bool`): Say yes although no multiple is reached, unless ``step`` was already used.
        """
        if self.last is not None and (step == self.last or not force and step // self.freq == self.last // self.freq):
            return False
        self.last = step
        return True


class UpdateRatio:
    """Turns environment steps into updates. What is left of a fraction is carried over to the next call."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.carry = 0.0

    def __call__(self, env_steps: int) -> int:
        """The number of updates that are due after ``env_steps`` more steps of one task."""
        self.carry += self.ratio * env_steps
        updates = int(self.carry)
        self.carry -= updates
        return updates


class Schedule:
    """The counters of a run that decide what comes next; they are part of every checkpoint."""

    def __init__(self, eval_freq: int, checkpoint_freq: int, report_freq: int, replay_ratio: float) -> None:
        self.evaluate = Every(eval_freq)
        self.checkpoint = Every(checkpoint_freq)
        self.report = Every(report_freq)
        self.report.last = 0  # at the start there is nothing to draw
        self.updates = UpdateRatio(replay_ratio)
        self.train_iter = 0
        # Online updates that the environment steps so far still ask for.
        self.due = 0
        # Updates of the warm-up so far, and whether it is over: the tasks are grouped.
        self.warm_up_iter, self.warmed_up = 0, False
        # Highest aggregate score of an evaluation so far, which ckpt_best holds.
        self.best_score = float('-inf')

    def state_dict(self) -> Dict[str, Optional[float]]:
        return {
            'evaluate': self.evaluate.last,
            'checkpoint': self.checkpoint.last,
            'report': self.report.last,
            'carry': self.updates.carry,
            'train_iter': self.train_iter,
            'due': self.due,
            'warm_up_iter': self.warm_up_iter,
            'warmed_up': self.warmed_up,
            'best_score': self.best_score,
        }

    def load_state_dict(self, state: Dict[str, Optional[float]]) -> None:
        self.evaluate.last = state['evaluate']
        self.checkpoint.last = state['checkpoint']
        self.report.last = state['report']
        self.updates.carry = state['carry']
        self.train_iter, self.due = state['train_iter'], state['due']
        self.warm_up_iter, self.warmed_up = state['warm_up_iter'], state['warmed_up']
        self.best_score = state['best_score']
