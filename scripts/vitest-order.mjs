// @ts-check
// The order of test files: the longest first, so that at the end no processor waits for one of them; then those with a process of their own, then those
// that share one. vitest itself knows durations of files only where it has run them before.
import { relative } from 'node:path'
import { BaseSequencer } from 'vitest/node'
import { root } from './workspace.mjs'

/** Files that take more than ten seconds, the longest first. */
const longest = [
  'scripts/docs/tutorial.test.ts',
  'packages/kernels-cuda/src/conformance.test.ts',
  'packages/kernels-cpu/src/conformance.test.ts',
  'packages/create-ift-plugin/src/scaffolds.test.ts',
  'test/training/interrupt-at-once.test.ts',
  'test/peft/conformance.test.ts',
  'test/peft/matrix.test.ts',
  'test/training/start-at-once.test.ts',
  'test/distributed/ranks.test.ts',
  'test/cases/rel-40-lines-without-bound.test.ts',
  'test/families/sessions.test.ts',
  'scripts/docs/troubleshooting.test.ts',
  'test/training/interrupt.test.ts',
  'test/cuda/rank-processes.test.ts',
  'test/cases/rel-30-json-beside-the-weights.test.ts',
  'test/peft/several-command.test.ts',
  'test/cases/seed-lines.test.ts',
  'scripts/docs/ablation.test.ts',
  'test/eval/ablate.test.ts',
]

/** @import { TestSpecification } from 'vitest/node' */

export class LongestFirst extends BaseSequencer {
  /** @override @param {TestSpecification[]} files */
  async sort(files) {
    const rank = (/** @type {TestSpecification} */ { moduleId, project }) => {
      const at = longest.indexOf(relative(root, moduleId).replaceAll('\\', '/'))
      if (at >= 0) return at - longest.length
      return project.config.isolate ? 0 : 1
    }
    // Stable: what is equal stays in vitest's own order, by size.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
