// Two releases by changesets in a copy of this checkout, into a registry on this machine: the first with what waits in
// .changeset, the second with one more. A user installs the first, and updates to the second.
//
//   npm run e2e:release -- [--write]        --write keeps what came out in test/e2e/released.json
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { builtHere, packPackages } from '../../scripts/release/pack.mjs'
import { commit, copyCheckout } from '../../scripts/release/copy.mjs'
import { startRegistry } from '../../scripts/release/registry.mjs'
import { raiseVersions } from '../../scripts/release/version.mjs'
import { useOwnTools, workspacePackages } from '../../scripts/workspace.mjs'
import { cleanUser, expect as check } from './clean-user.mjs'

useOwnTools()

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })

/** What was found to be so. */
const found = []
function expect(what, ok) {
  check(what, ok)
  found.push(what)
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'ift-release-'))
const [copy, tarballs] = [join(scratch, 'copy'), join(scratch, 'tarballs')]

const plugins = ['ift', '@ift/model-llama', '@ift/peft-lora']
const others = ['tensor', 'core', 'kernels-cpu', 'tokenizers'].map((name) => `@ift/${name}`)

/** Raises versions by the changesets of the copy, and packs. */
function release() {
  raiseVersions(copy)
  commit(copy, 'versions')
  const published = workspacePackages(copy).filter(
    ({ isPublished, folder }) => isPublished && folder.startsWith('packages/'),
  )
  packPackages(tarballs, { built: builtHere(copy), root: copy, names: [...plugins, ...others] })
  return new Map(published.map(({ name, json }) => [name, json.version]))
}

const installed = (user) =>
  new Map(
    readdirSync(join(user.folder, 'node_modules', '@ift'))
      .map((name) => `@ift/${name}`)
      .concat('ift')
      .map((name) => [
        name,
        user.run('node', ['-p', `require('./node_modules/${name}/package.json').version`]).stdout.trim(),
      ]),
  )

/** Versions of packages with a native add-on, and of the package of this system beside each. */
const pairs = (versions) =>
  [...versions].flatMap(([name, version]) =>
    [...versions]
      .filter(([other]) => other.startsWith(`${name}-${process.platform}`))
      .map(([other, its]) => [name, version, other, its]),
  )

copyCheckout(copy)
const first = release()
const registry = await startRegistry(tarballs)
const user = cleanUser({ registry: registry.address })
user.run('npm', ['install', ...plugins])
const before = installed(user)
expect(
  `the first release is installed: ift ${before.get('ift')}, core ${before.get('@ift/core')}`,
  plugins.every((name) => before.get(name) === first.get(name)),
)
expect(
  'with native add-ons of exactly their versions',
  pairs(before).length === 2 && pairs(before).every(([, version, , its]) => version === its),
)

const base = join(root, 'examples', 'quickstart', 'model')
for (const name of readdirSync(base))
  if (name.endsWith('.json')) {
    user.write(`base/${name}`, '')
    copyFileSync(join(base, name), join(user.folder, 'base', name))
  }
user.write('rows.jsonl', '{"instruction": "When?", "output": "At 8."}\n'.repeat(8))
const run = ['--weights', './base', '--initialize', 'true', '--maxLength', '64']
user.ift(['train', ...run, '--data', './rows.jsonl', '--train.maxSteps', '2', '--output', 'run'])

writeFileSync(
  join(copy, '.changeset', 'second.md'),
  `---\n${['@ift/core', '@ift/kernels-cpu', '@ift/tokenizers'].map((name) => `'${name}': minor\n`).join('')}---\n\nA second release.\n`,
)
commit(copy, 'a change')
const second = release()
user.run('npm', ['install', ...plugins.map((name) => `${name}@latest`)])
const after = installed(user)
expect(
  `the second is: ift ${after.get('ift')}, core ${after.get('@ift/core')}`,
  [...after].every(([name, version]) => !second.has(name) || second.get(name) === version),
)
expect(
  'every package that the change reaches is newer',
  ['@ift/core', '@ift/kernels-cpu', '@ift/tokenizers'].every((name) => first.get(name) !== second.get(name)),
)
expect(
  'with native add-ons of exactly their versions',
  pairs(after).length === 2 && pairs(after).every(([, version, , its]) => version === its),
)
expect(
  'no package is there twice',
  !readdirSync(join(user.folder, 'node_modules', '@ift')).some((name) =>
    existsSync(join(user.folder, 'node_modules', '@ift', name, 'node_modules', '@ift')),
  ),
)
user.run('npm', ['ls', '--all'])
user.ift(['doctor'])
const answer = user.ift([
  'generate',
  'When?',
  '--json',
  ...run,
  '--generate.maxNewTokens',
  '4',
  '--adapter',
  './run/adapter',
])
expect('and an adapter of the first answers in the second', JSON.parse(answer.stdout).ids.length > 0)
registry.stop()
user.remove()
rmSync(scratch, { recursive: true, force: true })

if (values.write)
  writeFileSync(
    fileURLToPath(new URL('released.json', import.meta.url)),
    `${JSON.stringify(
      {
        on: `${cpus().length} cores of ${cpus()[0].model.trim()}, ${new Date().toISOString().slice(0, 10)}`,
        node: process.versions.node,
        first: Object.fromEntries(before),
        second: Object.fromEntries(after),
        found,
      },
      null,
      2,
    )}\n`,
  )
