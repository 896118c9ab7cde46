"""Makes fixtures/llama-tiny and fixtures/llama-variants: tiny LLaMA models with logits, loss and gradients.

    python scripts/reference/make_llama.py
"""

import torch

from tiny_llama import FIXTURES, golden, gradients, load_model, make_model, random_sequences, sequence_loss
from tiny_llama import trained_tokens, write_tensors

SMALL = {
    'vocab_size': 48,
    'hidden_size': 16,
    'intermediate_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'head_dim': 8,
    'max_position_embeddings': 64,
}

VARIANTS = {
    # head_dim absent: hidden_size / num_attention_heads. As many key/value heads as heads.
    'plain': {'head_dim': None, 'num_key_value_heads': 4},
    'tied-bias': {'tie_word_embeddings': True, 'attention_bias': True, 'mlp_bias': True, 'head_dim': None},
    'head-dim': {'head_dim': 12, 'rope_theta': 500000.0, 'rms_norm_eps': 1e-6},
    # "type" is the key that older checkpoints have for rope_type.
    'rope-linear': {'rope_scaling': {'type': 'linear', 'factor': 4.0}},
    'rope-dynamic': {'rope_scaling': {'rope_type': 'dynamic', 'factor': 2.0}, 'max_position_embeddings': 16},
    # With these numbers one frequency is kept, one interpolated, and two divided by the factor.
    'rope-llama3': {
        'rope_theta': 1000.0,
        'rope_scaling': {
            'rope_type': 'llama3',
            'factor': 8.0,
            'low_freq_factor': 1.0,
            'high_freq_factor': 4.0,
            'original_max_position_embeddings': 64,
        },
        'max_position_embeddings': 512,
    },
    # The form that transformers 5 writes: everything in rope_parameters.
    'rope-parameters': {
        'rope_theta': None,
        'rope_parameters': {'rope_type': 'linear', 'factor': 2.0, 'rope_theta': 20000.0},
    },
    # Of the four frequencies one is kept, one blended, two divided; cos and sin are scaled by 1.139.
    'rope-yarn': {
        'rope_theta': 100.0,
        'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0, 'original_max_position_embeddings': 16, 'beta_fast': 2.0},
        'max_position_embeddings': 64,
    },
}


def make_tiny() -> None:
    folder = FIXTURES / 'llama-tiny'
    model = make_model(folder, seed=1)
    # The second sequence is trained from its first token, whose label must not count.
    sequences = random_sequences(2, [11, 7, 19], 160, [4, 0, 9])
    tensors = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})


def make_variant(index: int, name: str, changes: dict) -> None:
    folder = FIXTURES / 'llama-variants' / name
    settings = {**SMALL, **changes}
    make_model(folder, seed=100 + index, **settings)
    # Dynamic scaling starts beyond 16 positions: one sequence is shorter, one longer.
    sequences = random_sequences(200 + index, [6, 29, 13], 48, [2, 5, 1])
    tensors, grads = {}, {}
    for sequence in sequences:
        # A fresh model per sequence, because dynamic frequencies depend on what the model saw before.
        model = load_model(folder)
        out = model(input_ids=torch.tensor([sequence.ids]), use_cache=False).logits[0]
        (sequence_loss(out, sequence) / trained_tokens(sequences)).backward()
        tensors.setdefault('logits', []).append(out.detach())
        for key, value in gradients(model).items():
            grads[key] = grads[key] + value if key in grads else value
    logits = torch.cat(tensors['logits'])
    model = load_model(folder)
    batch = golden(model, sequences)
    cu = batch['cu_seqlens'].tolist()
    losses = [sequence_loss(logits[cu[s] : cu[s + 1]], sequence) for s, sequence in enumerate(sequences)]
    batch['logits'] = logits
    batch['loss'] = (sum(losses) / trained_tokens(sequences)).reshape(1)
    if name == 'rope-dynamic':
        batch['logits_batched'], batch['loss_batched'] = padded_batch(load_model(folder), sequences)
    write_tensors(folder / 'golden.safetensors', {**batch, **grads})


def padded_batch(model, sequences) -> tuple[torch.Tensor, torch.Tensor]:
    """One right-padded batch, in which the longest sequence sets the frequencies of all."""
    width = max(len(s.ids) for s in sequences)
    ids = torch.tensor([s.ids + [0] * (width - len(s.ids)) for s in sequences])
    mask = torch.tensor([[1] * len(s.ids) + [0] * (width - len(s.ids)) for s in sequences])
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    rows = [out[i, : len(s.ids)] for i, s in enumerate(sequences)]
    total = sum(sequence_loss(row, s) for row, s in zip(rows, sequences, strict=True))
    return torch.cat(rows), (total / trained_tokens(sequences)).reshape(1)


if __name__ == '__main__':
    make_tiny()
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make_variant(index, name, changes)
