import { expect, test } from 'vitest'
import type { PeftHandle, PeftMethod, TrainableParameter } from '@ift/core'
import * as z from '@ift/core/options'
import { peftConformance, peftTrial, type PeftConformanceOptions } from '@ift/core/testing'
import { llama } from '@ift/model-llama'
import { lora } from '@ift/peft-lora'
import {
  Linear,
  Parameter,
  QuantizedLinear,
  recomputeModules,
  replaceModules,
  zeros,
  keep,
  ops,
  type Backend,
  type CausalLM,
  type Tensor,
} from '@ift/tensor'
import { fixture } from '../fixture/files.js'

// LoRA with a fault, which the kit has to find.

const method: PeftMethod = lora

/** LoRA whose handle has other parts. */
const withHandle = (change: (handle: PeftHandle, model: CausalLM) => Partial<PeftHandle>): PeftMethod => ({
  ...method,
  attach: async (model, options, context) => {
    const handle = await method.attach(model, options, context)
    const changed = change(handle, model)
    return new Proxy(handle, {
      get(of, key) {
        const value: unknown = Object.hasOwn(changed, key)
          ? Reflect.get(changed, key)
          : Reflect.get(of, key, of)
        return typeof value === 'function' ? (value.bind(of) as unknown) : value
      },
    })
  },
})

/** LoRA that does something else besides when it is attached. */
const attaching = (change: (handle: PeftHandle, model: CausalLM) => void) =>
  withHandle((handle, model) => {
    change(handle, model)
    return {}
  })

const write = ({ parameter }: TrainableParameter, value: () => number) => {
  const { master } = parameter
  master.backend.write(master.buf, Float32Array.from({ length: master.size }, value))
  parameter.roundFromMaster()
}

/** Adds the output of the first row to that of every row. */
class FirstRow extends Linear {
  protected override forward(x: Tensor, addTo?: Tensor): Tensor {
    const first = ops.linear(x.rows(0, 1), this.weight.value).reshape(this.outFeatures)
    return ops.linear(x, this.weight.value, { bias: first, addTo })
  }
}

