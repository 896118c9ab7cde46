import { prepareTask, type TaskRequest } from './evaluate.js'
import { promptOf, promptText } from './prompt.js'

/** What a task would ask for. Tokens are estimated: an id for four characters of Latin text, and one for each of Chinese. */
export interface DryRun {
  readonly task: string
  readonly items: number
  readonly likelihoods: number
  readonly answers: number
  readonly promptTokens: number
  readonly answerTokens: number
  /** Calls of a judge without those asked once more, and at most. */
  readonly judgeCalls: number
  readonly judgeCallsAtMost: number
  readonly judgeTokens: number
  readonly rows: readonly (readonly [string, string])[]
}

/** Ids of a text, about as many as common tokenizers give. */
export function estimatedTokens(text: string): number {
  const wide =
    text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu)?.length ?? 0
  return wide + Math.ceil((text.length - wide) / 4)
}

/** Tokens of a reply of a judge, which explains its score. */
const replyTokens = 200

/** Reads tests and examples, and counts; nothing is asked. */
export async function dryRun(requests: readonly TaskRequest[]): Promise<DryRun[]> {
  const found: DryRun[] = []
  for (const request of requests) {
    const { task } = request
    const prepared = await prepareTask(request)
    const { context, items, prompt } = prepared
    const most = request.maxNewTokens ?? task.generate?.maxNewTokens ?? 0
    let [likelihoods, answers, promptTokens, judgeCalls, judgeTokens] = [0, 0, 0, 0, 0]
    const judges = task.judge && (!task.compares || request.against !== undefined) ? task.judge : null
    for (const { document } of items) {
      const asked = promptOf(task, document, context, { shots: prepared.shotsOf(document), prompt })
      const choices = task.choices?.(document, context).length ?? 0
      likelihoods += choices
      if (task.generate) answers++
      promptTokens += (choices + (task.generate ? 1 : 0)) * estimatedTokens(promptText(asked))
      for (const text of judges?.prompts(document, { answer: '', other: '' }, context) ?? []) {
        judgeCalls++
        judgeTokens += estimatedTokens(text) + most + replyTokens
      }
    }
    const counts = {
      ...{ task: task.name, items: items.length, likelihoods, answers, promptTokens },
      ...{ answerTokens: answers * most, judgeCalls, judgeCallsAtMost: 2 * judgeCalls, judgeTokens },
    }
    const rows: [string, string][] = [
      [task.name, `${items.length} items of ${prepared.data.items}`],
      ['  requests', `${likelihoods} likelihoods, ${answers} answers`],
      ['  tokens', `about ${promptTokens} of prompts, at most ${answers * most} of answers`],
    ]
    if (judges)
      rows.push(
        ['  judge', `${judgeCalls} calls, at most ${2 * judgeCalls} with those asked once more`],
        ['  tokens of the judge', `about ${judgeTokens}`],
      )
    found.push({ ...counts, rows })
  }
  return found
}
