"""Log-probabilities of ids by transformers in float32 and bfloat16, on the CPU: the peer of bench/accuracy.mjs.

    python bench/peers/torch_accuracy.py --weights MODEL ids.json found.json

MODEL: a folder or a GGUF file. ids.json: a list of sequences. found.json: for each type the log-probability of every token behind the first of its
sequence, and the likeliest token in its place.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

TYPES = {'f32': torch.float32, 'bf16': torch.bfloat16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', type=Path, required=True)
    parser.add_argument('ids', type=Path)
    parser.add_argument('found', type=Path)
    arguments = parser.parse_args()
    weights = arguments.weights
    file = {'gguf_file': weights.name} if weights.suffix == '.gguf' else {}
    folder = weights.parent if file else weights
    sequences = json.loads(arguments.ids.read_text())
    found = {}
    for name, dtype in TYPES.items():
        model = AutoModelForCausalLM.from_pretrained(folder, **file, dtype=dtype).eval()
        logprobs, best = [], []
        for ids in sequences:
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, :-1].double()
            logs = logits.log_softmax(-1)
            logprobs.append(logs.gather(1, torch.tensor(ids[1:]).unsqueeze(1)).squeeze(1).tolist())
            best.append(logs.argmax(-1).tolist())
        found[name] = {'logprobs': logprobs, 'best': best}
    arguments.found.write_text(json.dumps(found))


if __name__ == '__main__':
    main()
