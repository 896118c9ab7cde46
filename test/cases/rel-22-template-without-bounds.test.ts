import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// A chat template comes with the checkpoint: what it costs to render is bounded in steps and in what it makes.

const folder = tinyCase('rel-22-template-without-bounds')
afterAll(() => {
  folder.remove()
})

function refuses(): string {
  const { code, stderr } = folder.ift(['generate', 'hello', '--weights', './m', '--template', 'chat'], {
    env: { NODE_OPTIONS: '--max-old-space-size=400' },
    timeout: 20_000,
  })
  expect(stderr).toContain('IFT_TEMPLATE_FAILED')
  expect(code).toBe(1)
  return stderr
}

test.each(['tokenizer_config.json', 'nested/tokenizer_config.json'])('%s', (name) => {
  copyFileSync(folder.path(name), folder.path('m/tokenizer_config.json'))
  refuses()
})

test.each([
  ['a list', '{{ range(300000000) | list }}'],
  ['a join', "{{ range(90000) | join('x' * 100000) }}"],
  [
    'a replacement',
    "{% set ns = namespace(x='a') %}{% for i in range(30) %}" +
      "{% set ns.x = ns.x | replace('a', 'aaaaaaaaaa') %}{% endfor %}{{ ns.x }}",
  ],
  ['brackets', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`],
  ['a search', "{% set a = 'a' * 2000000 %}{% set b = 'a' * 100000 %}{{ (b ~ 'b' ~ b) in a }}"],
])('%s', (_, chat_template) => {
  const config = JSON.parse(readFileSync(folder.path('tokenizer_config.json'), 'utf8')) as object
  writeFileSync(folder.path('m/tokenizer_config.json'), JSON.stringify({ ...config, chat_template }))
  if (chat_template.includes(' in a')) {
    // It is long, and is no more than that.
    const { code } = folder.ift(['generate', 'hello', '--weights', './m', '--template', 'chat'])
    expect(code).not.toBeNull()
  } else refuses()
})
