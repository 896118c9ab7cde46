import { signal } from '@preact/signals'

/** Whether the page was opened in another tab later than in this one. */
export const isElsewhere = signal(false)

let channel: BroadcastChannel | null = null

/** The newest tab is the one that is used; the others say so. Messages of all are kept (`history.ts`). */
export function watchTabs(): void {
  if (typeof BroadcastChannel === 'undefined') return
  channel = new BroadcastChannel('ift')
  channel.onmessage = () => (isElsewhere.value = true)
  takeOver()
}

/** Tells the others. A page that is opened anew has read what they wrote. */
function takeOver(): void {
  channel?.postMessage('here')
}
