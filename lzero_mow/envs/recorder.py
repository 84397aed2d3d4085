"""Videos of play."""
import os

import numpy as np


class Recorder:
    """Writes one mp4 file per episode into an existing folder."""

    def __init__(self, folder: str, frames_per_second: float) -> None:
        self._folder, self._frames_per_second, self._writer = folder, frames_per_second, None

    def start(self, name: str, frame: np.ndarray) -> None:
        """Begin ``<folder>/<name>.mp4`` with a frame, uint8 (height, width, 3); a video in progress is finished."""
        import imageio  # slow to import, and only needed here
        self.close()
        path = os.path.join(self._folder, f'{name}.mp4')
        self._writer = imageio.get_writer(path, fps=self._frames_per_second, macro_block_size=2)
        self._writer.append_data(frame)

    def add(self, frame: np.ndarray, last: bool) -> None:
        """Add a frame to the video in progress, if any; the last one finishes it."""
        if self._writer is not None:
            self._writer.append_data(frame)
            if last:
                self.close()

    def close(self) -> None:
        """Finish the video in progress, if any."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
