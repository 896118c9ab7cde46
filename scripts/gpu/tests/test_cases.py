"""Cases whose process ends, hangs or cannot start."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.cases import MOST_RESTARTS, MOST_STARTS, Cases, dealt, side_by_side  # noqa: E402
from runner.process import Done, run  # noqa: E402

# Runs the cases that are named; their names say what happens in them.
PROGRAM = """
import json, os, signal, sys, time
for name in sys.argv[1:]:
    what = name.split(' ')[0]
    if what == 'abort':
        print('about to', file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGABRT)
    if what == 'hang':
        time.sleep(60)
    if what == 'wrong':
        print(json.dumps({'case': name, 'check': 'y', 'first': [3, 5]}), flush=True)
    status = 'failed' if what in ('wrong', 'sticky') else 'ok'
    print(json.dumps({'case': name, 'status': status, 'seconds': 0.1}), flush=True)
    if what == 'sticky':
        sys.exit(3)
"""


class CasesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.program = Path(self.folder.name) / 'program.py'
        self.program.write_text(PROGRAM)
        self.starts: list[tuple[str, ...]] = []

    def tearDown(self):
        self.folder.cleanup()

    def start(self, remaining, last, on_row) -> Done:
        self.starts.append(tuple(remaining))
        command = [sys.executable, '-I', '-S', str(self.program), *remaining]
        return run(command, 20, env=os.environ, cwd=Path(self.folder.name), on_row=on_row, silence=2)

    def cases(self, names) -> Cases:
        cases = Cases()
        cases.run(names, self.start, lambda: 100.0)
        return cases

    def test_the_case_at_which_a_process_ends_is_named_and_the_rest_runs(self):
        cases = self.cases(['good 1', 'abort 2', 'good 3', 'good 4'])
        self.assertEqual({name: one['status'] for name, one in cases.results.items()},
                         {'good 1': 'ok', 'abort 2': 'died', 'good 3': 'ok', 'good 4': 'ok'})  # fmt: skip
        died = cases.results['abort 2']
        self.assertEqual((died['exit'], died['stderr']), ('SIGABRT', 'about to\n'))
        self.assertEqual(self.starts[1:], [('good 3', 'good 4')])
        summary = cases.summary()
        self.assertEqual((summary['status'], summary['passed'], summary['died'], summary['restarts']), ('failed', 3, 1, 1))
        self.assertEqual(list(summary['cases']), ['abort 2'])

    def test_a_case_that_hangs_is_ended_and_named(self):
        cases = self.cases(['good 1', 'hang 2', 'good 3'])
        self.assertEqual(cases.results['hang 2']['exit'], 'silent')
        self.assertEqual(cases.results['good 3']['status'], 'ok')

    def test_a_process_that_ends_after_a_failure_takes_no_other_case_along(self):
        cases = self.cases(['sticky 1', 'good 2', 'sticky 3', 'good 4'])
        self.assertEqual([one['status'] for one in cases.results.values()], ['failed', 'ok', 'failed', 'ok'])
        self.assertEqual(cases.failed(), ['sticky 1', 'sticky 3'])

    def test_places_of_a_failure_are_kept_with_its_case(self):
        cases = self.cases(['good 1', 'wrong 2', 'good 3'])
        self.assertEqual(cases.results['wrong 2']['where'], [{'check': 'y', 'first': [3, 5]}])
        self.assertEqual(len(self.starts), 1)

    def test_a_program_that_never_starts_is_given_up(self):
        names = [f'good {i}' for i in range(20)]
        cases = Cases()
        tries = []

        def start(remaining, last, on_row):
            tries.append(remaining)
            return Done(['none'], 'not started', 0.0, '', 'no such file')

        cases.run(names, start, lambda: 100.0)
        self.assertEqual(len(tries), MOST_STARTS)
        summary = cases.summary()
        self.assertEqual((summary['status'], summary['died'], summary['notRun']), ('failed', MOST_STARTS, 20 - MOST_STARTS))
        self.assertEqual(cases.results['good 0']['stderr'], 'no such file')

    def test_a_device_that_every_case_breaks_is_given_up(self):
        cases = Cases()
        tries = []

        def start(remaining, last, on_row):
            tries.append(last)
            on_row({'case': remaining[0], 'status': 'failed'})
            return Done(['broken'], 3, 0.0, '', '')

        cases.run([f'broken {i}' for i in range(MOST_RESTARTS + 5)], start, lambda: 100.0)
        self.assertEqual(tries[:3], [None, 'broken 0', 'broken 1'])
        self.assertEqual(len(tries), MOST_RESTARTS + 1)
        self.assertEqual(cases.summary()['notRun'], 4)

    def test_nothing_starts_when_the_time_is_over(self):
        cases = Cases()
        cases.run(['good 1'], self.start, lambda: 0.0)
        self.assertEqual((self.starts, cases.results['good 1']['status']), ([], 'not run'))
        self.assertEqual(cases.summary()['status'], 'incomplete')

    def test_a_case_that_the_end_of_the_time_ended_has_not_failed(self):
        cases = Cases()

        def start(remaining, last, on_row):
            on_row({'case': 'good 1', 'status': 'ok'})
            return Done(['slow'], 'timeout', 9.0, '', '')

        cases.run(['good 1', 'slow 2', 'good 3'], start, lambda: 100.0)
        self.assertEqual([one['status'] for one in cases.results.values()], ['ok', 'not run', 'not run'])
        summary = cases.summary()
        self.assertEqual((summary['status'], cases.failed(), summary['notRun']), ('incomplete', [], 2))

    def test_workers_share_the_cases_out(self):
        cases = Cases()
        names = [*(f'good {i}' for i in range(5)), 'abort 5', *(f'good {i}' for i in range(6, 9))]
        self.assertEqual(dealt(['a', 'b', 'c'], 2), [['a', 'c'], ['b']])
        side_by_side(dealt(names, 3), lambda part: cases.run(part, self.start, lambda: 100.0))
        self.assertEqual(set(cases.results), set(names))
        self.assertEqual(cases.failed(), ['abort 5'])


class ProcessTest(unittest.TestCase):
    def test_children_end_with_a_process_that_is_ended(self):
        code = 'import subprocess, sys; subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).wait()'
        done = run([sys.executable, '-c', code], 1, env=os.environ, cwd=Path('/tmp'))
        self.assertEqual(done.exit, 'timeout')
        self.assertLess(done.seconds, 10)

    def test_a_program_that_is_missing_is_a_result(self):
        done = run(['/nowhere/program'], 5, env=os.environ, cwd=Path('/tmp'))
        self.assertEqual((done.exit, done.result()['status']), ('not started', 'failed'))


if __name__ == '__main__':
    unittest.main()
