"""The ids that llama.cpp's server makes of chats: its template applied, then tokenised as it does for an answer.

    python scripts/export/chat_ids.py MODEL.gguf CASES.json
"""

import json
import os
import sys
import urllib.request

# Standard output is for the result; what the library writes there goes to standard error.
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)

import xllamacpp  # noqa: E402

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ['127.0.0.1']
params.n_ctx = 512
params.n_parallel = 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.fit_params = False
params.warmup = False
params.use_jinja = True
params.verbosity = 0
server = xllamacpp.Server(params)
address = server.listening_address


def ask(path: str, body: dict) -> dict:
    request = urllib.request.Request(f'{address}{path}', json.dumps(body).encode(), {'content-type': 'application/json'})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


found = []
for case in json.load(open(sys.argv[2])):
    text = ask('/apply-template', {'messages': case['messages']})['prompt']
    ids = ask('/tokenize', {'content': text, 'add_special': True, 'parse_special': True})['tokens']
    found.append({'text': text, 'ids': ids})
json.dump(found, answers)
answers.close()
os._exit(0)
