import { defineVerb } from '@ift/core'
import { serve } from './verb.js'

export { listen, type Listening, type ListenOptions } from './listen.js'
export type { ServeOptions, Stamp } from './options.js'
export { createServer, type Server } from './server.js'

export const plugin = defineVerb(serve)
