import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bin, tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// A run goes on over the files that it was begun with, whatever their names and shapes.

const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).status === 0
if (!mpi) console.log('skipped: runs of several CPU ranks need mpirun (apt-get install openmpi-bin)')

let folder: CaseFolder
const run = (output: string, ...flags: string[]) => tinyRun(output, 4, '--train.saveEvery', '2', ...flags)

/** The last part of a run is still to be done. */
const cut = (output: string) => {
  for (const part of ['checkpoints/step-4', 'adapter'])
    rmSync(folder.path(output, part), { recursive: true, force: true })
}

beforeAll(() => {
  folder = tinyCase('rel-01')
  folder.output(...run('run'))
  cut('run')
}, 60_000)
afterAll(() => {
  folder.remove()
})

/** The sign of every weight turned. */
const flipped = (before: Buffer | null) => {
  const bytes = Buffer.from(before!)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  for (let at = start + 3; at < bytes.length; at += 4) bytes[at]! ^= 0x80
  return bytes
}

/** One bit turned, of the last embedding. */
const oneBit = (before: Buffer | null) => {
  const bytes = Buffer.from(before!)
  bytes[bytes.length - 130]! ^= 1
  return bytes
}

/** Changes a file of the model and expects that the run does not go on; puts the file back. */
function refused(name: string, change: (before: Buffer | null) => string | Buffer, said: RegExp) {
  const path = folder.path('m', name)
  let before: Buffer | null = null
  try {
    before = readFileSync(path)
  } catch {
    // The model has no such file.
  }
  writeFileSync(path, change(before))
  const ran = folder.contents('run')
  const { code, stderr } = folder.ift(run('run', '--resume'))
  if (before) writeFileSync(path, before)
  else rmSync(path)
  expect(code, stderr).not.toBe(0)
  expect(stderr).toContain('IFT_RESUME_CONFIG')
  expect(stderr).toMatch(said)
  expect(folder.contents('run')).toEqual(ran)
}

test('weights of the same names, types and shapes are another base', () => {
  refused(
    'model.safetensors',
    flipped,
    /weights: the base model is not the same \(was sha256 \w+…, is sha256 \w+…\)/,
  )
  refused('model.safetensors', oneBit, /weights: the base model is not the same/)
})

test('what stands beside the weights counts as well', () => {
  const changed = (before: Buffer | null) =>
    JSON.stringify({ ...(JSON.parse(before!.toString()) as object), hidden_dropout: 0.125 })
  refused('config.json', changed, /config\.json: was sha256/)
  refused('generation_config.json', () => '{"eos_token_id": 2}', /generation_config\.json: was .*, is sha256/)
})

test('the adapter that a run starts from counts, and the type of its numbers', () => {
  const { code, stderr } = folder.ift(run('run', '--resume', '--dtype', 'f32'))
  expect(code, stderr).not.toBe(0)
  expect(stderr).toMatch(/dtype: was \w+, is f32/)

  folder.output(...run('first'))
  cpSync(folder.path('first/adapter'), folder.path('start'), { recursive: true })
  folder.output(...run('second', '--adapter', './start'))
  cut('second')
  folder.output(...run('third', '--train.seed', '5'))
  rmSync(folder.path('start'), { recursive: true })
  cpSync(folder.path('third/adapter'), folder.path('start'), { recursive: true })
  const other = folder.ift(run('second', '--adapter', './start', '--resume'))
  expect(other.code, other.stderr).not.toBe(0)
  expect(other.stderr).toContain('adapter: the adapter to start from is not the same')
}, 60_000)

test('the same files under another name are the same base', () => {
  cpSync(folder.path('m'), folder.path('moved'), { recursive: true })
  rmSync(folder.path('m'), { recursive: true })
  cpSync(folder.path('moved'), folder.path('m'), { recursive: true })
  const { code, stderr } = folder.ift(run('run', '--resume'))
  expect(code, stderr).toBe(0)
  const { identity } = JSON.parse(folder.read('run/manifest.json')) as { identity: Record<string, string> }
  const record = JSON.parse(folder.read('run/checkpoints/step-4/run.json')) as { identity: unknown }
  expect(identity['weights']).toMatch(/^[0-9a-f]{64}$/)
  expect(record.identity).toEqual(identity)
})

test.skipIf(!mpi)(
  'ranks with weights of one shape and other contents do not train together',
  () => {
    for (const rank of ['0', '1']) {
      cpSync(folder.path('m'), folder.path(rank, 'm'), { recursive: true })
      cpSync(folder.path('d.jsonl'), folder.path(rank, 'd.jsonl'))
    }
    const path = folder.path('1/m/model.safetensors')
    writeFileSync(path, oneBit(readFileSync(path)))
    const program = [process.execPath, bin, ...run('run')].join(' ')
    const root = process.getuid?.() === 0 ? ['--allow-run-as-root'] : []
    const { status, stderr } = spawnSync(
      'mpirun',
      ['-n', '2', '--oversubscribe', ...root, 'sh', '-c', `cd $OMPI_COMM_WORLD_RANK && ${program}`],
      { cwd: folder.dir, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
    )
    expect(status, stderr).not.toBe(0)
    expect(stderr).toContain('IFT_RANKS_DIFFER')
    expect(stderr).toMatch(/base weights sha256: rank 1 has \w{64}, rank 0 has \w{64}/)
    expect(existsSync(folder.path('0/run/adapter'))).toBe(false)
    expect(existsSync(folder.path('0/run/checkpoints/step-4'))).toBe(false)
  },
  60_000,
)
