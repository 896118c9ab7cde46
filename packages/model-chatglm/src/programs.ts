import type { TemplateProgram } from '@ift/core'

// What the templates of the family write, as data that Jinja and Go are written from.

const content = { value: 'content' } as const
const end = { when: 'last', then: [{ token: 'eos' }] } as const

/** ChatGLM-6B; `blank` stands where the answer begins. */
export const firstProgram = (blank: string): TemplateProgram => ({
  before: [{ when: 'system', then: [{ value: 'system' }, '\n\n'] }],
  each: [
    {
      when: 'assistant',
      then: [{ when: 'last', then: [blank, content, { token: 'eos' }], otherwise: [content, '\n'] }],
      otherwise: [
        {
          when: 'rounds',
          then: ['[Round ', { value: 'round', from: 0 }, ']\n问：', content, '\n答：'],
          otherwise: [content],
        },
      ],
    },
  ],
  after: [{ when: 'ask', then: [blank] }],
})

/** ChatGLM2. */
export const secondProgram: TemplateProgram = {
  before: ['[gMASK]sop', { when: 'system', then: [{ value: 'system' }, '\n\n'] }],
  each: [
    {
      when: 'assistant',
      then: [content, { when: 'last', then: [{ token: 'eos' }], otherwise: ['\n\n'] }],
      otherwise: ['[Round ', { value: 'round', from: 1 }, ']\n\n问：', content, '\n\n答：'],
    },
  ],
  after: [],
}

/** ChatGLM3 and GLM-4: a token for every role, then `lead`. */
export const roleProgram = (start: string, lead: string): TemplateProgram => ({
  before: [start, { when: 'system', then: [`<|system|>${lead}`, { value: 'system' }] }],
  each: [
    {
      when: 'assistant',
      then: [`<|assistant|>${lead}`, content, end],
      otherwise: [
        { when: 'tool', then: [`<|observation|>${lead}`], otherwise: [`<|user|>${lead}`] },
        content,
      ],
    },
  ],
  after: [{ when: 'ask', then: ['<|assistant|>'] }],
})
