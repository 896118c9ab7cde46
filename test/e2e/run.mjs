// The packages as a user gets them: packed, installed into an empty folder outside of the repository, without a compiler, from a
// registry on this machine, run by npx. Needs the packages built. Ends with exit code 1 and what was expected when something is
// not as it should be. test/e2e/install.mjs goes further.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { builtHere, packPackages } from '../../scripts/release/pack.mjs'
import { startRegistry } from '../../scripts/release/registry.mjs'
import { unpack } from '../../scripts/release/tarball.mjs'
import { cleanUser, expect } from './clean-user.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

// What LLaMA with LoRA needs, and no more.
const needed = ['tensor', 'core', 'kernels-cpu', 'tokenizers', 'model-llama', 'peft-lora']
const packages = mkdtempSync(join(tmpdir(), 'ift-e2e-packages-'))
const tarballs = packPackages(packages, {
  built: builtHere(),
  names: ['ift', ...needed.map((name) => `@ift/${name}`)],
})
expect('seven packages, and two with native add-ons for this system', tarballs.length === 9)
const registry = await startRegistry(packages)
const clean = cleanUser({ registry: registry.address })
const { folder: user, run } = clean

// Plugins of a third party, installed later like any other package.
const others = mkdtempSync(join(tmpdir(), 'ift-e2e-plugins-'))
for (const name of ['plugin-model', 'plugin-dataset', 'plugin-peft']) {
  const { status, stderr } = spawnSync('pnpm', ['pack', '--pack-destination', others], {
    cwd: join(root, 'examples', name),
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  expect(`${name} is packed ${stderr}`.trim(), status === 0)
}
run('npm', ['install', 'ift', '@ift/model-llama', '@ift/peft-lora'])
expect(
  'the native add-ons of this system are installed, and nothing was compiled',
  readdirSync(join(user, 'node_modules', '@ift')).filter((name) => name.includes(process.platform)).length ===
    2,
)

mkdirSync(join(user, 'base'))
const base = join(root, 'examples', 'quickstart', 'model')
for (const name of readdirSync(base))
  if (name.endsWith('.json')) copyFileSync(join(base, name), join(user, 'base', name))
copyFileSync(join(root, 'examples', 'quickstart', 'data', 'bilingual.jsonl'), join(user, 'data.jsonl'))
const config = {
  weights: './base',
  initialize: true,
  data: ['./data.jsonl'],
  template: 'alpaca',
  maxLength: 160,
  peft: { method: 'none' },
  train: { maxSteps: 3, batchSize: 8, microBatchTokens: 1024, evalEvery: 0 },
  generate: { maxNewTokens: 8 },
  output: 'full',
}
writeFileSync(join(user, 'ift.config.json'), JSON.stringify(config))

run('npx', ['ift', 'doctor'])
run('npx', ['ift', 'train'])
expect('a whole model', existsSync(join(user, 'full', 'model', 'model.safetensors')))
const trained = ['--weights', './full/model', '--initialize', 'false', '--peft.method', 'lora']
run('npx', ['ift', 'train', ...trained, '--output', 'lora'])
expect(
  'an adapter and a report',
  existsSync(join(user, 'lora', 'adapter', 'adapter_config.json')) &&
    existsSync(join(user, 'lora', 'report.html')),
)
const adapter = [...trained, '--adapter', './lora/adapter']
const { stdout } = run('npx', ['ift', 'chat', ...adapter], { input: 'Hello\n/exit\n' })
expect('one answer in the chat', stdout.split('\n').length === 2)
const answer = JSON.parse(run('npx', ['ift', 'generate', 'Hello', '--json', ...adapter]).stdout)
expect('eight tokens or an end', answer.ids.length === 8 || answer.finish === 'eos')
run('npx', ['ift', 'merge', 'merged', ...adapter])
writeFileSync(join(user, 'texts.jsonl'), '{"text": "Hello"}\n')
run('npx', [
  'ift',
  'score',
  '--weights',
  './merged',
  '--initialize',
  'false',
  '--input',
  'texts.jsonl',
  '--output',
  'scores.jsonl',
])
const { ids, logprobs } = JSON.parse(readFileSync(join(user, 'scores.jsonl'), 'utf8'))
expect(
  'a log-probability for every token but the first',
  logprobs[0] === null && logprobs.slice(1).every((value) => value < 0) && ids.length === logprobs.length,
)
const wrong = run('npx', ['ift', 'train', '--train.epoch', '2'], { status: 2 })
expect('a wrong flag is answered with the right one', wrong.stderr.includes('train.epochs'))
for (const [model, name] of [
  ['bloom', '@ift/model-bloom'],
  ['gptj', '@ift/model-moss'],
]) {
  const absent = run('npx', ['ift', 'train', '--model', model], { status: 2 })
  expect(`family ${model}, absent: npm install ${name}`, absent.stderr.includes(`npm install ${name}`))
}

const plugins = () => JSON.parse(run('npx', ['ift', 'plugins', '--json']).stdout)
const installed = () => plugins().installed.map((p) => p.name)
const first = plugins()
expect(
  'the packages are listed',
  String(first.installed.map((p) => p.package).filter((name, i, all) => all.indexOf(name) === i)) ===
    '@ift/kernels-cpu,@ift/model-llama,@ift/peft-lora,@ift/tokenizers',
)
expect(
  'and those that could be installed, from the catalogue in the tarball of core',
  ['@ift/model-bloom', '@ift/dataset-cot'].every((name) => first.installable.some((p) => p.package === name)),
)
// A family in a package whose name says nothing, with an architecture that no file of ours names.
const family = join(others, 'family')
mkdirSync(family)
unpack(
  join(
    others,
    readdirSync(others).find((name) => name.includes('gpt2')),
  ),
  family,
)
rmSync(
  join(
    others,
    readdirSync(others).find((name) => name.includes('gpt2') && name.endsWith('.tgz')),
  ),
)
const manifest = join(family, 'package', 'package.json')
writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), name: '@acme/gpt' }))
run('npm', ['pack', '--pack-destination', others], { cwd: join(family, 'package') })
rmSync(family, { recursive: true })
// A verb, and a neighbour that is broken.
const brings = (files) => {
  const folder = mkdtempSync(join(tmpdir(), 'ift-e2e-package-'))
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  run('npm', ['pack', '--pack-destination', others], { cwd: folder })
  rmSync(folder, { recursive: true })
}
const described = (name, provides) =>
  JSON.stringify({ name, version: '1.0.0', type: 'module', exports: './index.js', ift: { provides } })
