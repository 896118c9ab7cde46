"""What the machine has: tools, libraries of Python packages, the GPU's compute capability."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
CUDA = ROOT / 'packages/kernels-cuda/cuda'
# Test programs that scripts/gpu/pack compiled, and what for.
PROGRAMS = ROOT / 'programs'


def find_tool(name: str) -> str | None:
    """A program of the CUDA toolkit."""
    homes = [os.environ.get('CUDA_HOME'), '/usr/local/cuda']
    places = [Path(home) / 'bin' / name for home in homes if home]
    found = next((str(place) for place in places if place.is_file()), None)
    return found or shutil.which(name)


def package_file(name: str) -> Path | None:
    """A file below the folders of this Python's packages."""
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    return next((Path(folder) / name for folder in folders if (Path(folder) / name).is_file()), None)


def environment(scratch: Path) -> dict[str, str]:
    """For everything that is run: the bench model's places, and libraries as torch brought them."""
    env = {
        **os.environ,
        'IFT_BENCH_MODELS': str(scratch / 'models'),
        'IFT_BENCH_TOKENIZER': str(ROOT / 'tokenizer'),
        'PYTHONUNBUFFERED': '1',
        'PYTHONDONTWRITEBYTECODE': '1',
    }
    # A virtual environment need not be activated for its Python to be this one.
    env.setdefault('VIRTUAL_ENV', sys.prefix)
    cublas = package_file('nvidia/cu13/lib/libcublasLt.so.13')
    if cublas is not None:
        env.setdefault('IFT_CUDA_LIB', str(cublas.parent))
    return env


def nccl() -> Path | None:
    """NCCL of this Python's packages; elsewhere the backend looks by itself."""
    return package_file('nvidia/nccl/lib/libnccl.so.2')


def capability() -> str:
    """Compute capability of the first GPU as nvcc names it, `90`; that of an H100 or H200 where nothing answers."""
    command = ['nvidia-smi', '--query-gpu=compute_cap', '--format=csv,noheader']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        number = done.stdout.split()[0].replace('.', '')
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return '90'
    return number if number.isdigit() else '90'


def nvcc_flags(number: str) -> list[str]:
    """The flags of the test programs, here and in scripts/gpu/pack."""
    target = f'arch=compute_{number},code=sm_{number}'
    return ['-O3', '-std=c++17', '-gencode', target, '-lineinfo', '-cudart', 'static']
