import { expect, test } from 'vitest'
import { takeOverrides } from './overrides.js'

const verbs = {
  train: { name: 'train', flags: new Set(['resume', 'json', 'nproc', 'output']), hasOperands: false },
  generate: { name: 'generate', flags: new Set(['input', 'json']), hasOperands: true },
  merge: { name: 'merge', flags: new Set<string>(), hasOperands: true },
  predict: { name: 'predict', flags: new Set(['input', 'output', 'batch']), hasOperands: false },
}
const split = (line: string) => {
  const words = line.split(' ')
  return takeOverrides(words, verbs[words[0] as keyof typeof verbs])
}

test('config options are taken off the line, what is left is for the verb', () => {
  const { rest, flags } = split(
    'train --train.epochs 2 --weights ./m --data a.json b.json --dedup --resume --json',
  )
  expect(rest).toEqual(['train', '--resume', '--json'])
  expect(flags).toEqual({
    'train.epochs': ['2'],
    weights: ['./m'],
    data: ['a.json', 'b.json'],
    dedup: [],
  })
})

test('a switch that takes words as well takes its own alone', () => {
  expect(split('data stats --dedup a.jsonl')).toMatchObject({
    rest: ['data', 'stats', 'a.jsonl'],
    flags: { dedup: [] },
  })
  expect(split('train --dedup near --json').flags).toEqual({ dedup: ['near'] })
  expect(split('train --dedup false').flags).toEqual({ dedup: ['false'] })
  expect(takeOverrides(['train', '--dedup', '{"near":0.9}']).flags).toEqual({ dedup: ['{"near":0.9}'] })
})

test('a list whose elements may be switches takes words', () => {
  expect(split('train --plugins ./mine.js ./other.js --json').flags).toEqual({
    plugins: ['./mine.js', './other.js'],
  })
  expect(split('generate --plugins ./mine.js').flags).toEqual({ plugins: ['./mine.js'] })
})

test('a switch is put off by its name behind no-', () => {
  expect(split('generate --no-deterministic hello')).toMatchObject({
    rest: ['generate', 'hello'],
    flags: { deterministic: ['false'] },
  })
  expect(split('train --no-train.shuffle --json').flags).toEqual({ 'train.shuffle': ['false'] })
  expect(() => split('generate --no-deterministic=1')).toThrow('--no-deterministic takes no value, found 1.')
  expect(() => split('generate --no-weights')).toThrow('There is no option --no-weights.')
})

test('words behind an option of the method are its list, where the verb takes no words itself', () => {
  expect(split('train --peft.targetModules q_proj v_proj --peft.r 16').flags).toEqual({
    'peft.targetModules': ['q_proj', 'v_proj'],
    'peft.r': ['16'],
  })
  const { rest, flags } = split('generate --peft.r 16 hello --weights ./m')
  expect(rest).toEqual(['generate', 'hello'])
  expect(flags).toEqual({ 'peft.r': ['16'], weights: ['./m'] })
})

test('a flag is no value of the flag in front of it; numbers below zero are', () => {
  expect(split('train --weights --dedup').flags).toEqual({ weights: [], dedup: [] })
  expect(split('train --train.seed -1').flags).toEqual({ 'train.seed': ['-1'] })
  expect(split('train --weights=--odd').flags).toEqual({ weights: ['--odd'] })
})

test("a line of the original's README", () => {
  const { overrides, flags } = split(
    'train --model_type llama --model_name_or_path org/m --data alpaca --lora_target_modules q_proj v_proj --lora_r 8 --learning_rate 3e-4 --epochs 1',
  )
  expect(overrides).toEqual({
    model: 'llama',
    weights: 'org/m',
    peft: { targetModules: ['q_proj', 'v_proj'], r: 8 },
    train: { learningRate: 3e-4, epochs: 1 },
  })
  expect(flags).toEqual({ data: ['alpaca'] })
})

