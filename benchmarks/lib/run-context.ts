import type { RedisServer } from '../../scripts/services/redis.js'
import type { Load } from './load.js'
import type { Machine } from './machine.js'
import type { Section } from './report.js'

/** How long and how much, for a full and for a quick run. */
export interface Plan {
  readonly quick: boolean
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly users: number
}

export interface RunContext {
  readonly machine: Machine
  readonly plan: Plan
  /** A temporary folder of the run. */
  readonly folder: string
  /** The package as built for this run. */
  readonly packageFolder: string
  readonly load: Load
  /** A private Redis of its own, on the load's core. */
  startRedis(): Promise<RedisServer>
  /** Calls `stop` when the scenario ends, however it does. */
  defer(stop: () => Promise<unknown>): void
}

export type Scenario = (context: RunContext) => Promise<Section>

export const connections = 50
