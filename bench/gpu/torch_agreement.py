"""The LoRA run of bench/gpu/train.ts again, with transformers and PEFT, from the same weights, adapter and data.

    python bench/gpu/torch_agreement.py --weights FOLDER --kept FOLDER --steps 4 --batch 2 [--device cuda]

FOLDER of --kept is what `train --keep FOLDER` left: data.jsonl and the adapter before the first step. float32, one line of
JSON with the loss of every step.
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', required=True)
    parser.add_argument('--kept', type=Path, required=True)
    parser.add_argument('--steps', type=int, required=True)
    parser.add_argument('--batch', type=int, required=True)
    parser.add_argument('--device', default='cuda')
    arguments = parser.parse_args()

    import torch
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    base = LlamaForCausalLM.from_pretrained(arguments.weights, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(arguments.kept / 'adapter'), is_trainable=True).to(arguments.device)
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, weight_decay=0.0)
    rows = [json.loads(line)['ids'] for line in (arguments.kept / 'data.jsonl').read_text().splitlines()]
    losses = []
    for step in range(arguments.steps):
        ids = torch.tensor(rows[step * arguments.batch : (step + 1) * arguments.batch], device=arguments.device)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(round(loss.item(), 5))
    print(json.dumps({'losses': losses}))


if __name__ == '__main__':
    main()
