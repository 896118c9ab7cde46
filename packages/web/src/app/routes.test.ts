import { describe, expect, it } from 'vitest'
import { pathOf, routeOf } from './routes.js'

describe('routes', () => {
  it.each([
    ['', 'chat', null],
    ['#/', 'chat', null],
    ['#/chat/a1', 'chat', 'a1'],
    ['#/nowhere/x', 'chat', null],
    ['#/compare', 'compare', null],
    ['#/runs', 'runs', null],
    ['#/runs/zh%20lora', 'run', 'zh lora'],
    ['#/data/alpaca_en', 'data', 'alpaca_en'],
    ['#/new', 'new', null],
    ['#/runs/%E4%ZZ', 'run', '%E4%ZZ'],
  ])('%s', (hash, view, id) => {
    expect(routeOf(hash)).toMatchObject({ view, id })
  })

  it('reads back what it writes', () => {
    const { view, id, query } = routeOf(pathOf('run', 'a/b ?#', { with: 'c&d' }))
    expect([view, id, query.get('with')]).toEqual(['run', 'a/b ?#', 'c&d'])
  })
})
