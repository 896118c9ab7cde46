import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compileCpp, cppIsThere, temporaryFolder } from './compiler.fixture.js'

// The harness of the kernels' own tests: its command line, and what a failing comparison says.

const ready = process.platform === 'linux' && cppIsThere("tests of the kernel tests' harness")
const dir = ready ? temporaryFolder('harness') : ''
const program = join(dir, 'plants')

beforeAll(() => {
  if (!ready) return
  const flags = ['-x', 'c++', '-O0', '-Wno-unknown-pragmas']
  compileCpp('packages/kernels-cuda/cuda/tests/harness_plants.cu', program, flags)
}, 60_000)
afterAll(() => {
  if (ready) rmSync(dir, { recursive: true })
})

function run(...args: string[]) {
  const { status, signal, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  const text = stdout.split('\n').filter(Boolean)
  const lines = args.includes('--list') ? [] : text.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { status, signal, text, lines, stderr }
}

test.skipIf(!ready)('a wrong element is told by count, places and spread over a tile', () => {
  const { status, lines } = run('wrong elements')
  expect(status).toBe(1)
  const odd = (count: number) => Array.from({ length: 16 }, (_, row) => (row % 2 === 0 ? count : 0))
  const places = [21, 23].flatMap((row) => [4, 5, 6, 7].map((column) => [row, column, 1, 3]))
  expect(lines).toEqual([
    {
      case: 'wrong elements',
      check: 'out',
      bad: 41,
      of: 960,
      cols: 24,
      places,
      // Rows count from the sequence's start, 21: ten of them, the last two in the second tile.
      rowsMod16: odd(4).map((n, row) => n + (row === 0 ? 4 : row === 2 ? 5 : 0)),
      columnsMod8: [0, 0, 0, 0, 10, 10, 10, 11],
      relative: expect.closeTo(Math.sqrt((40 * 4) / 958), 6) as number,
      worst: 2,
      largest: 1,
      limit: 0.001,
    },
    {
      case: 'wrong elements',
      check: 'codes',
      bad: 1,
      of: 3,
      cols: 3,
      places: [[0, 1, 0, 8]],
      rowsMod16: [1, ...Array<number>(15).fill(0)],
      columnsMod8: [0, 1, 0, 0, 0, 0, 0, 0],
    },
    expect.objectContaining({ case: 'wrong elements', status: 'failed', checks: 3, failures: 2 }),
    expect.objectContaining({ program: 'plants', mode: 'default', cases: 1, failed: ['wrong elements'] }),
  ])
})

test.skipIf(!ready)('errors that are too large only together are those above their share', () => {
  const [failure] = run('spread error').lines
  expect(failure).toMatchObject({ check: 'y', bad: 8, columnsMod8: [8, 0, 0, 0, 0, 0, 0, 0] })
})

test.skipIf(!ready)('cases by name, and those that end the program', () => {
  const names = ['right', 'wrong elements', 'spread error', 'many failures', 'after the crash']
  expect(run('--list').text).toEqual(names)
  expect(run('--list', 'er').text).toEqual(['spread error', 'after the crash'])
  expect(run('right')).toMatchObject({ status: 0, stderr: '' })
  const all = run()
  expect(all.status).toBe(1)
  expect(all.lines.at(-1)).toMatchObject({ cases: 5, failures: 23, failed: names.slice(1, 4) })
  // The rest of a case's failures is counted.
  const many = run('many failures').lines
  expect(many).toHaveLength(8 + 2)
  expect(many[0]).toMatchObject({ check: 'number 0', what: 'a "quoted"\nword' })
  expect(many[8]).toMatchObject({ failures: 20 })
  // What ran before the crash is written; the run goes on behind it.
  const crashed = run('big')
  expect(crashed.signal).toBe('SIGABRT')
  const ended = crashed.lines.filter((line) => 'status' in line).map((line) => line['case'])
  expect(run('big', '--list').text.find((name) => !ended.includes(name))).toBe('crash')
  expect(run('big', '--after', 'crash').lines.map((line) => line['case'])).toEqual([
    'after the crash',
    undefined,
  ])
})

test.skipIf(!ready)('what the command line does not know is refused', () => {
  for (const [args, message] of [
    [['--lst'], /'--lst' is not expected/],
    [['nothing'], /no case's name has 'nothing' in it/],
    [['--after', 'nothing'], /no case is named nothing/],
    [['small', 'big'], /not among/],
  ] as const) {
    const { status, stderr } = run(...args)
    expect(status).toBe(2)
    expect(stderr).toMatch(message)
  }
})
