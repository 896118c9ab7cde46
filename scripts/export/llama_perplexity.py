"""Log-probabilities of a text in llama.cpp, through the library that node-llama-cpp 3.21.1 comes with.

    python scripts/export/llama_perplexity.py LIBRARY_FOLDER MODEL.gguf < windows.json

Standard input is a list of windows of token ids, each read alone from its first token on. Standard output is {"loss": sum of -ln p in nats,
"count": tokens predicted}. node-llama-cpp itself gives probabilities only as a sorted list of the whole vocabulary for each token.

Keys and values are F32, without flash attention, on one thread, as in llama.mjs. llama.h passes parameters by value; the words below are those
of this release, and other defaults than its own there end the program.
"""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np

FLASH_ATTENTION, TYPE_K, TYPE_V = 13, 26, 27
F32, F16, AUTO, DISABLED = 0, 1, 0xFFFFFFFF, 0


class Words(ctypes.Structure):
    """Parameters by value: larger than any of llama.h's, which reads only what it knows."""

    _fields_ = [("words", ctypes.c_uint32 * 128)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.POINTER(ctypes.c_float)),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@LOG
def errors_only(level, text, _):
    if level == 4:
        sys.stderr.write(text.decode(errors="replace"))


def library(folder: Path):
    """libllama and libggml, in whichever versions lie there."""

    def opened(pattern):
        (path,) = folder.glob(pattern)
        return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)

    opened("libggml-base.*")
    ggml, llama = opened("libggml.*"), opened("libllama.*")
    llama.llama_log_set.argtypes = [LOG, ctypes.c_void_p]
    llama.llama_log_set(errors_only, None)
    # The fastest of the processors' variants that this one can run.
    ggml.ggml_backend_load_all_from_path(str(folder).encode())
    pointer = ctypes.c_void_p
    for name, result, arguments in [
        ("llama_model_default_params", Words, []),
        ("llama_context_default_params", Words, []),
        ("llama_model_load_from_file", pointer, [ctypes.c_char_p, Words]),
        ("llama_init_from_model", pointer, [pointer, Words]),
        ("llama_set_n_threads", None, [pointer, ctypes.c_int32, ctypes.c_int32]),
        ("llama_model_get_vocab", pointer, [pointer]),
        ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
        ("llama_get_memory", pointer, [pointer]),
        ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
        ("llama_batch_init", Batch, [ctypes.c_int32] * 3),
        ("llama_batch_free", None, [Batch]),
        ("llama_decode", ctypes.c_int32, [pointer, Batch]),
        ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [pointer]),
        ("llama_free", None, [pointer]),
        ("llama_model_free", None, [pointer]),
    ]:
        function = getattr(llama, name)
        function.restype, function.argtypes = result, arguments
    return llama


def perplexity(folder: str, path: str, windows: list[list[int]]) -> dict:
    llama = library(Path(folder))
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    if not model:
        sys.exit(f"llama.cpp does not open {path}")
    params = llama.llama_context_default_params()
    words = params.words
    if [*words[:4], words[FLASH_ATTENTION], words[TYPE_K], words[TYPE_V]] != [512, 2048, 512, 1, AUTO, F16, F16]:
        sys.exit("llama.cpp is of another release than that of node-llama-cpp 3.21.1: its parameters lie elsewhere")
    words[FLASH_ATTENTION], words[TYPE_K], words[TYPE_V] = DISABLED, F32, F32
    context = llama.llama_init_from_model(model, params)
    if not context:
        sys.exit("llama.cpp makes no context")
    llama.llama_set_n_threads(context, 1, 1)
    vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    longest = max(map(len, windows))
    batch = llama.llama_batch_init(longest, 0, 1)
    loss, count = 0.0, 0
    for ids in windows:
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
            batch.seq_id[i][0] = 0
        if llama.llama_decode(context, batch) != 0:
            sys.exit("llama.cpp does not compute a window")
        logits = np.ctypeslib.as_array(llama.llama_get_logits(context), (len(ids), vocab))[:-1].astype(np.float64)
        top = logits.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        loss += float((total - logits[np.arange(len(ids) - 1), ids[1:]]).sum())
        count += len(ids) - 1
    llama.llama_batch_free(batch)
    llama.llama_free(context)
    llama.llama_model_free(model)
    return {"loss": loss, "count": count}


if __name__ == "__main__":
    print(json.dumps(perplexity(sys.argv[1], sys.argv[2], json.load(sys.stdin))))
