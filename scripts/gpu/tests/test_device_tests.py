"""The kernels' own tests, by a program that stands in for one of them."""

import sys
import tempfile
import unittest
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.check import Check  # noqa: E402
from steps import device_tests  # noqa: E402

# Its cases: one that is right, one that ends the process, one that is wrong in the second run alone.
PROGRAM = """#!{python} -IS
import json, os, sys
names = ['right', 'ends', 'moves']
words = sys.argv[1:]
if '--list' in words:
    print('\\n'.join(names))
    sys.exit()
start = names.index(words[words.index('--after') + 1]) + 1 if '--after' in words else 0
for name in names[start:]:
    status = 'ok'
    if name == 'ends':
        os.abort()
    if name == 'moves':
        with open('{marks}', 'a') as marks:
            marks.write('x')
            status = 'ok' if marks.tell() < 2 else 'failed'
    print(json.dumps({{'case': name, 'status': status}}), flush=True)
"""


class DeviceTestsTest(unittest.TestCase):
    def test_both_runs_of_every_program(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / 'rope_test'
            program.write_text(PROGRAM.format(python=sys.executable, marks=Path(folder) / 'marks'))
            program.chmod(0o755)
            check = Check(Namespace(device='cuda', call='1', budget=60, out=str(Path(folder) / 'gpu.json')))
            self.addCleanup(check.close)
            check.begin('programs', lambda check: {'status': 'ok', 'ready': {'rope_test': str(program)}})
            result = device_tests.run(check)
        found = result['tests']['rope_test']
        self.assertEqual((result['status'], found['passed'], found['died'], found['restarts']), ('failed', 2, 1, 1))
        self.assertEqual(found['cases']['ends']['exit'], 'SIGABRT')
        self.assertEqual(found['unstable'], {'moves': ['ok', 'failed']})
        self.assertEqual(found['second']['failed'], 1)
        commands = {failure.case: failure.command[1:] for failure in check.take_failures()}
        self.assertEqual(commands, {'rope_test: ends': ['big', 'ends'], 'rope_test: moves': ['big', 'moves']})


if __name__ == '__main__':
    unittest.main()
