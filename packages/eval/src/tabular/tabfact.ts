import { saidAnswer } from './said.js'

const entailed = /^(?:entail(?:ed|s|ment)|supported|true|yes|correct|蕴含|支持|正确|真)$/iu
const words =
  /(?<not>(?:\bnot|n't)\s+|不|非)?(?<word>\b(?:entail(?:ed|s|ment)|supported|true|yes|correct|refuted|refutes|contradict(?:ed|s|ion)|false|no|incorrect)\b|蕴含|支持|正确|反驳|矛盾|错误|真|假)/iu

/**
 * The label that an answer gives a statement of TabFact (Chen et al., 2020, arXiv 1909.02164): 1 for entailed, 0 for refuted, as in its files. What
 * stands behind the last "answer is" counts, else the whole; of several words the first. Null where there is none.
 */
export function tabFactLabel(text: string): 0 | 1 | null {
  const said = saidAnswer(text) ?? text
  const match = words.exec(said)
  if (!match) return null
  const { not, word } = match.groups!
  return entailed.test(word!) === (not === undefined) ? 1 : 0
}
