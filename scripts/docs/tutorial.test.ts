import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeHub, type FakeRepo } from '../../packages/core/src/source/fake-hub.fixture.js'
import { realModel } from '../real-models/cache.mjs'
import { fences, type Fence } from './markdown.mjs'

// docs/tutorial.md word by word: its files are written and its commands run in order, in one folder, by a shell. `npx ift` is the
// built command line of the checkout, `npm install` checks that the packages are ours, and the hub is a server of this process. It
// has SmolLM2 where the machine has it, else a small LLaMA whose answers mean nothing: then outputs marked SmolLM2 are not compared.

const root = fileURLToPath(new URL('../..', import.meta.url))
const minutes = 15 * 60_000
const page = readFileSync(join(root, 'docs/tutorial.md'), 'utf8')
const smollm2 = realModel('smollm2-135m-instruct')

const filesOf = (dir: string, keep: (name: string) => boolean) =>
  Object.fromEntries(
    readdirSync(dir)
      .filter(keep)
      .map((name) => [name, readFileSync(join(dir, name))]),
  )

/** The quick start's model with a chat template. */
function standIn(): Record<string, Buffer> {
  const files = filesOf(join(root, 'examples/quickstart/model'), (name) => /\.(json|safetensors)$/.test(name))
  const config = JSON.parse(files['tokenizer_config.json']!.toString()) as object
  const template =
    "{% for m in messages %}### {{ m.role }}\n{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n" +
    '{% endfor %}{% if add_generation_prompt %}### assistant\n{% endif %}'
  return {
    ...files,
    'tokenizer_config.json': Buffer.from(JSON.stringify({ ...config, chat_template: template })),
  }
}

const packages = ['packages', 'packages/datasets']
  .flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'package.json')),
  )
  .flatMap((file) => {
    try {
      return [(JSON.parse(readFileSync(file, 'utf8')) as { name: string }).name]
    } catch {
      return []
    }
  })

const shims = {
  npx: `[ "$1" = ift ] || { echo "npx $1 is not of this project" >&2; exit 64; }
shift
exec "${process.execPath}" "${join(root, 'packages/cli/bin/ift.js')}" "$@"`,
  npm: `if [ "$1" = init ]; then echo '{}' > package.json; exit; fi
[ "$1" = install ] || { echo "npm $1 is not known here" >&2; exit 64; }
shift
for name in "$@"; do
  case " ${packages.join(' ')} " in *" $name "*) ;; *) echo "no package $name" >&2; exit 64 ;; esac
done`,
}

/** Lines of a block that the output lacks, in order; … stands for anything. */
function missing(block: string, output: string): string[] {
  const lines = output.split('\n').map((line) => line.trimEnd())
  let at = 0
  return block
    .trimEnd()
    .split('\n')
    .filter((wanted) => {
      const pattern = new RegExp(`^${wanted.trimEnd().split('…').map(escape).join('.*')}$`)
      const found = lines.findIndex((line, i) => i >= at && pattern.test(line))
      if (found < 0) return true
      at = found + 1
      return false
    })
}
const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

describe.skipIf(process.platform === 'win32')('docs/tutorial.md', () => {
  const hub = new FakeHub()
  let dir: string
  let cwd: string
  let env: NodeJS.ProcessEnv

  beforeAll(async () => {
    mkdirSync(join(root, 'runs'), { recursive: true })
    dir = mkdtempSync(join(root, 'runs', 'tutorial-'))
    cwd = dir
    mkdirSync(join(dir, 'bin'))
    for (const [name, text] of Object.entries(shims))
      writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    const files = smollm2 ? filesOf(smollm2, (name) => name.endsWith('.gguf')) : standIn()
    const repo: FakeRepo = {
      commit: 'a'.repeat(40),
      files,
      large: Object.keys(files).filter((name) => !name.endsWith('.json')),
    }
    hub.repos.set('HuggingFaceTB/SmolLM2-135M-Instruct', repo)
    env = {
      ...process.env,
      PATH: [join(dir, 'bin'), process.env['PATH']].join(delimiter),
      NO_COLOR: '1',
      HF_ENDPOINT: await hub.start(),
      HF_HOME: join(dir, 'hub'),
      HF_HUB_OFFLINE: '0',
    }
  })
  afterAll(async () => {
    await hub.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  /** Runs a block where the last one ended; what it wrote. */
  async function shell({ text, line }: Fence): Promise<string> {
    const place = join(dir, 'cwd')
    const child = spawn('/bin/sh', ['-c', `set -e\nexec 2>&1\n${text}\npwd > '${place}'`], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code, `docs/tutorial.md:${line}:\n${text}\n${output}`).toBe(0)
    cwd = readFileSync(place, 'utf8').trimEnd()
    return output
  }

  test(
    `every block, with ${smollm2 ? 'SmolLM2' : 'a stand-in'}`,
    async () => {
      let output: string | null = null
      let compared = 0
      for (const block of fences(page)) {
        const { language, note, text, line } = block
        if (language === 'sh') output = await shell(block)
        else if (language === 'text') {
          expect(output, `docs/tutorial.md:${line}: an output without a command`).not.toBeNull()
          expect(['', 'SmolLM2']).toContain(note)
          if (note === '' || smollm2) {
            expect(missing(text, output!), `docs/tutorial.md:${line}, found:\n${output!}`).toEqual([])
            compared++
          }
          output = null
        } else {
          // The sentence before a file names it, and so does the block.
          expect(note, `docs/tutorial.md:${line}: a ${language} block without the name of a file`).toBe(
            basename(note),
          )
          expect(
            page
              .split('\n')
              .slice(Math.max(0, line - 6), line - 1)
              .join(' '),
          ).toContain(`\`${note}\``)
          writeFileSync(join(cwd, note), text)
        }
      }
      expect(compared).toBeGreaterThan(smollm2 ? 8 : 2)
      // What the page says of files.
      expect(readdirSync(join(cwd, 'first-run'))).toEqual(
        expect.arrayContaining(['adapter', 'checkpoints', 'metrics.jsonl', 'tensorboard', 'report.html']),
      )
      const answers = readFileSync(join(cwd, 'answers.jsonl'), 'utf8').trim().split('\n')
      expect(answers).toHaveLength(3)
      for (const answer of answers) expect(JSON.parse(answer)).toHaveProperty('generate')
    },
    minutes,
  )
})
