import { IftError } from '@ift/core'
import * as z from '@ift/core/options'
import { inputRows, inputRowsUnmergeable } from './input-rows.js'
import { LstmEncoder } from './lstm-encoder.js'
import { virtualTokenMethod, virtualTokenOptions } from './method.js'
import { MlpEncoder } from './mlp-encoder.js'

const options = z.strictObject({
  ...virtualTokenOptions,
  encoder: z
    .enum(['mlp', 'lstm'])
    .default('mlp')
    .describe('What makes the rows while training: three linear layers, or a bidirectional LSTM and two.'),
  encoderHidden: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('Hidden size of the encoder; that of the model when absent.'),
  // Every layer is a chain of small products over the virtual tokens, twice; PEFT's own files have 2.
  encoderLayers: z
    .number()
    .int()
    .positive()
    .max(64)
    .optional()
    .describe('Layers of the LSTM, 64 at most; 2 when absent.'),
  encoderDropout: z
    .number()
    .min(0)
    .max(0.99)
    .optional()
    .describe('Dropout between the layers of the LSTM while training; 0 when absent.'),
})

export type PTuningOptions = z.output<typeof options>

const encoders = { mlp: 'MLP', lstm: 'LSTM' } as const
const defaults = { layers: 2, dropout: 0 }

/**
 * P-tuning (Liu et al. 2021, arXiv:2103.10385): rows in front of the embedded tokens are the output of an encoder that is
 * trained with its table. The file holds the rows alone.
 */
export const pTuning = virtualTokenMethod<PTuningOptions>({
  name: 'p-tuning',
  peftType: 'P_TUNING',
  options,
  fields: { encoder_hidden_size: 'encoderHidden' },
  ignoredFields: ['encoder_dropout', 'encoder_num_layers', 'encoder_reparameterization_type'],
  startOptions: ['encoder', 'encoderHidden', 'encoderLayers', 'encoderDropout'],
  startFields: [
    'encoder_dropout',
    'encoder_hidden_size',
    'encoder_num_layers',
    'encoder_reparameterization_type',
  ],
  unmergeable: inputRowsUnmergeable,
  lost: () => 'an encoder',
  readConfig(config) {
    const written = config['encoder_reparameterization_type'] ?? 'MLP'
    const encoder = Object.entries(encoders).find(([, name]) => name === written)?.[0]
    if (encoder === undefined)
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json has encoder_reparameterization_type ${JSON.stringify(written)}, expected MLP or LSTM.`,
        'Take the file from where the adapter was made.',
      )
    if (encoder === 'mlp') return { encoder }
    return {
      encoder,
      encoderLayers: config['encoder_num_layers'] ?? defaults.layers,
      encoderDropout: config['encoder_dropout'] ?? defaults.dropout,
    }
  },
  check({ encoder, encoderLayers, encoderDropout }) {
    const ofLstm = { encoderLayers, encoderDropout }
    for (const [option, value] of Object.entries(ofLstm))
      if (encoder !== 'lstm' && value !== undefined)
        throw new IftError(
          'IFT_PEFT_OPTIONS',
          `peft.${option} is for peft.encoder: lstm, found peft.encoder: ${encoder} with ${value}.`,
          `Set peft.encoder: lstm, or leave out peft.${option}.`,
        )
    if (encoderDropout && (encoderLayers ?? defaults.layers) < 2)
      throw new IftError(
        'IFT_PEFT_OPTIONS',
        `peft.encoderDropout acts between layers: expected peft.encoderLayers of 2 or more, found ${encoderLayers!}.`,
        'Leave out peft.encoderDropout, or add layers.',
      )
  },
  sizes: ({ hidden }) => ({ heads: null, tokenDim: hidden, width: hidden }),
  begin({ virtualTokens, encoder, encoderHidden, encoderLayers, encoderDropout }, { shape }) {
    const hidden = encoderHidden ?? shape.hidden
    return encoder === 'mlp'
      ? new MlpEncoder(virtualTokens, shape.hidden, hidden)
      : new LstmEncoder(virtualTokens, shape.hidden, hidden, {
          layers: encoderLayers ?? defaults.layers,
          dropout: encoderDropout ?? defaults.dropout,
        })
  },
  prefix: ({ virtualTokens }, context, rows) => inputRows(virtualTokens, context, rows),
  writeConfig: ({ encoder, encoderHidden, encoderLayers, encoderDropout }, { shape }) => ({
    encoder_dropout: encoderDropout ?? defaults.dropout,
    encoder_hidden_size: encoderHidden ?? shape.hidden,
    encoder_num_layers: encoderLayers ?? defaults.layers,
    encoder_reparameterization_type: encoders[encoder],
  }),
})
