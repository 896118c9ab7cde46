"""Makes fixtures/peft-ptuning: virtual tokens written by PEFT, with logits, loss, gradients of all they train, and greedy ids.

    python scripts/reference/make_fixtures.py    once, for the models of the families
    python scripts/reference/make_peft_ptuning.py

Names in golden.safetensors besides those of tiny_llama.py: `grad.prompt_embeddings` of a table that is in the adapter file; of an
encoder `grad.prompt_encoder.<name>`, and its own values, which no adapter file has, as `value.prompt_encoder.<name>`.
`greedy` i32 [S, 8]: what follows sequence s, every token from a pass over all before it, because cached generation of
prompt learning is wrong with PEFT 0.21 and transformers 5.

Logits are those of the tokens alone. Where the method makes rows, the first label of a sequence counts too: the last virtual row
predicts it.
"""

import json
import sys
from pathlib import Path

import torch
from peft import (
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
    get_peft_model_state_dict,
)

import make_chatglm1
from safetensors.torch import load_file
from tiny_llama import (
    FIXTURES,
    Sequence,
    golden,
    load_any,
    random_sequences,
    sequence_loss,
    trained_tokens,
    write_json,
    write_tensors,
)

OUT = FIXTURES / 'peft-ptuning'
TOKENS = 5

METHODS = {
    'prompt': (PromptTuningConfig, {}),
    'mlp': (PromptEncoderConfig, {'encoder_hidden_size': 12}),
    'lstm': (PromptEncoderConfig, {'encoder_hidden_size': 6, 'encoder_reparameterization_type': 'LSTM'}),
    'prefix': (PrefixTuningConfig, {}),
    'projected': (PrefixTuningConfig, {'encoder_hidden_size': 12, 'prefix_projection': True}),
}
FAMILIES = {
    'llama': ('llama-tiny', list(METHODS)),
    'head-dim': ('llama-variants/head-dim', ['prompt', 'prefix', 'projected']),
    'bloom': ('bloom/tiny', ['prompt', 'lstm', 'prefix']),
    'gemma3': ('gemma/gemma3', ['prompt', 'mlp', 'prefix']),
    'qwen2': ('qwen/qwen2', ['prompt', 'prefix']),
    'qwen3': ('qwen/qwen3', ['prefix']),
}


def disturb(model: PeftModel, seed: int) -> None:
    """Every trained tensor N(0, 0.5)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))


def forward(model, ids: list[int], has_rows: bool) -> torch.Tensor:
    """Logits [T, V], or [TOKENS + T, V] where the method makes rows."""
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    expected = len(ids) + (TOKENS if has_rows else 0)
    if len(logits) != expected:
        sys.exit(f'{len(logits)} rows of logits, expected {expected}')
    return logits


def losses(model, sequences: list[Sequence], has_rows: bool) -> dict[str, torch.Tensor]:
    """Logits and loss; leaves the gradients in the parameters. PEFT's own loss of each sequence is checked by the way."""
    model.zero_grad()
    count = sum(label != -100 for s in sequences for label in (s.labels if has_rows else s.labels[1:]))
    logits, total = [], 0.0
    for sequence in sequences:
        out = forward(model, sequence.ids, has_rows)
        labels = torch.tensor(([-100] * TOKENS if has_rows else []) + sequence.labels)
        loss = torch.nn.functional.cross_entropy(out[:-1], labels[1:], ignore_index=-100, reduction='sum')
        own = model(input_ids=torch.tensor([sequence.ids]), labels=torch.tensor([sequence.labels])).loss
        mean = loss.item() / (labels[1:] != -100).sum().item()
        if abs(own.item() - mean) > 1e-5:
            sys.exit(f"PEFT's loss is {own.item()}, expected {mean}")
        (loss / count).backward()
        total += loss.item() / count
        logits.append(out[-len(sequence.ids) :].detach())
    cu_seqlens = torch.tensor([0] + [len(s.ids) for s in sequences]).cumsum(0)
    return {
        'input_ids': torch.tensor([i for s in sequences for i in s.ids], dtype=torch.int32),
        'labels': torch.tensor([i for s in sequences for i in s.labels], dtype=torch.int32),
        'cu_seqlens': cu_seqlens.to(torch.int32),
        'logits': torch.cat(logits).float(),
        'loss': torch.tensor([total], dtype=torch.float32),
        'trained_tokens': torch.tensor([count], dtype=torch.int32),
    }


