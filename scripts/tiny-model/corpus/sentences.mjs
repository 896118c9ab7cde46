// @ts-check
import { chinese } from '../../../examples/quickstart/problems/chinese.mjs'
import { english } from '../../../examples/quickstart/problems/english.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */
/** @typedef {import('../../../examples/quickstart/problems/language.mjs').Language} Language */
/** @typedef {(random: Random) => string} Sentence */

/** @param {Random} random */
const name = (random) => random.pick(english.people).name
/** @param {Random} random */
const noun = (random) => random.pick(english.nouns).word
/** @param {Random} random */
const place = (random) => random.pick(english.places)
/** @param {Random} random */
const zhName = (random) => random.pick(chinese.people).name
/** @param {Random} random */
const zhNoun = (random) => random.pick(chinese.nouns).word
/** @param {Random} random */
const zhPlace = (random) => random.pick(chinese.places)

/** @type {readonly Sentence[]} */
const ENGLISH_FILLERS = [
  (r) => `The ${place(r)} is ${r.pick(['quiet', 'open', 'big', 'small', 'near', 'far', 'clean', 'warm'])}.`,
  (r) =>
    `It is ${r.pick(['sunny', 'cold', 'late', 'early', 'windy', 'raining'])} ${r.pick(['today', 'at the ' + place(r)])}.`,
  (r) => `${name(r)} is ${r.pick(['happy', 'tired', 'busy', 'hungry', 'at home'])}.`,
  (r) => `${name(r)} walks to the ${place(r)}.`,
  (r) => `${name(r)} and ${name(r)} meet at the ${place(r)}.`,
  (r) =>
    `The ${noun(r)} are ${r.pick(['red', 'blue', 'green', 'new', 'old', 'heavy', 'on the table', 'by the window'])}.`,
  (r) => `${name(r)} likes the ${noun(r)}.`,
]

/** @type {readonly Sentence[]} */
const CHINESE_FILLERS = [
  (r) => `${zhPlace(r)}很${r.pick(['安静', '大', '小', '近', '远', '干净', '热闹'])}。`,
  (r) => `今天${r.pick(['天气很好', '很冷', '下雨了', '有风', '是星期天'])}。`,
  (r) => `${zhName(r)}很${r.pick(['高兴', '累', '忙', '饿'])}。`,
  (r) => `${zhName(r)}去${zhPlace(r)}。`,
  (r) => `${zhName(r)}和${zhName(r)}在${zhPlace(r)}见面。`,
  (r) => `${zhNoun(r)}是${r.pick(['红色的', '蓝色的', '新的', '旧的', '很重的'])}。`,
  (r) => `${zhName(r)}喜欢${zhNoun(r)}。`,
]

/**
 * A sentence that changes nothing in a story.
 * @param {Random} random @param {Language} language @returns {string}
 */
export const filler = (random, language) =>
  random.pick(language.code === 'zh' ? CHINESE_FILLERS : ENGLISH_FILLERS)(random)

/**
 * Ordinary sentences with the words of the Alpaca templates and of the task's phrases, so that fine-tuning meets no
 * token whose embedding is noise. None of them is a template or a phrase of an answer.
 * @type {readonly Sentence[]}
 */
const ENGLISH_WORDS = [
  (r) => `Below is an answer that ${name(r)} writes.`,
  (r) => `Below the table is an ${r.pick(['old', 'open'])} box with ${noun(r)}.`,
  (r) => `The teacher describes a task that ${name(r)} completes.`,
  (r) => `${name(r)} reads an instruction that describes the ${place(r)}.`,
  (r) => `Write a letter to ${name(r)}.`,
  (r) => `Write a response to ${name(r)} and ${name(r)}.`,
  (r) => `The response that ${name(r)} writes appropriately thanks the teacher.`,
  (r) => `${name(r)} answers the request appropriately.`,
  (r) => `A good letter completes the request of ${name(r)}.`,
  (r) => `The words Instruction and Response are on page ${r.int(2, 90)}.`,
  (r) => `### ${r.pick(['Names', 'List', 'Notes', 'Letter', 'Words'])}:\n${name(r)}, ${name(r)}, ${name(r)}`,
  (r) => `### Page ${r.int(2, 90)}:\n\nThe ${place(r)} and the ${place(r)}.\n\n### End`,
  (r) => `${name(r)} reads three words: Instruction, Input, Response.`,
  (r) => `The red socks are paired with an input of wool from ${name(r)}.`,
  (r) => `The second page provides further context for ${name(r)}.`,
  (r) => `${name(r)} thinks about the ${place(r)} step by step.`,
  (r) => `${name(r)} says: Let's go to the ${place(r)}.`,
  (r) => `${name(r)}: Let's think about the ${noun(r)}.`,
  (r) => `The answer of ${name(r)} is at the ${place(r)}.`,
  (r) => `The answer is on the table at the ${place(r)}.`,
  (r) => `${name(r)} has the answer. ${name(r)} does not have it.`,
  (r) => `How many people are at the ${place(r)}? Nobody knows.`,
  (r) => `Now ${name(r)} and ${name(r)} walk together to the ${place(r)}.`,
]

/** @type {readonly Sentence[]} */
const CHINESE_WORDS = [
  (r) => `老师让${zhName(r)}一步一步思考。`,
  (r) => `${zhName(r)}一步一步走到${zhPlace(r)}。`,
  (r) => `让我们去${zhPlace(r)}。`,
  (r) => `${zhName(r)}让我们在${zhPlace(r)}等。`,
  (r) => `答案在${zhPlace(r)}的书里。`,
  (r) => `${zhName(r)}的答案是对的。`,
  (r) => `${zhName(r)}知道答案。`,
  (r) => `老师在思考，${zhName(r)}也在思考。`,
]

/** 1–4 plain sentences. @param {Random} random @returns {string} */
export const sentences = (random) => {
  const language = random.chance(0.35) ? chinese : english
  const own = language.code === 'zh' ? CHINESE_WORDS : ENGLISH_WORDS
  const drawn = Array.from({ length: random.int(1, 4) }, () =>
    random.chance(0.7) ? random.pick(own)(random) : filler(random, language),
  )
  return drawn.join(drawn.some((text) => text.startsWith('###')) ? '\n\n' : language.gap)
}