brings({
  'package.json': described('word-count', { verb: { words: { description: 'Counts words of the data.' } } }),
  'index.js': `import { defineVerb, Ift } from '@ift/core'
export const plugin = defineVerb({
  name: 'words', description: 'Counts words of the data.', example: 'npx ift words',
  options: { least: { type: 'integer', min: 1, default: 1, description: 'letters of a word at least' } },
  run: ({ session, terminal, options: { least } }) => Ift.using(session, async (ift) => {
    terminal.json({ least, dataset: (await ift.dataset('kitchen')).name })
    return 0
  }),
})`,
})
brings({
  'package.json': described('@acme/broken-gpt', {
    model: { broken: { architectures: ['GPT2LMHeadModel'] } },
  }),
  'index.js': `throw new Error('broken at import')`,
})
run('npm', ['install', '--no-audit', '--no-fund', ...readdirSync(others).map((name) => join(others, name))])
expect(
  'a model family, a dataset, a method and a verb of a third party are listed',
  ['gpt2', 'kitchen', 'serial-adapter', 'words'].every((name) => installed().includes(name)),
)
expect('the verb is in the help', run('npx', ['ift', '--help']).stdout.includes('Counts words of the data.'))
const words = JSON.parse(run('npx', ['ift', 'words', '--least', '3']).stdout)
expect('and runs with its options checked', words.least === 3 && words.dataset === 'kitchen')
const tooFew = run('npx', ['ift', 'words', '--least', '0'], { status: 2 })
expect('by the name of the flag', tooFew.stderr.includes('--least is "0", expected a whole number from 1'))
cpSync(join(root, 'examples', 'plugin-model', 'fixtures', 'gpt2-tiny'), join(user, 'gpt2'), {
  recursive: true,
})
const foreign = {
  weights: './gpt2',
  data: { name: 'kitchen', path: './node_modules/ift-plugin-dataset-kitchen/data' },
  template: 'plain',
  train: { maxSteps: 3, batchSize: 4, microBatchTokens: 256, evalEvery: 0 },
  generate: { maxNewTokens: 4 },
  output: 'gpt2-lora',
}
writeFileSync(join(user, 'foreign.json'), JSON.stringify(foreign))
const file = ['--config', 'foreign.json']
run('npx', ['ift', 'train', ...file])
expect(
  'they train, beside a broken package that says it reads the same',
  existsSync(join(user, 'gpt2-lora', 'adapter', 'adapter_model.safetensors')),
)
run('npx', ['ift', 'merge', 'gpt2-merged', ...file, '--adapter', './gpt2-lora/adapter'])
const foreignAnswer = run('npx', ['ift', 'generate', 'Why?', '--json', ...file, '--weights', './gpt2-merged'])
expect('and answer', JSON.parse(foreignAnswer.stdout).ids.length > 0)
run('npx', ['ift', 'train', ...file, '--peft.method', 'serial-adapter', '--output', 'gpt2-serial'])
const serial = ['--adapter', './gpt2-serial/adapter']
const adapted = run('npx', ['ift', 'generate', 'Why?', '--json', ...file, ...serial])
expect('the method of a third party too', JSON.parse(adapted.stdout).ids.length > 0)
registry.stop()
clean.remove()
rmSync(packages, { recursive: true, force: true })
rmSync(others, { recursive: true, force: true })