def greedy(model, ids: list[int], has_rows: bool, tokens: int = 8) -> list[int]:
    ids = list(ids)
    with torch.no_grad():
        for _ in range(tokens):
            ids.append(int(forward(model, ids, has_rows)[-1].argmax()))
    return ids[-tokens:]


def make(name: str, base: str, method: str, seed: int) -> None:
    folder = OUT / name
    config, settings = METHODS[method]
    has_rows = config is not PrefixTuningConfig
    torch.manual_seed(seed)
    plain = load_any(FIXTURES / base)
    sequences = random_sequences(3, [9, 15, 6], plain.config.vocab_size, [3, 0, 1])
    with torch.no_grad():
        before = torch.cat([plain(input_ids=torch.tensor([s.ids])).logits[0] for s in sequences])
    model = get_peft_model(plain, config(task_type='CAUSAL_LM', num_virtual_tokens=TOKENS, **settings)).eval()
    disturb(model, seed)
    save(model, folder, base)
    tensors = losses(model, sequences, has_rows)
    encoder = model.prompt_encoder['default']
    is_table = [n for n, _ in encoder.named_parameters()] == ['embedding.weight']
    for tensor_name, parameter in encoder.named_parameters():
        if parameter.grad is None:
            sys.exit(f'{name}: no gradient reached {tensor_name}')
        tensors[f'grad.{"prompt_embeddings" if is_table else f"prompt_encoder.{tensor_name}"}'] = parameter.grad
        if not is_table:
            tensors[f'value.prompt_encoder.{tensor_name}'] = parameter
    moved = (tensors['logits'] - before).abs().max().item()
    if moved < 0.5:
        sys.exit(f'{name} moves the logits by {moved} alone')
    tensors['greedy'] = torch.tensor([greedy(model, s.ids, has_rows) for s in sequences], dtype=torch.int32)

    loaded = PeftModel.from_pretrained(load_any(FIXTURES / base), folder).eval()
    with torch.no_grad():
        again = torch.cat([forward(loaded, s.ids, has_rows)[-len(s.ids) :] for s in sequences])
    difference = (again - tensors['logits']).abs().max().item()
    if difference > 1e-4:
        sys.exit(f'{name}: reloaded, its logits differ by {difference}')
    rows = get_peft_model_state_dict(loaded)['prompt_embeddings']
    write_tensors(folder / 'golden.safetensors', tensors)
    print(f'{name:16} moved {moved:5.2f}  rows {tuple(rows.shape)}')


def save(model: PeftModel, folder: Path, base: str) -> None:
    """As PEFT writes it, without the model card, the base named by its folder here."""
    model.save_pretrained(folder)
    (folder / 'README.md').unlink()
    path = folder / 'adapter_config.json'
    config = json.loads(path.read_text())
    config['base_model_name_or_path'] = base
    if config.get('tokenizer_name_or_path'):
        config['tokenizer_name_or_path'] = base
    write_json(path, config)


def make_text(name: str, base: str, text: str, tokens: int) -> None:
    """Rows that start from a text, and are not trained."""
    config = PromptTuningConfig(
        task_type='CAUSAL_LM',
        num_virtual_tokens=tokens,
        prompt_tuning_init='TEXT',
        prompt_tuning_init_text=text,
        tokenizer_name_or_path=str(FIXTURES / base),
    )
    save(get_peft_model(load_any(FIXTURES / base), config), OUT / name, base)


