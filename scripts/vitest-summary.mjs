import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStrict, mayTestBeSkipped } from './skips.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Ends a vitest run with one line: `N passed, N failed`, and the skipped tests when there are any. Tests that were skipped and
 * that test/skips.json does not name are listed, and with CI=true they fail the run.
 */
export default class Summary {
  onTestRunEnd(modules, errors) {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    const outside = []
    for (const module of modules) {
      const file = relative(root, module.moduleId).replaceAll('\\', '/')
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        count[state]++
        if (state === 'skipped' && !mayTestBeSkipped(file, test.fullName))
          outside.push(`${file} > ${test.fullName}`)
      }
      // A file that fails to load has no tests, and is a failure all the same.
      count.failed += module.errors().length
    }
    const skipped = count.skipped ? `, ${count.skipped} skipped` : ''
    if (outside.length && isStrict()) process.exitCode = 1
    process.on('exit', () => {
      if (outside.length)
        console.log(`skipped, and not in test/skips.json:\n${outside.map((name) => `  ${name}`).join('\n')}`)
      console.log(`${count.passed} passed, ${count.failed} failed${skipped}`)
    })
  }
}
