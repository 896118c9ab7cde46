import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { trainSchema } from '../../config/schema.js'
import { createSchedule, learningRate, type ScheduleConfig } from './schedule.js'
import { zeroRateNote } from './zero-rate.js'

const kinds = ['linear', 'cosine', 'constant', 'wsd'] as const

const create = (config: Partial<ScheduleConfig>, totalSteps: number) =>
  createSchedule({ ...trainSchema.parse({}), learningRate: 1, ...config }, totalSteps)

const course = (config: Partial<ScheduleConfig>, totalSteps = 10) => {
  const schedule = create({ warmupSteps: 2, ...config }, totalSteps)
  return Array.from({ length: totalSteps + 1 }, (_, step) => Number(learningRate(schedule, step).toFixed(4)))
}

test('linear', () => {
  expect(course({ schedule: 'linear' })).toEqual([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0])
})

test('cosine ends at its floor', () => {
  const lr = course({ schedule: 'cosine', minLearningRateRatio: 0.1 })
  expect(lr[2]).toBe(1)
  expect(lr[6]).toBe(0.55)
  expect(lr[10]).toBe(0.1)
})

test('constant', () => {
  const lr = course({ schedule: 'constant', minLearningRateRatio: 0.1 })
  expect(lr.slice(2)).toEqual(Array.from({ length: 9 }, () => 1))
})

test('wsd stays at the peak until its decay, which has a length and a form', () => {
  expect(course({ schedule: 'wsd', decaySteps: 4 })).toEqual([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0])
  const shaped = { schedule: 'wsd', decayRatio: 0.4, decayShape: 'sqrt', minLearningRateRatio: 0.5 } as const
  expect(course(shaped).slice(6)).toEqual([1, 0.75, 0.6464, 0.567, 0.5])
  expect(course({ schedule: 'wsd', decayRatio: 0 }).slice(2, 10)).toEqual(Array.from({ length: 8 }, () => 1))
  // A tenth, where the config says nothing.
  expect(course({ schedule: 'wsd' }, 40).slice(35)).toEqual([1, 1, 0.75, 0.5, 0.25, 0])
})

test.each(kinds)('no step of a %s run has a rate of 0, and a run of one step has the peak', (schedule) => {
  for (let totalSteps = 1; totalSteps <= 40; totalSteps++)
    for (const warmup of [{}, { warmupSteps: 0 }, { warmupSteps: 1 }, { warmupRatio: 0.5 }]) {
      const created = create({ schedule, ...warmup }, totalSteps)
      const rates = Array.from({ length: totalSteps }, (_, step) => learningRate(created, step))
      expect(Math.min(...rates)).toBeGreaterThan(0)
      expect(zeroRateNote(created)).toBeNull()
      if (totalSteps === 1) expect(rates).toEqual([1])
    }
})

test('warm-up is counted over all steps and never longer than the run', () => {
  expect(create({ warmupRatio: 0.03 }, 100).warmupSteps).toBe(3)
  expect(create({ warmupRatio: 0.03 }, 10).warmupSteps).toBe(1)
  expect(create({ warmupSteps: 20 }, 5).warmupSteps).toBe(5)
})

test.each<[string, Partial<ScheduleConfig>, RegExp]>([
  [
    'shares above 1',
    { warmupRatio: 0.5, decayRatio: 0.6 },
    /train\.warmupRatio 0\.5 and train\.decayRatio 0\.6 are more than the 10 steps/,
  ],
  [
    'steps above the run',
    { warmupSteps: 4, decaySteps: 7 },
    /train\.warmupSteps 4 and train\.decaySteps 7 are more/,
  ],
  [
    'a share and steps',
    { warmupRatio: 0.5, decaySteps: 6 },
    /train\.warmupRatio 0\.5 and train\.decaySteps 6/,
  ],
])('a decay of wsd behind a warm-up: %s', (_name, config, message) => {
  expect(() => create({ schedule: 'wsd', ...config }, 10)).toThrow(message)
})

test('a share of the decay that fits is not refused for its rounding', () => {
  for (let totalSteps = 1; totalSteps <= 30; totalSteps++)
    expect(create({ schedule: 'wsd', warmupRatio: 0.4, decayRatio: 0.6 }, totalSteps).totalSteps).toBe(
      totalSteps,
    )
})

test.each(['decaySteps', 'decayRatio', 'decayShape'] as const)('%s is refused without wsd', (name) => {
  const value = name === 'decayShape' ? 'sqrt' : name === 'decaySteps' ? 3 : 0.3
  expect(() => create({ schedule: 'cosine', [name]: value }, 10)).toThrow(
    `train.${name} is an option of the schedule wsd, and train.schedule is cosine`,
  )
})

test('rates that f32 cannot hold are said before the run', () => {
  expect(zeroRateNote(create({ learningRate: 1e-50, schedule: 'constant', warmupSteps: 0 }, 3))).toMatch(
    /^steps 1 to 3 of 3 train at rate 0: train\.learningRate is 1e-50, and f32 /,
  )
  expect(zeroRateNote(create({ learningRate: 2e-45, schedule: 'linear', warmupSteps: 0 }, 4))).toMatch(
    /^step 4 of 4 trains at rate 0/,
  )
})

test("schedules are Hugging Face's, whose warm-up is one step behind", () => {
  const url = new URL('../../../../../fixtures/optimizers.json', import.meta.url)
  const { schedules } = JSON.parse(readFileSync(url, 'utf8')) as { schedules: Record<string, number[]> }
  const wsd = { schedule: 'wsd', decaySteps: 12 } as const
  const configs: Record<string, Partial<ScheduleConfig>> = {
    linear: { schedule: 'linear' },
    cosine: { schedule: 'cosine' },
    constant: { schedule: 'constant' },
    'wsd linear': wsd,
    'wsd cosine': { ...wsd, decayShape: 'cosine' },
    'wsd sqrt': { ...wsd, decayShape: 'sqrt' },
  }
  expect(Object.keys(configs)).toEqual(Object.keys(schedules))
  for (const [name, config] of Object.entries(configs)) {
    const schedule = create({ ...config, warmupSteps: 4 }, 40)
    for (let step = 0; step < 40; step++) {
      const theirs = schedules[name]![step < 4 ? step + 1 : step]!
      expect(learningRate(schedule, step), `${name}, step ${step}`).toBeCloseTo(theirs, 12)
    }
  }
})
