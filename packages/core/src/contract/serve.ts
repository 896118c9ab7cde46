/** A path that a plugin adds to the server of a session. */
export interface RouteDefinition {
  readonly method: 'GET' | 'POST'
  /** `/api/x/NAME`, or below it. */
  readonly path: string
  /** Answers a request, which has passed the checks of its host, its origin and its token. */
  run(request: Request): Response | Promise<Response>
}

/** What the hook `routes` is called with, when a server is made. */
export interface RouteTable {
  /** Throws IFT_PLUGIN_INVALID for a path elsewhere. */
  readonly add: (route: RouteDefinition) => void
}
