import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// `~` is the home folder everywhere that a path is written, and no folder of that name is made.

const folder = tinyCase('18-home-folder-output')
afterAll(() => {
  folder.remove()
})
const home = folder.path('my-home')
mkdirSync(home)

const ift = (...args: string[]) => {
  const { code, stdout, stderr } = folder.ift(args, { env: { HOME: home, USERPROFILE: home } })
  expect(stderr).not.toContain('error')
  expect(code).toBe(0)
  expect(readdirSync(folder.dir)).not.toContain('~')
  return stdout
}

test('the config of the case', () => {
  ift('train', '-c', 'ift.config.json', '--weights', './m', '--device', 'cpu')
  expect(existsSync(`${home}/ift-home-test/adapter`)).toBe(true)
})

test('flags', () => {
  cpSync(folder.path('m'), `${home}/m`, { recursive: true })
  cpSync(folder.path('one.jsonl'), `${home}/one.jsonl`)
  writeFileSync(`${home}/texts.jsonl`, '{"text": "hello"}\n')
  writeFileSync(`${home}/p.mjs`, "export const plugin = { name: 'p', api: 1, apply() {} }\n")
  writeFileSync(
    `${home}/my.json`,
    JSON.stringify({ weights: '~/m', plugins: ['~/p.mjs'], template: 'alpaca' }),
  )
  const cpu = ['--device', 'cpu']
  ift('train', '--config=~/my.json', '--data=~/one.jsonl', '--output=~/run', '--train.maxSteps=1', ...cpu)
  ift('train', '--config=~/my.json', '--data=~/one.jsonl', '--resume=~/run', '--train.maxSteps=1', ...cpu)
  expect(existsSync(`${home}/run/adapter`)).toBe(true)
  ift('merge', '~/merged', '--weights=~/m', '--adapter=~/run/adapter', ...cpu)
  expect(existsSync(`${home}/merged/config.json`)).toBe(true)
  ift('data', 'stats', '~/one.jsonl')
  ift('data', 'convert', '~/one.jsonl', '--output=~/converted.jsonl')
  ift('score', '--weights=~/m', '--tokenizer=~/m', '--input=~/texts.jsonl', '--output=~/scores.jsonl', ...cpu)
  ift(
    ...['predict', '--weights=~/m', '--template=alpaca', '--input=~/one.jsonl', '--output=~/answers.jsonl'],
    ...['--generate.maxNewTokens=1', ...cpu],
  )
  for (const name of ['converted.jsonl', 'scores.jsonl', 'answers.jsonl'])
    expect(existsSync(`${home}/${name}`)).toBe(true)
})

test('an output over a folder that is read is refused, however it is written', () => {
  const { code, stderr } = folder.ift(['merge', '~/m', '--weights=~/m', '--adapter=~/run/adapter'], {
    env: { HOME: home, USERPROFILE: home },
  })
  expect(code).not.toBe(0)
  expect(stderr).toContain('the base model')
})
