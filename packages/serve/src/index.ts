import { defineVerb } from '@ift/core'
import { serve } from './verb.js'

export { listen, type Listening, type ListenOptions } from './listen.js'
export type { ServeOptions, Stamp } from './options.js'
export type { PageOptions, Program } from './api/index.js'
export { pageFolder } from './page.js'
export { createServer, type Server } from './server.js'

export const plugin = defineVerb(serve)
