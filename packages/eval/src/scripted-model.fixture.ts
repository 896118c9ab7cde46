// A model whose answers are given, which counts what it is asked.
import type { Example, TaskGeneration, TaskPrompt } from '@ift/core'
import type { EvalModel, ModelFacts } from './model/model.js'
import { promptText } from './prompt.js'

export interface Scripted {
  readonly model: EvalModel
  readonly asked: string[]
}

export interface Script {
  readonly answer?: (prompt: string, generation: TaskGeneration) => string | Promise<string>
  /** log p of a continuation. */
  readonly logprob?: (prompt: string, continuation: string) => number
  readonly facts?: Partial<ModelFacts>
}

export function scriptedModel({ answer = () => '', logprob = () => -1, facts = {} }: Script = {}): Scripted {
  const asked: string[] = []
  const note = (prompt: TaskPrompt) => {
    const text = promptText(prompt)
    asked.push(text)
    return text
  }
  return {
    asked,
    model: {
      concurrency: 2,
      scoresInstructions: true,
      facts: {
        ...{
          name: 'scripted',
          endpoint: null,
          weights: 'w',
          adapter: null,
          template: 'alpaca',
          templateHash: 't',
        },
        ...{ tokenizer: 'k', dtype: 'f32', quantize: 'none', ...facts },
      },
      likelihoods(prompt, continuations) {
        const text = note(prompt)
        const likelihoods = continuations.map((one) => ({ logprob: logprob(text, one), tokens: one.length }))
        return Promise.resolve({ likelihoods, promptTokens: text.length, cut: 0 })
      },
      async answer(prompt, generation) {
        const text = note(prompt)
        const said = await answer(text, generation)
        return { text: said, ended: 'end', tokens: said.length, promptTokens: text.length, cut: 0 }
      },
      loss(example: Example) {
        asked.push(JSON.stringify(example))
        return Promise.resolve({ sum: 6, tokens: 3 })
      },
    },
  }
}
