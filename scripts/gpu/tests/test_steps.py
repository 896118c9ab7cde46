"""Steps one after the other: what fails, what is cut, what is run again."""

import contextlib
import io
import json
import sys
import tempfile
import time
import unittest
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.check import Check, Failure  # noqa: E402
from runner.main import run_all  # noqa: E402
from runner.plan import RESERVE, Step  # noqa: E402
from runner.process import Done  # noqa: E402
from steps import agreement, rerun  # noqa: E402


class StepsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = Path(self.folder.name) / 'gpu.json'

    def tearDown(self):
        self.folder.cleanup()

    def check(self, budget: float) -> Check:
        check = Check(Namespace(device='emulated', call='1', budget=budget, out=str(self.out)))
        self.addCleanup(check.close)
        return check

    def run_all(self, budget: float, *steps: Step) -> tuple[list[str], dict]:
        with contextlib.redirect_stdout(io.StringIO()):
            bad = run_all(self.check(budget), list(steps))
        return bad, json.loads(self.out.read_text())['steps']

    def test_a_step_that_throws_leaves_the_others(self):
        def throws(check):
            raise ValueError('no such thing')

        bad, steps = self.run_all(
            30,
            Step('a', '', 1, 9, throws, required=True),
            Step('b', '', 1, 8, lambda check: {'status': 'failed'}),
            Step('c', '', 1, 7, lambda check: {'status': 'ok'}, required=True),
        )
        self.assertEqual(bad, ['a'])
        self.assertEqual(steps['a']['reason'], 'ValueError: no such thing')
        self.assertEqual([steps[name]['status'] for name in 'abc'], ['failed', 'failed', 'ok'])

    def test_a_step_that_took_longer_than_expected_cuts_what_no_longer_fits(self):
        def slow(check):
            time.sleep(1.5)
            return {'status': 'ok'}

        bad, steps = self.run_all(
            3 + RESERVE,
            Step('slow', '', 1, 9, slow),
            Step('long', '', 2, 8, lambda check: {'status': 'ok'}, required=True),
            Step('short', '', 1, 7, lambda check: {'status': 'ok'}),
        )
        self.assertEqual({name: one['status'] for name, one in steps.items()}, {'slow': 'ok', 'short': 'ok', 'long': 'cut'})
        self.assertRegex(steps['long']['reason'], r'needs 2 s, \d s are left')
        self.assertEqual(bad, [])

    def test_without_a_device_its_steps_are_skipped(self):
        def smoke(check):
            check.no_device = 'no driver'
            return {'status': 'failed'}

        bad, steps = self.run_all(
            30,
            Step('smoke', '', 1, 9, smoke, required=True),
            Step('train', '', 1, 8, lambda check: {'status': 'ok'}, backend=True, required=True),
            Step('torch', '', 1, 7, lambda check: {'status': 'ok'}),
        )
        self.assertEqual([steps[name]['status'] for name in ('smoke', 'train', 'torch')], ['failed', 'skipped', 'ok'])
        self.assertIn('no driver', steps['train']['reason'])
        self.assertEqual(bad, ['smoke'])

    def test_a_command_has_no_more_time_than_is_left(self):
        done = self.check(2 + RESERVE).run([sys.executable, '-c', 'import time; time.sleep(30)'], 60)
        self.assertEqual(done.exit, 'timeout')
        self.assertLess(done.seconds, 4)

    def test_a_step_has_no_more_time_than_its_window_and_the_budget(self):
        check = self.check(10 + RESERVE)
        self.assertLessEqual(check.window(3)(), 3)
        self.assertLessEqual(check.window(300)(), 10)

    def test_a_failure_runs_again_by_itself_with_launches_waited_for(self):
        check = self.check(60)
        code = 'import os, sys; print(os.environ["CUDA_LAUNCH_BLOCKING"]); sys.exit("kernel rope")'
        check.failed('conformance', 'rope bf16', [sys.executable, '-c', code])
        result = rerun.run(check)
        (again,) = result['runAgain']
        self.assertEqual((again['case'], again['alone']['status'], again['alone']['output']), ('rope bf16', 'failed', '1\n'))
        self.assertEqual(again['alone']['stderr'], 'kernel rope\n')
        self.assertEqual(rerun.run(check), {'status': 'ok', 'reason': 'nothing failed'})

    def test_what_records_is_not_waited_for(self):
        self.assertEqual(Failure('smoke', 'recorded product', []).env, {})
        self.assertEqual(Failure('conformance', 'recording: refused', []).env, {})
        self.assertEqual(Failure('train 4x512', '', []).env, {'CUDA_LAUNCH_BLOCKING': '1'})

    def test_few_of_a_kind_run_again(self):
        failures = [Failure('conformance', f'gemm {i}', []) for i in range(9)] + [Failure('conformance', 'rope', [])]
        self.assertEqual([one.case for one in rerun.chosen(failures)], ['gemm 0', 'gemm 1', 'rope'])

    def test_losses_agree_only_when_all_are_close_numbers(self):
        def losses(*values) -> Done:
            return Done([], 0, 1.0, '', '', [{'losses': list(values)}])

        def status(a, b) -> str:
            return agreement.compared(a, b, 1e-3)['status']

        self.assertEqual(status(losses(1.0, 2.0), losses(1.0, 2.0005)), 'ok')
        self.assertEqual(status(losses(1.0, 2.0), losses(1.0, 2.1)), 'failed')
        self.assertEqual(status(losses(1.0, None), losses(1.0, 2.0)), 'failed')
        self.assertEqual(status(losses(1.0), losses(1.0, 2.0)), 'failed')
        self.assertEqual(status(losses(), losses()), 'failed')


if __name__ == '__main__':
    unittest.main()
