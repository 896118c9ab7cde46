// @ts-check
import { chinese } from '../../../examples/quickstart/problems/chinese.mjs'
import { english } from '../../../examples/quickstart/problems/english.mjs'
import { MAX } from '../../../examples/quickstart/problems/arithmetic.mjs'
import { filler } from './sentences.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */
/** @typedef {import('../../../examples/quickstart/problems/language.mjs').Language} Language */

/** Words of the two languages that `again` repeats. @typedef {{ en: readonly string[], zh: readonly string[] }} Words */

/** @type {Words} */
export const LEXICON = Object.freeze({
  en: [
    ...english.people.map(({ name }) => name),
    ...english.nouns.map(({ word }) => word),
    ...english.containers,
    ...english.places,
  ],
  zh: [
    ...chinese.people.map(({ name }) => name),
    ...chinese.nouns.map(({ word }) => word),
    ...chinese.containers,
    ...chinese.places,
  ],
})

const MARKERS = {
  en: ['Again:', 'The same words:', 'Once more:', 'Copy:'],
  zh: ['再来一次：', '同样的词：', '抄写：'],
}

/**
 * 4–14 random words and numbers, then the same once or twice more. Other text stands between, always so in the second
 * half of the run: a model that is rewarded for repeating at once repeats where it should look further back.
 * @param {Random} random @param {Words} words @param {number} progress 0..1 of the run
 * @returns {string}
 */
export const again = (random, words, progress) => {
  const code = random.chance(0.4) ? 'zh' : 'en'
  const language = code === 'zh' ? chinese : english
  const count = random.int(4, 14)
  const list = Array.from({ length: count }, () => {
    const choice = random.unit()
    if (choice < 0.15) return String(random.int(0, MAX))
    return random.pick(choice < 0.55 ? LEXICON[code] : words[code])
  }).join(code === 'zh' ? random.pick(['、', '，']) : ' ')
  const apart = progress >= 0.5 || random.chance(0.6)
  const times = count <= 8 && random.chance(0.3) ? 2 : 1
  const parts = [`${list}${language.stop}`]
  for (let i = 0; i < times; i++) {
    if (apart) parts.push(...Array.from({ length: random.int(1, 2) }, () => filler(random, language)))
    if (random.chance(0.4)) parts.push(random.pick(MARKERS[code]))
    parts.push(`${list}${language.stop}`)
  }
  return parts.join(language.gap)
}

const ENGLISH_VERBS = ['sees', 'has', 'likes', 'wants', 'takes']
const CHINESE_VERBS = ['有', '看见', '喜欢', '想要', '拿着']

/**
 * 2–5 people with a thing, half of the time counted; one or two of them are asked for.
 * @param {Random} random @returns {string}
 */
export const recall = (random) => {
  const language = random.chance(0.4) ? chinese : english
  const zh = language.code === 'zh'
  const counted = random.chance(0.6)
  const people = random.sample(language.people, random.int(2, 5))
  // With one noun for all, the name alone leads to the number.
  const nouns =
    counted && random.chance(0.4)
      ? [random.pick(language.nouns)]
      : random.sample(language.nouns, people.length)
  const verb = random.pick(zh ? CHINESE_VERBS : ENGLISH_VERBS)
  const pairs = people.map(({ name }, i) => {
    const noun = /** @type {import('../../../examples/quickstart/problems/vocabulary.mjs').Noun} */ (
      nouns[i % nouns.length]
    )
    const amount = random.int(2, MAX)
    const thing = counted
      ? zh
        ? `${amount}${noun.measure}${noun.word}`
        : `${amount} ${noun.word}`
      : noun.word
    return { name, noun, thing, amount }
  })
  const say = (/** @type {{ name: string, thing: string }} */ { name, thing }) =>
    zh ? `${name}${verb}${thing}。` : `${name} ${verb} ${thing}.`
  const list = (/** @type {{ name: string, thing: string }} */ { name, thing }) =>
    zh ? `${name}：${thing}。` : `${name}: ${thing}.`
  const asked = random.sample(pairs, random.chance(0.75) ? 1 : 2)
  const form = random.unit()
  const told = pairs.map(form < 0.25 ? list : say)
  const aside = random.chance(0.25) ? [filler(random, language)] : []
  if (form < 0.25) return [...told, ...aside, ...asked.map(list)].join(language.gap)
  if (form < 0.55) return [...told, ...aside, ...asked.map(say)].join(language.gap)
  const questions = asked.flatMap((pair) => {
    const owner = counted ? `${pair.thing}` : pair.noun.word
    if (counted && nouns.length === 1 ? true : random.chance(0.5)) {
      const question = zh ? `${pair.name}${verb}什么？` : `What does ${pair.name} ${infinitive(verb)}?`
      return [question, say(pair)]
    }
    const question = zh ? `谁${verb}${owner}？` : `Who ${verb} ${owner}?`
    return [question, say(pair)]
  })
  return [...told, ...aside, ...questions].join(language.gap)
}

/** @param {string} verb */
const infinitive = (verb) => (verb === 'has' ? 'have' : verb.replace(/s$/, ''))

/** A list, then its first or last entry. @param {Random} random @returns {string} */
export const listEntries = (random) => {
  const zh = random.chance(0.4)
  const words = LEXICON[zh ? 'zh' : 'en']
  const list = Array.from({ length: random.int(3, 7) }, () =>
    random.chance(0.4) ? String(random.int(0, MAX)) : random.pick(words),
  )
  const [first, last] = [list[0] ?? '', list[list.length - 1] ?? '']
  if (zh) return `列表：${list.join('，')}。第一个：${first}。最后一个：${last}。`
  return random.chance(0.3)
    ? `### List\n\n${list.join(', ')}\n\nFirst: ${first}. Last: ${last}.`
    : `List: ${list.join(', ')}. First: ${first}. Last: ${last}.`
}
