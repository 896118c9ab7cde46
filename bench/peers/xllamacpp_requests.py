"""llama.cpp by xllamacpp as an engine of bench/requests.mjs: the server of llama.cpp in this process, with continuous batching.

    python bench/peers/xllamacpp_requests.py --weights MODEL.gguf --threads 2 --sequences 32 --context 640
"""

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

# Standard output is for answers; what the library writes there goes to standard error.
answers = os.fdopen(os.dup(1), 'w', buffering=1)
os.dup2(2, 1)

import xllamacpp  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument('--weights', required=True)
parser.add_argument('--threads', type=int, default=2)
parser.add_argument('--sequences', type=int, default=32)
parser.add_argument('--context', type=int, default=640)
args = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path = args.weights
params.n_parallel = args.sequences
params.n_ctx = args.sequences * args.context
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
params.fit_params = False
params.verbosity = 0
# Prompts begin in different ways: nothing to keep of one for the next.
params.cache_prompt = False
params.cache_ram_mib = 0
params.cache_idle_slots = False
params.n_ctx_checkpoints = 0
server = xllamacpp.Server(params)


def answer(request, start):
    delay = request['at'] / 1000 - (time.perf_counter() - start)
    if delay > 0:
        time.sleep(delay)
    times, texts, used = [], [], []

    def piece(chunk):
        if 'choices' not in chunk:
            raise RuntimeError(json.dumps(chunk))
        text = chunk['choices'][0]['text']
        if text:
            times.append(1000 * (time.perf_counter() - start))
            texts.append(text)
        if 'usage' in chunk:
            used.append(chunk['usage']['completion_tokens'])

    server.handle_completions(
        {
            'prompt': request['prompt'],
            'max_tokens': request['tokens'],
            'temperature': 0,
            'ignore_eos': True,
            'cache_prompt': False,
            'stream': True,
        },
        piece,
    )
    return {'times': times or [1000 * (time.perf_counter() - start)], 'tokens': used[-1], 'text': ''.join(texts)}


def say(value):
    answers.write(json.dumps(value) + '\n')


say(
    {
        'xllamacpp': xllamacpp.__version__,
        'python': sys.version.split()[0],
        'system': xllamacpp.get_system_info(),
    }
)
with ThreadPoolExecutor(args.sequences) as pool:
    for line in sys.stdin:
        requests = json.loads(line)
        start = time.perf_counter()
        say(list(pool.map(lambda request: answer(request, start), requests)))
used = resource.getrusage(resource.RUSAGE_SELF)
say({'cpu_seconds': used.ru_utime + used.ru_stime, 'peak_rss_mib': used.ru_maxrss / 1024})
