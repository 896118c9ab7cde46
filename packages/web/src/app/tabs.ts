import { signal } from '@preact/signals'

/** Whether the page was opened in another tab later than in this one. */
export const isElsewhere = signal(false)

let channel: BroadcastChannel | null = null

/** The newest tab is the one that writes; the others say so. */
export function watchTabs(): void {
  if (typeof BroadcastChannel === 'undefined') return
  channel = new BroadcastChannel('ift')
  channel.onmessage = () => (isElsewhere.value = true)
  takeOver()
}

/** This tab is the newest again. */
export function takeOver(): void {
  isElsewhere.value = false
  channel?.postMessage('here')
}
