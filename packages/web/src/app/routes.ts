import { computed, signal } from '@preact/signals'

export type View = 'chat' | 'compare' | 'run' | 'runs' | 'data' | 'new'

export interface Route {
  readonly view: View
  /** The conversation, comparison, run or set of data that is shown. */
  readonly id: string | null
  readonly query: URLSearchParams
}

/** What a hash means: `#/chat[/ID]`, `#/compare[/ID]`, `#/runs`, `#/runs/ID`, `#/data[/NAME]`, `#/new`. Any other is a new chat. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [name = '', ...rest] = path.split('/')
  const query = new URLSearchParams(search)
  const id = decoded(rest.join('/'))
  if (name === 'runs') return { view: id === null ? 'runs' : 'run', id, query }
  if (name === 'compare' || name === 'data') return { view: name, id, query }
  if (name === 'new') return { view: 'new', id, query }
  return { view: 'chat', id: name === 'chat' ? id : null, query }
}

function decoded(text: string): string | null {
  if (text === '') return null
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The hash of a view, and of what is shown in it. */
export function pathOf(view: View, id?: string | null, query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(query).toString()
  const name = view === 'run' ? 'runs' : view
  const of = id === undefined || id === null ? '' : `/${encodeURIComponent(id)}`
  return `#/${name}${of}${search === '' ? '' : `?${search}`}`
}

const hash = signal(typeof location === 'undefined' ? '' : location.hash)

/** Where the page is. */
export const route = computed(() => routeOf(hash.value))

/** Follows the address. */
export function watchRoute(): void {
  hash.value = location.hash
  addEventListener('hashchange', () => (hash.value = location.hash))
}

/** Goes to a path of `pathOf`; `replace` leaves no step to go back to. */
export function go(path: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, '', path)
    hash.value = location.hash
  } else location.hash = path
}
