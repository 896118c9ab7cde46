import { signal } from '@preact/signals'

/** Whether a phone shows the list of the view. */
export const isListOpen = signal(false)

export const openList = (): void => {
  isListOpen.value = true
}

export const closeList = (): void => {
  isListOpen.value = false
}
