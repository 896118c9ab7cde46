import { definePlugin, defineVerb } from '@ift/core'
import { cardVerb } from './card/verb.js'
import { pushVerb } from './push/verb.js'

export { makeCard, type CardRequest, type MadeCard } from './card/make-card.js'
export { writeCard } from './card/write-card.js'
export { pushAdapter, type Pushed, type PushRequest } from './push/push.js'

export const plugin = definePlugin('hub', (host) => {
  host.use(defineVerb(cardVerb))
  host.use(defineVerb(pushVerb))
})
