// Packages as npm would publish them: publint on their files and exports, arethetypeswrong on their declarations. Alone, it packs and
// checks every package of the repository; a release checks its tarballs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { manifestOf } from './release/tarball.mjs'
import { root } from './workspace.mjs'

/** The packages are ES modules: require() is not promised, nor what Node 10 would find. */
const unpromised = new Set(['node10', 'node16-cjs'])

/** What is wrong with a package's tarball, a line each. @param {string} path */
async function problemsOf(path) {
  const data = readFileSync(path)
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
  const wrong = messages
    .filter(({ type }) => type === 'error')
    .map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`)
  // A platform's package has no declarations: it is one native file. The page is files for browsers, which nothing imports.
  const { name } = manifestOf(path)
  if (/-(linux|darwin|win32)-/.test(name) || name === '@ift/web') return wrong
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)))
  if (analysis.types === false) return wrong
  const promised = analysis.problems.filter(
    (problem) => !('resolutionKind' in problem && unpromised.has(problem.resolutionKind)),
  )
  return [...wrong, ...promised.map((problem) => `attw: ${JSON.stringify(problem)}`)]
}

/** Whether packages are sound; what is not is printed. @param {readonly string[]} tarballs */
export async function checkPackages(tarballs) {
  let isSound = true
  for (const path of tarballs)
    for (const problem of await problemsOf(path)) {
      isSound = false
      console.error(`${manifestOf(path).name}: ${problem}`)
    }
  return isSound
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = mkdtempSync(join(tmpdir(), 'ift-packages-'))
  try {
    const packing = ['-r', '--filter', './packages/**', 'pack', '--pack-destination', folder]
    const { status, stdout, stderr } = spawnSync('pnpm', packing, {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
    if (status !== 0) throw new Error(`pnpm ${packing.join(' ')} failed:\n${stdout}${stderr}`)
    const tarballs = readdirSync(folder).map((name) => join(folder, name))
    if (tarballs.length === 0 || !(await checkPackages(tarballs))) process.exitCode = 1
    else console.error(`${tarballs.length} packages are sound`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
