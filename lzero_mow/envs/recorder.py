"""
Videos of play.
"""
import os

import numpy as np


class Recorder:
    """
    Overview:
        Writes the frames of one episode after another as mp4 files.
    Arguments:
        - folder (:obj:`str`): Where the videos go; must exist.
        - frames_per_second (:obj:`float`): Speed of the videos.
    """

    def __init__(self, folder: str, frames_per_second: float) -> None:
        self._folder = folder
        self._frames_per_second = frames_per_second
        self._writer = None

    def start(self, name: str, frame: np.ndarray) -> None:
        """
        Overview:
            Begin the video of an episode; one in progress is finished first.
        Arguments:
            - name (:obj:`str`): Name of the file without its ending.
            - frame (:obj:`np.ndarray`): The first picture, uint8 (height, width, 3).
        """
        import imageio  # only those who record wait for it
        self.close()
        path = os.path.join(self._folder, f'{name}.mp4')
        self._writer = imageio.get_writer(path, fps=self._frames_per_second, macro_block_size=2)
        self._writer.append_data(frame)

    def add(self, frame: np.ndarray, last: bool) -> None:
        """Add a picture to the video in progress, if there is one; the last one finishes it."""
        if self._writer is not None:
            self._writer.append_data(frame)
            if last:
                self.close()

    def close(self) -> None:
        """Finish the video in progress, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