test("the batch is the product of the original's two flags and of the processes, one not given at its default", () => {
  const sizeOf = (line: string) => split(line).overrides
  expect(sizeOf('train --per_gpu_train_batch_size 2')).toEqual({ train: { batchSize: 64 } })
  expect(sizeOf('train --gradient_accumulation_steps 8')).toEqual({ train: { batchSize: 32 } })
  const both = { train: { batchSize: 6 } }
  expect(sizeOf('train --per_gpu_train_batch_size 2 --gradient_accumulation_steps 3')).toEqual(both)
  expect(sizeOf('train --gradient_accumulation_steps 3 --per_gpu_train_batch_size 2')).toEqual(both)
  const { overrides, rest, notes } = split('train --per_gpu_train_batch_size 2 --nproc_per_node=4 --nnodes=1')
  expect(overrides).toEqual({ train: { batchSize: 256 } })
  expect(rest).toEqual(['train', '--nproc', '4'])
  expect(notes.join()).toContain('× 4 processes')
})

test('flags of the other scripts belong to their verbs', () => {
  expect(split('merge --lora_dir x --merged_dir y --size 7b')).toMatchObject({
    rest: ['merge', 'y'],
    overrides: { adapter: 'x' },
  })
  expect(split('predict --data d.json --result_dir r.txt --predict_batch_size 4').rest).toEqual(
    'predict --input d.json --output r.txt --batch 4'.split(' '),
  )
  expect(split('generate --top_p 0.9 --do_sample --num_beams 4').overrides).toEqual({
    generate: { topP: 0.9, doSample: true, numBeams: 4 },
  })
  expect(() => split('train --lora_dir x')).toThrow('no option --lora_dir')
  expect(() => split('train --nnodes 2')).toThrow('--nnodes 2')
})

test('resuming as the original writes it', () => {
  expect(split('train --resume_from_checkpoint').rest).toEqual(['train', '--resume'])
  expect(split('train --resume_from_checkpoint run').rest).toEqual(['train', '--resume', 'run'])
})

test('a flag that nobody knows, a wrong value, quantisation', () => {
  expect(() => split('train --train.epoch 2')).toThrow('no option --train.epoch')
  expect(() => split('train --epoch 2')).toThrow(
    expect.objectContaining({ hint: 'Did you mean --epochs?' }) as Error,
  )
  expect(() => split('train --lora_r many')).toThrow('a number')
  expect(() => split('train --quantization_bit 3')).toThrow('4 or 8')
  expect(split('train --quantization_bit 4').overrides).toEqual({ quantize: 'nf4' })
  expect(split('train --quantization_bit 8').overrides).toEqual({ quantize: 'int8' })
})

test("the original's families are found under their names here", () => {
  expect(split('train --model_type chatglm2').overrides).toEqual({ model: 'chatglm' })
  for (const name of ['chatglm', 'bloom', 'moss', 'baichuan', 'internlm', 'auto'])
    expect(split(`train --model_type ${name}`).overrides).toEqual({ model: name })
})

test('adapters are named one by one, each by a flag of its own', () => {
  const { rest, flags } = split('generate --adapter a=./x hello --adapter b=./y')
  expect(rest).toEqual(['generate', 'hello'])
  expect(flags).toEqual({ adapter: ['a=./x', 'b=./y'] })
  expect(split('generate hello --adapter ./x').flags).toEqual({ adapter: ['./x'] })
})

test("methods have the original's names and defaults, and flags of other methods do nothing", () => {
  const peftOf = (line: string) => split(line).overrides['peft']
  expect(peftOf('train --peft_type p_tuning')).toEqual({ method: 'p-tuning', encoderHidden: 128 })
  expect(peftOf('train --num_virtual_tokens 8 --prompt_encoder_hidden_size 64 --peft_type p_tuning')).toEqual(
    { method: 'p-tuning', virtualTokens: 8, encoderHidden: 64 },
  )
  expect(peftOf('train --peft_type prefix --prompt_encoder_hidden_size 64')).toEqual({
    method: 'prefix-tuning',
    projection: true,
    encoderHidden: 64,
  })
  const { overrides, notes } = split(
    'train --peft_type prompt --num_virtual_tokens 8 --prompt_encoder_hidden_size 64 --lora_r 8',
  )
  expect(overrides).toEqual({ peft: { method: 'prompt-tuning', virtualTokens: 8 } })
  expect(notes).toEqual([
    '--prompt_encoder_hidden_size is not needed: --peft_type prompt does nothing with it.',
    '--lora_r is not needed: --peft_type prompt does nothing with it.',
  ])
  expect(peftOf('train --peft_type lora --lora_r 8')).toEqual({ method: 'lora', r: 8 })
  expect(peftOf('train --lora_r 8')).toEqual({ r: 8 })
  expect(peftOf('train --epochs 1')).toBeUndefined()
})
