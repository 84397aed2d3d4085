"""
The open-loop video: what the world model imagines, beside what happened.

The model sees the context frames, then dreams on with the true actions. Each frame of the video stacks three rows, true
over imagined over difference; its border is green while the model still sees real frames and red once it imagines.
"""
import imageio.v2 as imageio
import numpy as np
from PIL import Image, ImageDraw

from lzero_mow.utils.files import replacing

ROWS = ('true', 'imagined', 'difference')
GREEN = (0, 160, 60)
RED = (220, 40, 40)
# libx264 wants sides that are multiples of 16: captions, two borders and an upscaled cell are.
BORDER = 8
CAPTION_WIDTH = 80


def open_loop_frames(open_loop: np.ndarray, context: int, scale: int = 4) -> np.ndarray:
    """
    Overview:
        Lay out the rows of one task as frames a person can look at: upscaled, bordered, row names at the left.
    Arguments:
        - open_loop (:obj:`np.ndarray`): (3, T, 3, H, W) in [0, 1]; the rows are true, imagined and difference.
        - context (:obj:`int`): The first ``context`` frames were shown to the model: 1 <= context <= T.
        - scale (:obj:`int`): Screen pixels a side of one image pixel.
    Returns:
        - frames (:obj:`np.ndarray`): (T, 3 * (H * scale + 16), W * scale + 96, 3), uint8.
    """
    n_rows, T, channels, H, W = open_loop.shape
    if (n_rows, channels) != (len(ROWS), 3):
        raise ValueError(f'open_loop has shape {open_loop.shape}, expected (3, T, 3, H, W)')
    if not 1 <= context <= T:
        raise ValueError(f'context is {context}, expected 1 to {T}, the number of frames')
    pixels = np.rint(np.clip(open_loop, 0, 1) * 255).astype(np.uint8).transpose(1, 0, 3, 4, 2)  # (T, row, H, W, 3)
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    colour = np.where(np.arange(T)[:, None] < context, np.uint8(GREEN), np.uint8(RED))  # (T, 3)
    cells = np.empty((T, n_rows, H * scale + 2 * BORDER, W * scale + 2 * BORDER, 3), dtype=np.uint8)
    cells[:] = colour[:, None, None, None]
    cells[:, :, BORDER:-BORDER, BORDER:-BORDER] = pixels
    columns = cells.reshape(T, n_rows * cells.shape[2], cells.shape[3], 3)
    captions = np.broadcast_to(_captions(cells.shape[2]), (T, columns.shape[1], CAPTION_WIDTH, 3))
    return np.concatenate([captions, columns], axis=2)


def _captions(cell_height: int) -> np.ndarray:
    strip = Image.new('RGB', (CAPTION_WIDTH, cell_height * len(ROWS)), 'white')
    draw = ImageDraw.Draw(strip)
    for row, name in enumerate(ROWS):
        draw.text((CAPTION_WIDTH // 2, (row + 0.5) * cell_height), name, fill='black', anchor='mm')
    return np.asarray(strip)


def write_open_loop_video(path: str, open_loop: np.ndarray, context: int, scale: int = 4, fps: int = 8) -> None:
    """
    Write one task's ``open_loop_frames`` as mp4 (H.264). Eight frames per second are about half the game's own pace at
    frame skip 4.
    """
    frames = open_loop_frames(open_loop, context, scale)
    with replacing(path) as temporary:
        imageio.mimwrite(temporary, frames, fps=fps, codec='libx264', macro_block_size=16, ffmpeg_log_level='quiet')


def write_open_loop_sheet(path: str, open_loops: dict, context: int, columns: int = 12, scale: int = 2) -> None:
    """
    Write a still of several tasks' ``open_loop_frames`` as PNG: evenly spaced moments from left to right, at most
    ``columns`` of them, and a strip per task. The context is the same for all.
    """
    strips = []
    for task, open_loop in open_loops.items():
        frames = open_loop_frames(open_loop, context, scale)
        moments = np.unique(np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int))
        pictures = [frames[0][:, :CAPTION_WIDTH]] + [frames[t][:, CAPTION_WIDTH:] for t in moments]
        strip = np.concatenate(pictures, axis=1)
        title = Image.new('RGB', (strip.shape[1], 24), 'white')
        ImageDraw.Draw(title).text((CAPTION_WIDTH, 12), task, fill='black', anchor='lm', font_size=16)
        strips += [np.asarray(title), strip]
    with replacing(path) as temporary:
        Image.fromarray(np.concatenate(strips, axis=0)).save(temporary)
