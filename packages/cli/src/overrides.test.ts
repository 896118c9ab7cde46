import { expect, test } from 'vitest'
import { takeOverrides } from './overrides.js'

const overrides = (line: string) => takeOverrides(line.split(' ')).overrides

test('config options are taken off the line, what is left is for the verb', () => {
  const { rest, overrides: taken } = takeOverrides(
    'train --train.epochs 2 --weights ./m --data a.json b.json --dedup --resume --json'.split(' '),
  )
  expect(rest).toEqual(['train', '--resume', '--json'])
  expect(taken).toEqual({ train: { epochs: 2 }, weights: './m', data: ['a.json', 'b.json'], dedup: true })
})

test("a line of the original's README", () => {
  expect(
    overrides(
      'train --model_type llama --model_name_or_path org/m --data alpaca --lora_target_modules q_proj v_proj --lora_r 8 --learning_rate 3e-4 --epochs 1',
    ),
  ).toEqual({
    model: 'llama',
    weights: 'org/m',
    data: ['alpaca'],
    peft: { targetModules: ['q_proj', 'v_proj'], r: 8 },
    train: { learningRate: 3e-4, epochs: 1 },
  })
})

test("the batch is the product of the original's two flags, the one not given at its default", () => {
  expect(overrides('train --per_gpu_train_batch_size 2')).toEqual({ train: { batchSize: 64 } })
  expect(overrides('train --gradient_accumulation_steps 8')).toEqual({ train: { batchSize: 32 } })
  const both = { train: { batchSize: 6 } }
  expect(overrides('train --per_gpu_train_batch_size 2 --gradient_accumulation_steps 3')).toEqual(both)
  expect(overrides('train --gradient_accumulation_steps 3 --per_gpu_train_batch_size 2')).toEqual(both)
})

test('resuming as the original writes it', () => {
  expect(takeOverrides(['train', '--resume_from_checkpoint']).rest).toEqual(['train', '--resume'])
  expect(takeOverrides(['train', '--resume_from_checkpoint', 'run']).rest).toEqual([
    'train',
    '--resume',
    'run',
  ])
})

test('a wrong dotted option, a wrong value, quantisation', () => {
  expect(() => takeOverrides(['train', '--train.epoch', '2'])).toThrow('train.epoch')
  expect(() => takeOverrides(['train', '--lora_r', 'many'])).toThrow('a number')
  expect(() => takeOverrides(['train', '--quantization_bit', '3'])).toThrow('4 or 8')
  expect(takeOverrides(['train', '--quantization_bit', '4']).overrides).toEqual({ quantize: 'nf4' })
  expect(takeOverrides(['train', '--quantization_bit', '8']).overrides).toEqual({ quantize: 'int8' })
})

test("the original's families are found under their names here", () => {
  expect(overrides('train --model_type chatglm2')).toEqual({ model: 'chatglm' })
  for (const name of ['chatglm', 'bloom', 'moss', 'baichuan', 'internlm', 'auto'])
    expect(overrides(`train --model_type ${name}`)).toEqual({ model: name })
})
