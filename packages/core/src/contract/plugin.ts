/**
 * A plugin as a config holds it. `apply` gets the `PluginHost` of the session. Its hooks carry the config, so the
 * type of the config itself leaves the parameter open.
 */
export interface Plugin<Host = never> {
  readonly name: string
  /** `PLUGIN_API` of the core that the plugin was written for. */
  readonly api: number
  apply(host: Host): void
}