class PrefixEncoder(torch.nn.Module):
    """ChatGLM-6B's own P-tuning v2, under its names: no PEFT, the layers get keys and values from here."""

    def __init__(self, model, projection: bool):
        super().__init__()
        self.attentions = [layer.attention for layer in model.transformer.layers]
        hidden, width = make_chatglm1.CONFIG['hidden_size'], 2 * len(self.attentions) * make_chatglm1.CONFIG['hidden_size']
        self.embedding = torch.nn.Embedding(TOKENS, hidden if projection else width)
        if projection:
            self.trans = torch.nn.Sequential(torch.nn.Linear(hidden, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, width))

    def put(self) -> None:
        rows = self.trans(self.embedding.weight) if hasattr(self, 'trans') else self.embedding.weight
        heads = self.attentions[0].heads
        parts = rows.view(TOKENS, 2 * len(self.attentions), heads, -1).unbind(1)
        for layer, attention in enumerate(self.attentions):
            attention.prefix = parts[2 * layer], parts[2 * layer + 1]


def make_chatglm(name: str, projection: bool, seed: int) -> None:
    base = FIXTURES / 'chatglm' / 'chatglm1'
    model = make_chatglm1.ChatGLM(make_chatglm1.CONFIG).eval()
    weights = load_file(base / 'model.safetensors')
    model.load_state_dict({n: t for n, t in weights.items() if 'inv_freq' not in n})
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    sequences = make_chatglm1.sequences()
    before = golden(model, sequences)['logits']
    encoder = PrefixEncoder(model, projection)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    saved = {f'transformer.prefix_encoder.{n}': p.detach().clone() for n, p in encoder.named_parameters()}
    torch.save(saved, folder / 'pytorch_model.bin')
    config = {**make_chatglm1.CONFIG, '_name_or_path': 'chatglm/chatglm1', 'pre_seq_len': TOKENS, 'prefix_projection': projection}
    write_json(folder / 'config.json', config)
    model.double(), encoder.double()
    tensors = {}
    logits, total = [], 0.0
    count = trained_tokens(sequences)
    for sequence in sequences:
        encoder.put()
        out = model(torch.tensor([sequence.ids])).logits[0]
        loss = sequence_loss(out, sequence) / count
        loss.backward()
        total += loss.item()
        logits.append(out.detach())
    moved = (torch.cat(logits) - before).abs().max().item()
    if moved < 0.5:
        sys.exit(f'{name} moves the logits by {moved} alone')
    names = {'embedding': 'embedding', 'trans': 'transform'}
    for n, parameter in encoder.named_parameters():
        part, rest = n.split('.', 1)
        inside = f'prompt_encoder.{names[part]}.{rest}' if projection else 'prompt_embeddings'
        tensors[f'grad.{inside}'] = parameter.grad.float()
    cu_seqlens = torch.tensor([0] + [len(s.ids) for s in sequences]).cumsum(0)
    write_tensors(
        folder / 'golden.safetensors',
        {
            'input_ids': torch.tensor([i for s in sequences for i in s.ids], dtype=torch.int32),
            'labels': torch.tensor([i for s in sequences for i in s.labels], dtype=torch.int32),
            'cu_seqlens': cu_seqlens.to(torch.int32),
            'logits': torch.cat(logits).float(),
            'loss': torch.tensor([total], dtype=torch.float32),
            'trained_tokens': torch.tensor([count], dtype=torch.int32),
            **tensors,
        },
    )
    print(f'{name:16} moved {moved:5.2f}')


if __name__ == '__main__':
    seed = 200
    for family, (base, methods) in FAMILIES.items():
        for method in methods:
            make(f'{family}-{method}', base, method, seed)
            seed += 1
    make_text('text-repeated', 'bloom/tiny', 'Answer the question.', 25)
    make_text('text-cut', 'bloom/tiny', 'Below is an instruction that describes a task.', 5)
    make_chatglm('chatglm1-own', False, 240)
    make_chatglm('chatglm1-own-projected', True, 241)
