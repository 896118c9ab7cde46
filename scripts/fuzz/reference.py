"""What the readers of Python make of files: python reference.py accepted.json, a line of JSON for each."""

import hashlib
import json
import sys
import warnings

warnings.filterwarnings("ignore")
TEXT = "Hello, wörld! 12345\n\tdef f(x): return x"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def digest(tensors):
    """Of (name, type, shape, bytes)."""
    lines = [f"{name} {dtype} [{','.join(map(str, shape))}] {sha(data)}" for name, dtype, shape, data in tensors]
    return sha("\n".join(sorted(lines, key=lambda line: line.encode("utf-16-be", "surrogatepass"))).encode("utf-8", "surrogatepass"))


def raw(tensor):
    import torch

    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def names():
    import torch

    return {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
        torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
        torch.complex64: "C64",
    }


def safetensors(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return digest((name, names()[t.dtype], t.shape, raw(t)) for name in file.keys() for t in [file.get_tensor(name)])


def torch(path):
    import torch as library

    found = library.load(path, weights_only=True, map_location="cpu")
    for key in ["state_dict", "model_state_dict", "model", "module", "weights", "params"]:
        if any(isinstance(value, library.Tensor) for value in found.values()):
            break
        if key in found:
            found = found[key]
    tensors = {name: t for name, t in found.items() if isinstance(t, library.Tensor) and isinstance(name, str)}
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name[len("module."):]: t for name, t in tensors.items()}
    return digest((name, names()[t.dtype], t.shape, raw(t)) for name, t in tensors.items())


def gguf(path):
    from gguf import GGUFReader

    return digest(
        (t.name, t.tensor_type.name, [int(d) for d in reversed(t.shape)], t.data.tobytes()) for t in GGUFReader(path).tensors
    )


def tokenizers(path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{path}/tokenizer.json")
    # ift cuts and pads samples itself.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return json.dumps(tokenizer.encode(TEXT, add_special_tokens=False).ids, separators=(",", ":"))


def lines(path):
    import gzip

    data = (gzip.open(path) if path.endswith(".gz") else open(path, "rb")).read().decode("utf-8-sig")
    if path.endswith(".json"):
        value = json.loads(data)
        return str(len(value) if isinstance(value, list) else 1)
    return str(sum(1 for line in data.split("\n") if line.strip() and isinstance(json.loads(line), dict)))


def parquet(path):
    import pyarrow.parquet

    return str(pyarrow.parquet.read_table(path).num_rows)


for entry in json.load(open(sys.argv[1])):
    try:
        print(json.dumps({"digest": globals()[entry["reference"]](entry["path"])}), flush=True)
    except Exception as error:
        print(json.dumps({"refused": f"{entry['reference']}: {type(error).__name__}"}), flush=True)
