"""Makes everything in fixtures/ and in examples/plugin-model/fixtures again, in the order in which one script needs what another made.

    python scripts/reference/make_fixtures.py
"""

import subprocess
import sys
from pathlib import Path

SCRIPTS = ['make_llama', 'make_peft_lora', 'make_training_curves', 'make_generate', 'make_checkpoint', 'make_gguf', 'make_gguf_qwen', 'make_tokenizers', 'make_family_tokenizers', 'make_chat_tokenizers', 'make_gpt2', 'make_qwen', 'make_internlm', 'make_baichuan', 'make_bloom', 'make_peft_bottleneck', 'make_peft_adalora', 'make_moss', 'make_chatglm', 'make_chatglm1', 'make_gemma', 'make_phi', 'make_peft_ptuning', 'make_quantized', 'make_peft_ia3', 'make_peft_vera', 'make_peft_parts', 'make_jinja', 'make_minhash', 'make_intervals', 'make_text_scores']

if __name__ == '__main__':
    for script in SCRIPTS:
        path = Path(__file__).with_name(f'{script}.py')
        print(path.name, flush=True)
        subprocess.run([sys.executable, '-W', 'ignore', path], check=True)
