import type { ToolEvent, ToolParser } from './events.js'

/** An answer without calls. */
export const textParser = (): ToolParser => ({
  feed: (text): ToolEvent[] => (text === '' ? [] : [{ kind: 'content', text }]),
  end: () => [],
})
