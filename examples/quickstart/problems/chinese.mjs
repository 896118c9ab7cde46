// @ts-check
import { CHINESE_CONTAINERS, CHINESE_NOUNS, CHINESE_PEOPLE, CHINESE_PLACES } from './vocabulary.mjs'

/** @typedef {import('./language.mjs').Verb} Verb */
/** @typedef {import('./vocabulary.mjs').Noun} Noun */

/** @param {number | string} amount @param {Noun} noun */
const counted = (amount, noun) => `${amount}${noun.measure}${noun.word}`

/**
 * @param {'+' | '-'} sign @param {string} full @param {string} short @param {boolean} [made]
 * @returns {Verb}
 */
const plain = (sign, full, short, made = false) => ({
  sign,
  made,
  full: (amount, noun) => `${full}${counted(amount, noun)}`,
  short: (amount, noun) => `${short}${amount}${noun.measure}`,
})

/** @type {import('./language.mjs').Language} */
export const chinese = {
  code: 'zh',
  gap: '',
  stop: '。',
  people: CHINESE_PEOPLE,
  nouns: CHINESE_NOUNS,
  containers: CHINESE_CONTAINERS,
  places: CHINESE_PLACES,
  verbs: [
    plain('+', '又买了', '买了'),
    plain('+', '找到', '找到'),
    {
      sign: '+',
      made: false,
      full: (amount, noun, other) => `${other.name}给了${counted(amount, noun)}`,
      byName: (person, amount, noun, other) => `${other.name}给了${person.name}${counted(amount, noun)}`,
      short: (amount, noun) => `得到${amount}${noun.measure}`,
    },
    plain('+', '又做了', '做了', true),
    plain('+', '又拿来', '拿来'),
    {
      sign: '-',
      made: false,
      full: (amount, noun, other) => `送给${other.name}${counted(amount, noun)}`,
      short: (amount, noun) => `送出${amount}${noun.measure}`,
    },
    plain('-', '丢了', '丢了'),
    plain('-', '卖掉', '卖掉'),
    plain('-', '用掉', '用掉'),
    plain('-', '扔掉', '扔掉'),
  ],
  has: (person, amount, noun) => `${person.name}有${counted(amount, noun)}。`,
  hasNow: (person, amount, noun) => `${person.name}现在有${counted(amount, noun)}。`,
  hasEquals: (person, sum, noun) => `${person.name}有${counted(sum.text, noun)}。`,
  compare: (person, difference, more, noun, than) =>
    `${person.name}比${than.name}${more ? '多' : '少'}${difference}${noun.measure}。`,
  packed: (person, count, container, each, noun) =>
    `${person?.name ?? ''}有${count}个${container}，每个${container}有${counted(each, noun)}。`,
  packedTwice: (person, first, second, noun) =>
    `${person.name}有${first.count}个${first.container}，每个${first.container}有${counted(first.each, noun)}，` +
    `还有${second.count}个${second.container}，每个${second.container}有${counted(second.each, noun)}。`,
  event: (_person, verb, amount, noun, other, position) =>
    `${position === 0 ? '' : '然后'}${verb.full(amount, noun, other)}。`,
  eventByName: (person, verb, amount, noun, other) =>
    `${verb.byName?.(person, amount, noun, other) ?? person.name + verb.full(amount, noun, other)}。`,
  step: (_person, verb, amount, noun, sum) => `${verb.short(amount, noun)}：${sum.text}。`,
  packedStep: (_person, count, container, product) => `有${count}个${container}：${product.text}。`,
  holdsEquals: (container, product, noun) => `${container}有${counted(product.text, noun)}。`,
  together: (sum, noun) => `一共有${counted(sum.text, noun)}。`,
  askHas: (person, noun) => `${person.name}有多少${noun.measure}${noun.word}？`,
  askNow: (person, noun) => `${person.name}现在有多少${noun.measure}${noun.word}？`,
  askTogether: (first, second, noun) =>
    `${first.name}和${second.name}一共有多少${noun.measure}${noun.word}？`,
  think: '让我们一步一步思考。',
  answer: (value) => `答案是${value}。`,
}
