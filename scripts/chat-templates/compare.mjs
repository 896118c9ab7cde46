// Renders what reference.py rendered, with ift, and compares: the whole conversation, the prompt, and what is learned of it.
//
//     python scripts/chat-templates/reference.py ../template-cache ../templates.json
//     node scripts/chat-templates/compare.mjs ../templates.json [--table docs/chat-templates.md] [--show]

import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createChatTemplate } from '@ift/core'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { table: { type: 'string' }, show: { type: 'boolean' } },
})
const { transformers, tokens, rows } = JSON.parse(readFileSync(positionals[0], 'utf8'))

/** Texts in the template that are special tokens in published tokenizers. */
const specialsIn = (source) =>
  new Map(
    [
      '<s>',
      ...new Set(
        source.match(
          /<[|｜][^\s<>'"{}]+[|｜]>|<\/?s>|<\/?(?:start|end)_of_turn>|\[\/?[A-Z_]{4,}\]|<(?:bos|eos)>/g,
        ) ?? [],
      ),
      '</s>',
    ].map((text, i) => [text, i]),
  )

const tokenizerOf = (source) => {
  const specials = specialsIn(source)
  return {
    chatTemplate: source,
    specials,
    bosId: specials.get('<s>'),
    eosId: specials.get('</s>'),
    token: () => undefined,
    named: new Map(Object.entries(tokens)),
  }
}

/** Messages as the form `messages` reads them. */
const messageOf = ({ role, content, tool_calls: calls, ...rest }) => {
  const fields = { ...rest, ...(content === null && { content: null }) }
  return {
    role,
    content: content ?? '',
    ...(calls && { toolCalls: calls }),
    ...(Object.keys(fields).length > 0 && { fields }),
  }
}

const attempt = (work) => {
  try {
    return { text: work() }
  } catch (error) {
    return { error: `${error.code}: ${error.message}`, code: error.code }
  }
}
const join = (segments) => segments.map(({ text }) => text).join('')

/** 'same', 'both refuse', or what else. */
function verdict(ours, theirs) {
  if (ours.text !== undefined && theirs.some(({ text }) => text === ours.text)) return 'same'
  if (ours.error !== undefined)
    return theirs.some(({ text }) => text !== undefined) ? 'refused' : 'both refuse'
  return theirs.every(({ error }) => error !== undefined) ? 'more' : 'other'
}

const results = []
for (const { package: pack, template: name, source, conversation, messages, tools, whole, prompt } of rows) {
  const made = attempt(() => createChatTemplate(tokenizerOf(source)))
  const template = made.text
  const list = messages.map(messageOf)
  const example = { messages: list, ...(tools && { tools }) }
  let segments = []
  const text = template
    ? attempt(() => {
        segments = template.render(example, 'assistant')
        // ift ends what has no end token with eos.
        return join(segments.filter(({ special, text: part }) => !(special && part === 'eos')))
      })
    : made
  const asked = template
    ? attempt(() => join(template.prompt({ ...example, messages: list.slice(0, -1) })))
    : made
  const answerable = ['user', 'tool'].includes(list.at(-2).role)
  const learned = join(segments.filter(({ trained }) => trained))
  const last = list
    .at(-1)
    .content.replace(/^[\s\S]*<\/think>/, '')
    .trim()
  results.push({
    pack,
    name,
    conversation,
    whole: verdict(text, whole),
    prompt: answerable ? verdict(asked, prompt) : null,
    learned:
      text.text === undefined
        ? null
        : learned.includes(last) &&
            !list.some(({ role, content }) => role === 'user' && learned.includes(content.trim()))
          ? 'right'
          : 'wrong',
    ours: text,
    theirs: whole[0],
    asked,
    askedTheirs: prompt[0],
    marked: segments
      .map(({ text: part, trained }) => (trained ? `«${part}»` : part))
      .join('')
      .replaceAll('»«', ''),
  })
}

const shorten = (result) => JSON.stringify(result.text ?? result.error)
const differing = results.filter(
  ({ whole, prompt, learned }) =>
    !['same', 'both refuse'].includes(whole) ||
    !['same', 'both refuse', null].includes(prompt) ||
    learned === 'wrong',
)
for (const result of differing) {
  console.log(
    `${result.pack} ${result.name}, ${result.conversation}: whole ${result.whole}, prompt ${result.prompt}, learned ${result.learned}`,
  )
  if (!values.show) continue
  console.log(`  ift  ${shorten(result.ours)}\n  ref  ${shorten(result.theirs)}`)
  if (result.prompt !== null && result.prompt !== 'same')
    console.log(`  ift  ${shorten(result.asked)}\n  ref  ${shorten(result.askedTheirs)}`)
  console.log(`  ${JSON.stringify(result.marked)}`)
}

const count = (list, key, value) => list.filter((result) => result[key] === value).length
const names = [...new Set(results.map(({ pack, name }) => `${pack} ${name}`))]
const total = ['same', 'both refuse', 'more', 'other', 'refused'].map(
  (value) => `${value} ${count(results, 'whole', value)}`,
)
console.log(
  `${names.length} templates, ${results.length} conversations: ${total.join(', ')}; learned wrong ${count(results, 'learned', 'wrong')}`,
)

if (values.table) {
  const kinds = [...new Set(results.map(({ conversation }) => conversation))]
  const cell = (list) => {
    const parts = []
    if (
      list.some(
        ({ whole, prompt }) => ['other', 'refused'].includes(whole) || ['other', 'refused'].includes(prompt),
      )
    )
      parts.push('differs')
    else if (list.some(({ whole, prompt }) => whole === 'more' || prompt === 'more')) parts.push('more')
    else if (list.every(({ whole }) => whole === 'both refuse')) parts.push('refused')
    else parts.push('same')
    if (count(list, 'learned', 'wrong') > 0) parts.push('mask')
    return parts.join(', ')
  }
  const lines = names.map((full) => {
    const [pack, ...rest] = full.split(' ')
    const own = results.filter(({ pack: p, name }) => p === pack && name === rest.join(' '))
    return `| ${rest.join(' ')} | ${pack.replaceAll('_', '-')} | ${kinds.map((kind) => cell(own.filter(({ conversation }) => conversation === kind))).join(' | ')} |`
  })
  const summary = kinds.map((kind) => {
    const own = results.filter(({ conversation }) => conversation === kind)
    return `| ${kind} | ${['same', 'both refuse', 'more', 'other', 'refused'].map((value) => count(own, 'whole', value)).join(' | ')} | ${count(own, 'learned', 'wrong')} |`
  })
  const page = readFileSync(values.table, 'utf8')
  const head = page.slice(0, page.indexOf('<!-- made by compare.mjs -->'))
  writeFileSync(
    values.table,
    `${head}<!-- made by compare.mjs -->

${names.length} templates, transformers ${transformers}.

| conversation | same text | both refuse | only ift renders | other text | only ift refuses | learned wrong |
| --- | --- | --- | --- | --- | --- | --- |
${summary.join('\n')}

| template | package | ${kinds.join(' | ')} |
| --- | --- | ${kinds.map(() => '---').join(' | ')} |
${lines.join('\n')}
`,
  )
}
