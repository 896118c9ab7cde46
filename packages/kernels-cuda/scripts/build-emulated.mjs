// Builds kernels-cuda-emu.<target>.node: the add-on whose kernels run on the processor, for the tests. It is compiled for
// the processor it is built on and is no part of the published package.
//
//   pnpm --filter @ift/kernels-cuda run build:emulated
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
const target = `${process.platform}-${process.arch}`
const names = { 'linux-x64': 'linux-x64-gnu', 'linux-arm64': 'linux-arm64-gnu' }
if (names[target] === undefined) {
  process.stderr.write(`the emulator is built on ${Object.keys(names).join(' and ')}, not on ${target}\n`)
  process.exit(1)
}
const args = ['build', '--release', '--features', 'emulated', '--manifest-path', 'native/Cargo.toml']
const run = spawnSync('cargo', [...args, '--message-format', 'json-render-diagnostics'], {
  cwd: folder,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  stdio: ['ignore', 'pipe', 'inherit'],
})
if (run.error) throw run.error
if (run.status !== 0) process.exit(run.status ?? 1)
const library = run.stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'ift_kernels_cuda')
  .flatMap(({ filenames }) => filenames)
  .find((file) => file.endsWith('.so'))
if (library === undefined) {
  process.stderr.write('cargo named no shared library of ift_kernels_cuda\n')
  process.exit(1)
}
// A process that has the old file open keeps it.
for (const file of readdirSync(folder)) if (file.startsWith('kernels-cuda-emu.')) rmSync(join(folder, file))
const file = `kernels-cuda-emu.${names[target]}.node`
copyFileSync(library, join(folder, file))
process.stdout.write(`${file}\n`)
