"""Bounds of the files that come back."""

import json
import random
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner import report as module  # noqa: E402
from runner.report import Report, bounded, middle_out, pretty, shorten  # noqa: E402


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = Path(self.folder.name) / 'deep/gpu.json'

    def tearDown(self):
        self.folder.cleanup()

    def test_every_step_is_in_the_file_at_once(self):
        report = Report(self.out, {'device': 'cuda'})
        report.step('a', {'status': 'ok'})
        self.assertEqual(json.loads(self.out.read_text())['steps'], {'a': {'status': 'ok'}})
        report.step('b', {'status': 'failed'})
        self.assertEqual(list(json.loads(self.out.read_text())['steps']), ['a', 'b'])
        self.assertEqual(json.loads(self.out.read_text())['device'], 'cuda')

    def test_folders_of_one_run_have_names(self):
        report = Report(self.out, {}, {'/tmp/x-7': '$SCRATCH'})
        report.step('a', {'program': '/tmp/x-7/rope_test', 'library': '/usr/lib/libcuda.so.1'})
        expected = {'program': '$SCRATCH/rope_test', 'library': '/usr/lib/libcuda.so.1'}
        self.assertEqual(json.loads(self.out.read_text())['steps']['a'], expected)

    def test_texts_keep_their_beginning_and_end(self):
        short = shorten({'a': ['x' * 90 + 'end']}, 30, 10)['a'][0]
        self.assertRegex(short, r'^x{10}\n… 63 characters left out …\nx{17}end$')

    def test_a_report_above_its_bound_keeps_all_statuses(self):
        steps = {f's{i}': {'status': 'ok', 'output': 'é' * 5000, 'rows': list(range(2000))} for i in range(40)}
        made = bounded({'steps': steps}, 100_000)
        self.assertLessEqual(len(made.encode()), 100_000)
        self.assertEqual([one['status'] for one in json.loads(made)['steps'].values()], ['ok'] * 40)

    def test_a_report_below_its_bound_is_whole(self):
        report = {'rows': [{'kernel': 'gemm', 'ms': 1.5, 'text': 'é"\n'}] * 40, 'none': None, 'empty': []}
        self.assertEqual(json.loads(bounded(report)), report)

    def test_a_row_is_a_line(self):
        lines = pretty({'rows': [{'kernel': 'gemm', 'ms': 1.5, 'shape': '2048x4096x4096'}] * 9}).splitlines()
        self.assertEqual(sum('gemm' in line for line in lines), 9)

    def test_the_log_keeps_its_beginning_and_end_below_its_bound(self):
        most, module.LOG_MOST = module.LOG_MOST, 10_000
        try:
            report = Report(self.out, {})
            for i in range(1000):
                report.log(f'line {i} {"x" * 40}')
                self.assertLessEqual(report.log_file.stat().st_size, 10_000)
            text = report.log_file.read_text()
        finally:
            module.LOG_MOST = most
        self.assertTrue(text.startswith('line 0 '))
        self.assertIn('bytes left out', text)
        self.assertIn('line 999 ', text)

    def test_the_middle_is_left_out_to_the_byte(self):
        self.assertEqual(middle_out(b'abc', 3), b'abc')
        self.assertEqual(len(middle_out(b'a' * 5000, 1000)), 1000)

    def test_the_smallest_core_is_kept_whole_or_left_out(self):
        report = Report(self.out, {})
        small, large = Path(self.folder.name) / 'core.1', Path(self.folder.name) / 'core.2'
        noise = random.Random(1)
        small.write_bytes(noise.randbytes(2000))
        large.write_bytes(noise.randbytes(4000))
        self.assertIn('left out', report.core([large], 1000))
        self.assertFalse(report.core_file.exists())
        self.assertIn('core.1, one of 2 cores', report.core([large, small], 3000))
        self.assertLessEqual(report.core_file.stat().st_size, 3000)
        self.assertIsNone(report.core([]))


if __name__ == '__main__':
    unittest.main()
