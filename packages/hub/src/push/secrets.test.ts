import { describe, expect, test } from 'vitest'
import { findSecrets, type Machine } from './secrets.js'

const machine: Machine = {
  home: '/srv/people/ada',
  host: 'brunhilde.example',
  user: 'ada-l',
  tokens: ['s3cret'],
}
const found = (text: string) => findSecrets('f', text, machine).map(({ what }) => what)

describe('what others need not see is found', () => {
  // Parts, so that no scanner takes this file for a leak.
  test.each([
    ['a token of Hugging Face', `token: hf_${'a'.repeat(34)}`],
    ['a key of OpenAI or Anthropic', `sk-proj-${'b'.repeat(30)}`],
    ['a token of GitHub', `ghp_${'c'.repeat(36)}`],
    ['a key of AWS', `AKIA${'D'.repeat(16)}`],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['a password in an address', 'https://me:pass@example.org/data'],
    ['a key in a setting', '"api_key": "0123456789abcdef"'],
    ['a path of a home folder', '"path": "/home/ada/models/x"'],
    ['a path of a home folder', String.raw`"C:\\Users\\ada\\x"`],
    ['a path of a home folder', 'trained from /root/models'],
    ['the path of the home folder', '/srv/people/ada/x'],
    ['the name of this machine', 'on Brunhilde, with'],
    ['the name of a host', 'gpu-7.cluster.internal'],
    ['an address of a private network', 'http://192.168.1.20:8000'],
    ['the name of the user', '/scratch/ada-l/x'],
    ['the token of the hub', 'abc s3cret def'],
  ])('%s', (what, text) => {
    expect(found(text)).toContain(what)
  })
})

test('texts of cards and settings are none', () => {
  for (const text of [
    '{"base_model_name_or_path": "org/base", "target_modules": ["q_proj"], "eos_token": "<|end_of_text|>"}',
    '| weights of the base | `4cab357f093f2b4eb73eddba74ee41590e66e6505da5678cea1600edd1d5e502` |',
    'See https://huggingface.co/org/base/tree/main and http://127.0.0.1:8000/v1, version 10.2.3.',
    'home/ada is at home; brunhildes; AMD EPYC, avx512bf16, 2 threads',
  ])
    expect(found(text), text).toEqual([])
})

test('the line is told, and the thing itself is not; long lines are looked through to their end', () => {
  const secret = `hf_${'e'.repeat(34)}`
  const text = `one\ntwo\n${'x '.repeat(100_000)}${secret}`
  expect(findSecrets('README.md', text, machine)).toEqual([
    { file: 'README.md', line: 3, what: 'a token of Hugging Face' },
  ])
})
