/**
 * A plugin as a config holds it. What `apply` is given is the `PluginHost` of the session, whose hooks carry the config: the
 * config's own type therefore leaves it open.
 */
export interface Plugin<Host = never> {
  readonly name: string
  /** `PLUGIN_API` of the core that the plugin was written for. */
  readonly api: number
  apply(host: Host): void
}
