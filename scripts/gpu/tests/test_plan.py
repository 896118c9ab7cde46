"""What the plan takes, cuts and puts side by side."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.main import chosen  # noqa: E402
from runner.plan import RESERVE, Step, plan, text  # noqa: E402
from steps import background, first, listed, second  # noqa: E402


def step(name: str, seconds: float, value: int, **more) -> Step:
    return Step(name, f'about {name}', seconds, value, lambda check: {'status': 'ok'}, **more)


def names(phases) -> list[list[str]]:
    return [[one.name for one in phase.steps] for phase in phases]


class PlanTest(unittest.TestCase):
    def test_highest_values_first_and_cut_at_the_budget(self):
        made = plan([step('b', 30, 5), step('a', 40, 9), step('c', 50, 3)], 75 + RESERVE)
        self.assertEqual(names(made.phases), [['a'], ['b']])
        self.assertEqual([one.name for one in made.cut], ['c'])
        self.assertEqual([phase.begin for phase in made.phases], [0, 40])
        self.assertEqual(made.end, 70)

    def test_a_shorter_step_of_less_value_fills_what_is_left(self):
        made = plan([step('a', 40, 9), step('b', 50, 5), step('c', 10, 3)], 60 + RESERVE)
        self.assertEqual(names(made.phases), [['a'], ['c']])
        self.assertEqual([one.name for one in made.cut], ['b'])

    def test_the_reserve_is_kept(self):
        self.assertEqual(plan([step('a', 40, 9)], 40).phases, [])

    def test_steps_that_share_run_side_by_side_as_long_as_the_longest(self):
        steps = [step('a', 10, 9), step('b', 20, 8, shares=True), step('c', 30, 7, shares=True), step('d', 5, 6)]
        made = plan(steps, 100)
        self.assertEqual(names(made.phases), [['a'], ['b', 'c'], ['d']])
        self.assertEqual([(phase.begin, phase.seconds) for phase in made.phases], [(0, 10), (10, 30), (40, 5)])

    def test_one_beside_another_is_cut_when_its_end_is_behind_the_budget(self):
        made = plan([step('a', 10, 9, shares=True), step('b', 40, 8, shares=True), step('c', 5, 7, shares=True)], 30)
        self.assertEqual(names(made.phases), [['a', 'c']])
        self.assertEqual([one.name for one in made.cut], ['b'])

    def test_a_step_that_fills_takes_all_that_is_left_or_is_cut(self):
        made = plan([step('a', 40, 9), step('z', 30, 1, fills=True)], 100 + RESERVE)
        self.assertEqual(made.phases[-1].seconds, 60)
        self.assertEqual([one.name for one in plan([step('a', 40, 9), step('z', 30, 1, fills=True)], 60).cut], ['z'])

    def test_the_text_shows_begin_seconds_neighbours_and_what_is_cut(self):
        shown = text(plan([step('a', 10, 9, shares=True), step('b', 20, 8, shares=True), step('c', 90, 1)], 50))
        self.assertRegex(shown, r'(?m)^ +0 +10 +9 +a +about a$')
        self.assertRegex(shown, r'(?m)^ +\| +20 +8 +b +about b$')
        self.assertRegex(shown, r'cut at this budget\n +90 +1 +c')


class CallsTest(unittest.TestCase):
    def test_both_calls_fit_into_their_budget_whole(self):
        for call in (first(), second()):
            self.assertEqual([one.name for one in plan(call, 330).cut], [])

    def test_they_are_written_in_the_order_in_which_they_run(self):
        for call in (first(), second()):
            values = [one.value for one in call]
            self.assertEqual(values, sorted(values, reverse=True))
            self.assertEqual(len({one.name for one in call}), len(call))

    def test_together_they_answer_everything(self):
        both = ' '.join(f'{one.name} {one.about}' for one in [*first(), *second()])
        for wanted in (
            *('smoke', 'device-tests', 'conformance', 'agreement', 'nccl', 'kernels', 'torch-kernels', 'decode', 'nf4', 'alpaca'),
            *('train 4x512', 'train 2x2048', 'train 1x4096', 'profile', '1x4096+checkpointing', 'memcheck', 'racecheck'),
        ):
            self.assertIn(wanted, both)

    def test_what_measures_runs_alone(self):
        measuring = [one for one in [*first(), *second()] if one.measures]
        self.assertTrue(measuring)
        self.assertFalse(any(one.shares for one in measuring))

    def test_all_has_every_step_once(self):
        steps = [one.name for one in listed('all')]
        self.assertEqual(len(set(steps)), len(steps))
        self.assertEqual(set(steps), {one.name for one in [*first(), *second()]})

    def test_a_name_chooses_its_variants_and_an_unknown_one_is_refused(self):
        self.assertEqual(
            [one.name for one in chosen(second(), 'train', 'train 1x4096')],
            ['train 4x512', 'train 2x2048', 'train 4x512 nf4', 'train 4x512 alpaca'],
        )
        with self.assertRaisesRegex(SystemExit, 'unknown step trian: expected smoke, '):
            chosen(second(), 'trian', None)

    def test_only_the_background_that_is_needed(self):
        self.assertEqual([job.name for job in background(chosen(first(), 'conformance', None))], [])
        self.assertEqual([job.name for job in background(chosen(first(), 'train,agreement', None))], ['weights', 'imports'])


if __name__ == '__main__':
    unittest.main()
