"""Reads TensorBoard event files with the tensorboard package and prints their scalars as JSON.

    python scripts/reference/check_tensorboard.py RUN_FOLDER

Output: { "<run, relative to the folder>": { "<tag>": [{ "step": 1, "wall_time": 1.7e9, "value": 0.5 }, ...] } }.
Exits 1 if there is no event file, or if one holds a damaged record (tensorboard itself only warns).
"""

import argparse
import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event


def count_events(path: Path) -> int:
    """Events in a file whose checksums all hold and which ends after a whole record."""
    size = 0
    count = 0
    for record in RawEventFileLoader(str(path)).Load():
        Event.FromString(record)
        size += len(record) + 16
        count += 1
    if size != path.stat().st_size:
        sys.exit(f'{path}: {path.stat().st_size} bytes, but its whole records end at byte {size}')
    return count


def scalars(folder: Path) -> dict:
    accumulator = EventAccumulator(str(folder), size_guidance={'scalars': 0, 'tensors': 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    out = {tag: [(e.step, e.wall_time, e.value) for e in accumulator.Scalars(tag)] for tag in tags['scalars']}
    for tag in tags['tensors']:  # where TF 2 summaries keep their scalars
        events = accumulator.Tensors(tag)
        if all(not e.tensor_proto.tensor_shape.dim for e in events):
            out[tag] = [(e.step, e.wall_time, float(e.tensor_proto.float_val[0])) for e in events]
    return {tag: [dict(zip(('step', 'wall_time', 'value'), e, strict=True)) for e in events] for tag, events in out.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    folder = parser.parse_args().folder
    files = sorted(folder.rglob('*tfevents*'))
    if not files:
        sys.exit(f'{folder}: no event file')
    for file in files:
        count_events(file)
    runs = sorted({file.parent for file in files})
    print(json.dumps({str(run.relative_to(folder)): scalars(run) for run in runs}, indent=2))


if __name__ == '__main__':
    main()
