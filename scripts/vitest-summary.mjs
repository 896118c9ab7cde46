/** Ends a vitest run with one line: `N passed, N failed`, and the skipped tests when there are any. */
export default class Summary {
  onTestRunEnd(modules, errors) {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++
      // A file that fails to load has no tests, and is a failure all the same.
      count.failed += module.errors().length
    }
    const skipped = count.skipped ? `, ${count.skipped} skipped` : ''
    process.on('exit', () => console.log(`${count.passed} passed, ${count.failed} failed${skipped}`))
  }
}
