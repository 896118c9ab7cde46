// A model whose answers are given: what clients make of calls and thoughts needs a model that makes them.
import { definePlugin, type Ift, type IftPlugin } from '@ift/core'

export interface Script {
  readonly plugin: IftPlugin
  /** Gives the text of the next answers; '' leaves them to the model. */
  say(ift: Ift, text: string): Promise<void>
}

/** A plugin that leaves one token in each place of an answer: that of the text, behind it the end token. */
export function script(): Script {
  let ids: Int32Array | null = null
  let end = 0
  return {
    async say(ift, text) {
      const { tokenizer, ends } = await ift.openModel()
      ;[end = 0] = ends
      ids = text === '' ? null : (await tokenizer.encode(text)).ids
    },
    plugin: definePlugin('scripted', (ift) => {
      ift.hooks.logits.tap('scripted', (scores, context) => {
        if (!ids) return
        const next = ids[context.ids.length - context.promptTokens] ?? end
        scores.fill(-Infinity)
        scores[next] = 0
      })
    }),
  }
}
