"""Makes fixtures/internlm: tiny InternLM and InternLM2 models with logits, loss, gradients and a greedy continuation.

Both are LLaMA in another layout, so transformers' LLaMA computes the numbers, and weights and gradients are renamed and fused.

    python scripts/reference/make_internlm.py
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_llama import FIXTURES, Sequence, forward, gradients, random_sequences, randomise, sequence_loss
from tiny_llama import trained_tokens, write_greedy, write_json, write_tensors

SMALL = {
    'vocab_size': 48,
    'hidden_size': 16,
    'intermediate_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'hidden_act': 'silu',
    'max_position_embeddings': 64,
    'rms_norm_eps': 1e-6,
    'tie_word_embeddings': False,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
}

FIRST = {'architectures': ['InternLMForCausalLM'], 'model_type': 'internlm', 'bias': True}
SECOND = {'architectures': ['InternLM2ForCausalLM'], 'model_type': 'internlm2', 'bias': False, 'rope_theta': 1000000.0}

# config.json, and what LLaMA's config has besides the sizes.
VARIANTS = {
    'internlm': ({**FIRST, 'rotary': {'base': 10000, 'type': 'origin'}}, {'rope_theta': 10000.0}),
    'internlm-dynamic': (
        {**FIRST, 'bias': False, 'max_position_embeddings': 16, 'rotary': {'base': 10000, 'type': 'dynamic'}},
        {'rope_theta': 10000.0, 'rope_scaling': {'rope_type': 'dynamic', 'factor': 1.0}},
    ),
    'internlm2': ({**SECOND, 'num_key_value_heads': 2}, {'rope_theta': 1000000.0}),
    'internlm2-bias-linear': (
        {**SECOND, 'bias': True, 'num_key_value_heads': 1, 'rope_scaling': {'type': 'linear', 'factor': 2.0}},
        {'rope_theta': 1000000.0, 'rope_scaling': {'rope_type': 'linear', 'factor': 2.0}},
    ),
    'internlm2-dynamic': (
        {**SECOND, 'num_key_value_heads': 2, 'max_position_embeddings': 16, 'rope_scaling': {'type': 'dynamic', 'factor': 2.0}},
        {'rope_theta': 1000000.0, 'rope_scaling': {'rope_type': 'dynamic', 'factor': 2.0}},
    ),
}

NAMES = {
    'model.embed_tokens': 'model.tok_embeddings',
    'lm_head': 'output',
    'self_attn.o_proj': 'attention.wo',
    'mlp.gate_proj': 'feed_forward.w1',
    'mlp.up_proj': 'feed_forward.w3',
    'mlp.down_proj': 'feed_forward.w2',
    'input_layernorm': 'attention_norm',
    'post_attention_layernorm': 'ffn_norm',
}


def second_layout(tensors: dict[str, torch.Tensor], config: dict) -> dict[str, torch.Tensor]:
    """LLaMA's tensors as InternLM2 stores them: wqkv has, group by group, the queries of the group, its key, its value."""
    groups = config['num_key_value_heads']
    dim = config['hidden_size'] // config['num_attention_heads']
    renamed = {}
    for name, tensor in tensors.items():
        if '.k_proj.' in name or '.v_proj.' in name:
            continue
        if '.q_proj.' in name:
            parts = [tensors[name.replace('.q_proj.', f'.{part}_proj.')] for part in 'qkv']
            grouped = [part.reshape(groups, -1, dim, *part.shape[1:]) for part in parts]
            fused = torch.cat(grouped, dim=1)
            renamed[name.replace('self_attn.q_proj', 'attention.wqkv')] = fused.reshape(-1, *tensor.shape[1:])
            continue
        for old, new in NAMES.items():
            if f'{old}.' in name:
                name = name.replace(f'{old}.', f'{new}.')
                break
        renamed[name] = tensor
    return renamed


def make(index: int, name: str, changes: dict, positions: dict) -> None:
    folder = FIXTURES / 'internlm' / name
    config = {**SMALL, **changes}
    write_json(folder / 'config.json', config)
    shared = {key: config[key] for key in SMALL if key not in ('torch_dtype', 'tie_word_embeddings')}
    llama = LlamaConfig(
        **shared,
        **positions,
        num_key_value_heads=config.get('num_key_value_heads', config['num_attention_heads']),
        attention_bias=config['bias'],
        mlp_bias=False,
        attn_implementation='eager',
    )
    first = LlamaForCausalLM(llama).eval()
    randomise(first, 500 + index)

    def fresh() -> LlamaForCausalLM:
        # Dynamic frequencies depend on what a model saw before.
        model = LlamaForCausalLM(llama).eval()
        model.load_state_dict(first.state_dict())
        return model

    sequences: list[Sequence] = random_sequences(600 + index, [11, 7, 29], SMALL['vocab_size'], [4, 0, 9])
    count = trained_tokens(sequences)
    logits, total, grads = [], 0.0, {}
    for sequence in sequences:
        model = fresh()
        out = forward(model, sequence)
        loss = sequence_loss(out, sequence) / count
        loss.backward()
        total += loss.item()
        logits.append(out.detach())
        for key, value in gradients(model).items():
            grads[key] = grads[key] + value if key in grads else value
    weights = dict(first.named_parameters())
    if config['model_type'] == 'internlm2':
        weights, grads = second_layout(weights, config), second_layout(grads, config)
    write_tensors(folder / 'model.safetensors', weights)
    write_tensors(
        folder / 'golden.safetensors',
        {
            'input_ids': torch.tensor([i for s in sequences for i in s.ids], dtype=torch.int32),
            'labels': torch.tensor([i for s in sequences for i in s.labels], dtype=torch.int32),
            'cu_seqlens': torch.tensor([0] + [len(s.ids) for s in sequences]).cumsum(0).to(torch.int32),
            'logits': torch.cat(logits),
            'loss': torch.tensor([total]),
            'trained_tokens': torch.tensor([count], dtype=torch.int32),
            **grads,
        },
    )
    if 'dynamic' not in name:
        write_greedy(folder / 'greedy.json', fresh(), sequences[1].ids)


if __name__ == '__main__':
    for index, (name, (changes, positions)) in enumerate(VARIANTS.items()):
        make(index, name, changes, positions)
