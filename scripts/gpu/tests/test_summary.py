"""What is printed last."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.summary import summary  # noqa: E402


class SummaryTest(unittest.TestCase):
    def test_failing_cases_with_their_reasons_at_any_depth(self):
        died = {'status': 'died', 'exit': 'SIGABRT', 'stderr': 'first\nlast line\n'}
        wrong = {'status': 'failed', 'where': [{'check': 'dq', 'bad': 7}]}
        steps = {
            'conformance': {
                'status': 'failed',
                'cases': {f'gemm {i}': {'status': 'failed', 'reason': 'gemm:\n status 15'} for i in range(5)},
            },
            'device-tests': {'status': 'failed', 'tests': {'attention_test': {'status': 'failed', 'cases': {'a': died, 'b': wrong}}}},
            'smoke': {'status': 'ok', 'cases': {}},
            'decode': {'status': 'failed', 'exit': 'timeout', 'stderr': ''},
        }
        self.assertEqual(
            summary(steps),
            [
                'failed: conformance',
                '  gemm 0, gemm 1, gemm 2 and 2 more: gemm: status 15',
                'failed: device-tests',
                '  attention_test: a: last line',
                "  attention_test: b: {'check': 'dq', 'bad': 7}",
                'failed: decode: timeout',
            ],
        )

    def test_the_error_is_found_before_the_stack_of_node_and_behind_that_of_python(self):
        node = 'file:1\n  throw error\n\nIftError: no memory\n    at run (file:1)\n\nNode.js v20\n'
        python = 'Traceback:\n  File "a"\ntorch.AcceleratorError: CUDA error\nCompile with DSA\n'
        steps = {name: {'status': 'failed', 'stderr': text} for name, text in (('a', node), ('b', python))}
        self.assertEqual(summary(steps), ['failed: a: IftError: no memory', 'failed: b: torch.AcceleratorError: CUDA error'])

    def test_rates_beside_the_better_of_the_peers_runs(self):
        def row(rate: float) -> dict:
            return {'tokensPerS': rate, 'mfu': 0.4, 'peakMiB': 9}

        steps = {
            'train 4x512': {'status': 'ok', 'result': row(300.0)},
            'train 4x512 profile': {'status': 'ok', 'result': {**row(100.0), 'profiled': True}},
            'train 4x512 alpaca': {'status': 'ok', 'result': row(50.0)},
            'torch-train': {
                'status': 'ok',
                'runs': {'4x512': {'error': 'CUDA out of memory'}, '4x512+checkpointing': {'tokensPerS': 200.0}},
            },
            'decode': {'status': 'ok', 'result': {'results': [{'batch': 16, 'tokensPerS': 5.0}]}},
        }
        self.assertEqual(
            summary(steps),
            [
                'train 4x512: 300.0 tokens/s, mfu 0.4, 9 MiB, peer CUDA out of memory / 200.0, ratio 1.50',
                'train 4x512 alpaca: 50.0 tokens/s, mfu 0.4, 9 MiB',
                'decode, batch 16: 5.0 tokens/s',
            ],
        )

    def test_kernels_beside_the_best_backend_of_torch(self):
        steps = {
            'kernels': {'rows': [{'kernel': 'attention', 'shape': 'a', 'ms': 2.0}, {'kernel': 'rope', 'shape': 'a', 'ms': 1.0}]},
            'torch-kernels': {
                'rows': [
                    {'kernel': 'attention', 'shape': 'a', 'backend': 'FLASH_ATTENTION', 'ms': 3.0},
                    {'kernel': 'attention', 'shape': 'a', 'backend': 'CUDNN_ATTENTION', 'ms': 1.0},
                    {'kernel': 'gemm', 'shape': 'a', 'error': 'no'},
                ]
            },
        }
        self.assertEqual(summary(steps), ['attention a: 2.0 ms, torch 1.0 ms, ratio 0.50'])


if __name__ == '__main__':
    unittest.main()
