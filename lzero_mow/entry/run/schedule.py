"""When things happen in a run: periodically in environment steps, and a number of updates for each step."""
from typing import Dict, Optional


class Every:
    """Tells when a counter has reached the next multiple of ``freq``. The first call says yes."""

    def __init__(self, freq: int) -> None:
        self.freq = freq
        self.last: Optional[int] = None

    def __call__(self, step: int, force: bool = False) -> bool:
        """
        Whether it is time, at most once per value of ``step``, which may skip multiples. With ``force`` it is time
        without a multiple too.
        """
        if self.last is not None and (step == self.last or not force and step // self.freq == self.last // self.freq):
            return False
        self.last = step
        return True


class UpdateRatio:
    """Turns environment steps into updates. The fraction left over is carried to the next call."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.carry = 0.0

    def __call__(self, env_steps: int) -> int:
        """The number of updates due after ``env_steps`` more steps of each task."""
        self.carry += self.ratio * env_steps
        updates = int(self.carry)
        self.carry -= updates
        return updates


class Schedule:
    """The counters of a run that decide what happens next; every checkpoint has them."""

    def __init__(self, eval_freq: int, checkpoint_freq: int, report_freq: int, replay_ratio: float) -> None:
        self.evaluate = Every(eval_freq)
        self.checkpoint = Every(checkpoint_freq)
        self.report = Every(report_freq)
        self.report.last = 0  # at the start there is nothing to draw
        self.updates = UpdateRatio(replay_ratio)
        self.train_iter = 0
        # Online updates that are still due for the environment steps so far.
        self.due = 0
        # Updates of the warm-up so far, and whether it is over and the tasks are grouped.
        self.warm_up_iter, self.warmed_up = 0, False
        # Highest aggregate score of an evaluation so far, which ckpt_best holds.
        self.best_score = float('-inf')

    def state_dict(self) -> Dict[str, Optional[float]]:
        return dict(
            evaluate=self.evaluate.last, checkpoint=self.checkpoint.last, report=self.report.last,
            carry=self.updates.carry, train_iter=self.train_iter, due=self.due, warm_up_iter=self.warm_up_iter,
            warmed_up=self.warmed_up, best_score=self.best_score
        )

    def load_state_dict(self, state: Dict[str, Optional[float]]) -> None:
        self.evaluate.last = state['evaluate']
        self.checkpoint.last = state['checkpoint']
        self.report.last = state['report']
        self.updates.carry = state['carry']
        self.train_iter, self.due = state['train_iter'], state['due']
        self.warm_up_iter, self.warmed_up = state['warm_up_iter'], state['warmed_up']
        self.best_score = state['best_score']
