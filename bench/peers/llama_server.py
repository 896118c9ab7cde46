"""llama.cpp's server by xllamacpp, on a free port of this machine, until its input ends. Prints the address.
   python llama_server.py MODEL.gguf THREADS SLOTS CONTEXT_OF_A_SLOT"""
import sys

import xllamacpp

model, threads, slots, context = sys.argv[1], *map(int, sys.argv[2:5])
params = xllamacpp.CommonParams()
params.model.path = model
params.port = 0
params.n_parallel = slots
params.n_ctx = slots * context
params.n_gpu_layers = 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
# Nothing of another request is kept: every prompt is read.
params.cache_prompt = False
params.cache_ram_mib = 0
server = xllamacpp.Server(params)
print(f"xllamacpp {xllamacpp.__version__} {server.listening_address}", flush=True)
sys.stdin.read()
