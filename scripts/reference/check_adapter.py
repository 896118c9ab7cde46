"""Loads an adapter that ift wrote with PEFT, and prints the logits of the model that it makes.

    python scripts/reference/check_adapter.py BASE ADAPTER IDS.json [--golden GOLDEN.safetensors]

BASE is a Hugging Face model folder. IDS.json is a list of sequences: [[1, 5, 9], [1, 7]]. Output, as JSON:
{ "logits": [[[...], ...], ...], "config": { "r": 4, ... }, "tensors": 12 }. Exits 1 where a tensor of the adapter
has no place in the model or a place stays empty. With --golden the ids come from that file (give - for IDS.json) and the
output is { "max_difference": ... } to its logits.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

from tiny_llama import load_any


def parse(description: str, *folders: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in folders:
        parser.add_argument(folder, type=Path)
    parser.add_argument('ids', help='JSON file with a list of sequences, or -')
    parser.add_argument('--golden', type=Path)
    return parser.parse_args()


def sequences_of(arguments: argparse.Namespace) -> list[list[int]]:
    if arguments.golden is None:
        return json.loads(Path(arguments.ids).read_text())
    tensors = load_file(arguments.golden)
    ids, cu = tensors['input_ids'].tolist(), tensors['cu_seqlens'].tolist()
    return [ids[start:end] for start, end in zip(cu, cu[1:])]


def logits_of(model, sequences: list[list[int]]) -> list[torch.Tensor]:
    with torch.no_grad():
        # Virtual rows in front have logits of their own.
        return [model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -len(ids) :].float() for ids in sequences]


def result(arguments: argparse.Namespace, logits: list[torch.Tensor]) -> dict:
    if arguments.golden is None:
        return {'logits': [rows.tolist() for rows in logits]}
    golden = load_file(arguments.golden)['logits']
    return {'max_difference': (torch.cat(logits) - golden).abs().max().item()}


def main() -> None:
    arguments = parse(__doc__, 'base', 'adapter')
    model = PeftModel.from_pretrained(load_any(arguments.base), arguments.adapter).eval()
    file = load_file(arguments.adapter / 'adapter_model.safetensors')
    loaded = get_peft_model_state_dict(model)
    if set(file) != set(loaded):
        sys.exit(f'only in the file: {sorted(set(file) - set(loaded))}; only in the model: {sorted(set(loaded) - set(file))}')
    wrong = [name for name, tensor in file.items() if not torch.equal(tensor.float(), loaded[name].float())]
    if wrong:
        sys.exit(f'not as in the file after loading: {wrong}')
    config = model.peft_config['default'].to_dict()
    simple = {k: v for k, v in config.items() if isinstance(v, (str, int, float, bool)) and v}
    print(json.dumps({**result(arguments, logits_of(model, sequences_of(arguments))), 'config': simple, 'tensors': len(file)}))


if __name__ == '__main__':
    main()