/** Computes something else every time. */
class Counting extends Linear {
  #calls = 0
  protected override forward(x: Tensor, addTo?: Tensor): Tensor {
    return ops.linear(x, this.weight.value, { alpha: 1 + this.#calls++, addTo })
  }
}

/** Adds its output to the stream in the type of its weights. */
class OwnType extends Linear {
  protected override forward(x: Tensor, addTo?: Tensor): Tensor {
    const y = ops.linear(x, this.weight.value)
    return addTo ? ops.add(addTo, y) : y
  }
}

const replacing = (Layer: typeof Linear, layer = 'o_proj') =>
  attaching((_, model) => {
    replaceModules(
      model,
      (path) => path.endsWith(layer),
      (module) => {
        const linear = module as unknown as Linear & { readonly base_layer?: Linear }
        const { inFeatures, outFeatures, weight } = linear.base_layer ?? linear
        return new Layer(inFeatures, outFeatures, { weight })
      },
    )
  })

const loadless = withHandle(() => ({ load: () => Promise.resolve() }))

/** LoRA that looks at no file. */
const unread: PeftMethod = {
  ...loadless,
  attach: (model, options, context) => loadless.attach(model, options, { ...context, adapter: undefined }),
}

const isCounting = ({ backend }: { readonly backend: Backend }) => backend.device.kind === 'counting'

/** LoRA with virtual keys that leave the tokens where they are. */
const withVirtualKeys = (length: number) =>
  withHandle(() => ({ prefix: { length, keysAndValues: () => [], positionsFromZero: true } }))

interface Fault {
  /** End of the name of the case that finds it. */
  readonly by: string
  readonly method: PeftMethod
  readonly message: RegExp
  readonly settings?: Partial<PeftConformanceOptions>
}

const faults: Readonly<Record<string, Fault>> = {
  'options that are not checked': {
    by: 'options of another method are refused by name',
    method: { ...method, options: z.looseObject({}) },
    message: /expected IFT_CONFIG_INVALID naming peft\.conformance/,
  },
  'options of another method that are passed over': {
    by: 'options of another method are refused by name',
    method: {
      ...method,
      options: z.looseObject({ conformance: z.boolean().optional(), r: z.number().optional() }),
    },
    message: /virtualTokens: 4 belongs to another method/,
  },
  'a trained parameter that is not named': {
    by: 'what is trained has names, and nothing else is trained',
    method: withHandle((handle) => ({ trainable: () => [...handle.trainable()].slice(1) })),
    message: /is trainable, and not in trainable\(\)/,
  },
  'virtual tokens that it names and does not have': {
    by: 'virtual tokens are those that it names before',
    method: { ...method, virtualTokens: () => ({ tokens: 2, places: 2 }) },
    message: /gives 2 tokens in 2 places, and attached it has 0 in 0/,
  },
  'virtual tokens that it does not name': {
    by: 'virtual tokens are those that it names before',
    method: withVirtualKeys(3),
    message: /gives 0 tokens in 0 places, and attached it has 3 in 0/,
  },
  'virtual tokens that are said to take places': {
    by: 'virtual tokens are those that it names before',
    method: { ...withVirtualKeys(3), virtualTokens: () => ({ tokens: 3, places: 3 }) },
    message: /gives 3 tokens in 3 places, and attached it has 3 in 0/,
  },
  'a start that moves the logits': {
    by: 'the start leaves the logits as they are, or is said not to',
    method: attaching((handle) => {
      for (const entry of handle.trainable()) write(entry, () => 0.1)
    }),
    message: /logits of the method as it starts/,
  },
  'a start that is said to move the logits': {
    by: 'the start leaves the logits as they are, or is said not to',
    method,
    settings: { startsAtBase: false },
    message: /startsAtBase is false/,
  },
  'a start without the seed': {
    by: 'the same seed gives the same start',
    method: attaching((handle) => {
      for (const entry of handle.trainable()) write(entry, Math.random)
    }),
    message: /start of base_model/,
  },
  'a parameter that plays no part': {
    by: 'all that is trained has a gradient, and nothing else',
    method: withHandle((handle) => {
      const entries = [...handle.trainable()]
      const idle = new Parameter([2])
      idle.assign(zeros(entries[0]!.parameter.value.backend, [2], 'f32'))
      idle.setTrainable(true)
      return { trainable: () => [...entries, { name: 'idle', parameter: idle, lrScale: 1, decay: true }] }
    }),
    message: /idle is trained, and has no gradient/,
  },
  'a penalty without its gradient': {
    by: 'gradients agree with finite differences',
    method: withHandle((handle) => ({
      penalty: () => {
        const { value } = [...handle.trainable()][0]!.parameter
        const first = value.reshape(value.size, 1).rows(0, 1).reshape(1)
        const copy = zeros(value.backend, [1], 'f32')
        value.backend.axpby(copy.buf, 1, first.buf, 0, first.buf, 1, 'f32')
        return copy
      },
    })),
    message: /slope of the loss/,
  },
  'a rate of nothing': {
    by: 'steps of training lower the loss',
    method: withHandle((handle) => ({
      trainable: () => [...handle.trainable()].map((entry) => ({ ...entry, lrScale: 1e-30 })),
    })),
    message: /the loss goes from/,
  },
  'dropout that it does not speak of': {
    by: 'random numbers are drawn in training only, where it says so',
    method: withHandle(() => ({ stochastic: false })),
    settings: { options: { dropout: 0.5 } },
    message: /though stochastic is not true/,
  },
  'dropout that it has not': {
    by: 'random numbers are drawn in training only, where it says so',
    method: withHandle(() => ({ stochastic: true })),
    settings: { options: { dropout: 0 } },
    message: /no random number is drawn/,
  },
  'dropout that stays on': {
    by: 'random numbers are drawn in training only, where it says so',
    method: withHandle((handle) => ({
      setTraining: () => {
        handle.setTraining(true)
      },
    })),
    settings: { options: { dropout: 0.5 } },
    message: /without training/,
  },
  'rows that see another sequence': {
    by: 'packed sequences equal one at a time',
    method: replacing(FirstRow),
    message: /logits of sequence 1/,
  },
  'a layer that does not compute the same twice': {
    by: 'recomputed gradients equal kept ones bit for bit',
    method: replacing(Counting),
    message: /gradient of base_model/,
  },
  'layers that are another thing where memory is counted': {
    by: 'the memory plan is what training and a forward pass hold',
    method: attaching((handle, model) => {
      const { backend } = [...handle.trainable()][0]!.parameter.value
      const chosen = new Set<unknown>(model.layers)
      if (isCounting({ backend })) recomputeModules(model, (_, module) => chosen.has(module))
    }),
    message: /bytes for the backward pass/,
  },
  'a head that adds in its own type': {
    by: 'on the head in bf16 it learns, or is refused with the reason',
    method: replacing(OwnType, 'lm_head'),
    message: /add: b expected f32, found bf16/,
  },
  'parameters that are others where memory is counted': {
    by: 'the memory plan is what training and a forward pass hold',
    method: {
      ...method,
      attach: (model, options: object, context) =>
        method.attach(model, isCounting(context) ? { ...options, r: 1 } : options, context),
    },
    message: /Where memory is counted .*lora_A.* \[1, \d+\].* is trained, otherwise .* \[8, \d+\]/,
  },
  'bytes that are not there where memory is counted': {
    by: 'the memory plan is what training and a forward pass hold',
    method: withHandle((handle) => {
      const { backend } = [...handle.trainable()][0]!.parameter.value
      const besides = isCounting({ backend }) ? null : keep(zeros(backend, [2 ** 16], 'f32'))
      return {
        release: () => {
          besides?.release()
          handle.release()
        },
      }
    }),
    message: /bytes for what is trained and its optimizer/,
  },
  'a layer in few bits that it does not know': {
    by: 'over nf4 and int8 it learns, or is refused with the reason',
    method: attaching((_, model) => {
      for (const [, module] of model.namedModules())
        if (module instanceof QuantizedLinear) throw new TypeError('no weight')
    }),
    message: /expected an IFT_PEFT_… error, found TypeError: no weight/,
  },
  'a switch that does nothing': {
    by: 'switched off, the model is the base bit for bit',
    method: withHandle(() => ({ setEnabled: () => undefined })),
    message: /logits with the method off/,
  },
  'steps that differ from whole passes': {
    by: 'decoding with a cache equals whole passes: greedy, batch, beams',
    method: replacing(FirstRow),
    message: /scores of the next token/,
  },
  'a config with another scale': {
    by: 'what is saved loads to the same bytes and logits',
    method: withHandle((handle) => ({
      save: async () => {
        const { config, tensors } = await handle.save()
        return { config: { ...config, lora_alpha: 1 }, tensors }
      },
    })),
    message: /logits of what was loaded/,
  },
  'a file that is loaded whatever it holds': {
    by: 'missing, left over and misshapen tensors are named',
    method: unread,
    message: /expected an IFT_ADAPTER_… error naming/,
  },
  'a merge that forgets the update': {
    by: 'merged weights give the same logits, or the reason is said',
    method: withHandle((handle) => ({
      merge: () => {
        for (const entry of handle.trainable()) write(entry, () => 0)
        return handle.merge!()
      },
    })),
    message: /logits of the merged model/,
  },
  'a merge that leaves its layers': {
    by: 'merged weights give the same logits, or the reason is said',
    method: withHandle(() => ({ merge: () => Promise.resolve() })),
    message: /stay in the merged model/,
  },
  'buffers that outlive it': {
    by: 'scores equal those of a forward pass',
    method: withHandle((handle) => {
      // The model releases what is in it; a tensor beside it is the handle's to release.
      const { backend } = [...handle.trainable()][0]!.parameter.value
      const beside = new Parameter([1])
      beside.assign(zeros(backend, [1], 'f32'))
      return {}
    }),
    message: /1 buffers outlive the method/,
  },
}

test.each(Object.entries(faults))('the kit finds %s', async (_, { by, method, message, settings }) => {
  const models = [{ definition: llama, folder: fixture('llama-variants/plain') }]
  const cases = peftConformance(method, { models, ...settings })
  const { run } = cases.find(({ name }) => name.endsWith(`: ${by}`))!
  await expect(run()).rejects.toThrow(message)
})

/** Computes another thing for so many rows. */
const failingAt = (rows: number) =>
  class extends Linear {
    protected override forward(x: Tensor, addTo?: Tensor): Tensor {
      return ops.linear(x, this.weight.value, { alpha: x.dim(0) === rows ? -4 : 1, addTo })
    }
  }

// A sequence alone has a row a step; of three prompts, and of three beams, there are three.
test.each([
  [1, 'scores of the next token of 1 at once'],
  [3, 'scores of the next token of 3 at once'],
])('over bf16 the trial finds a layer that is wrong for %i rows', async (rows, message) => {
  const model = { definition: llama, folder: fixture('llama-variants/plain') }
  const trial = (one: PeftMethod) => peftTrial(one, model, { base: 'bf16' })
  await expect(trial(replacing(failingAt(rows)))).rejects.toThrow(message)
  await expect(trial(method)).resolves.toEqual({ refused: null, unmerged: null })
})
