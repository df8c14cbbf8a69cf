import type { FastifyInstance } from 'fastify'
import { type Doctor, kDoctor } from '../../core/inspection.js'
import type { CrudAuthOptions } from '../../core/option-types.js'

/** One registration of the plugin. */
export interface Registration {
  readonly app: FastifyInstance
  readonly options: CrudAuthOptions
  /** Path of its routes, from the root. */
  readonly mountPath: string
}

export interface Observed {
  readonly registrations: readonly Registration[]
  /** Warnings that the plugin has logged, without its name. */
  readonly warnings: readonly string[]
}

/** Warnings about what the doctor checks itself, in other words. */
const ownChecks = /could not verify|"cookies\.secure" is off/

/** Waits for the registrations of the plugin in this process. Call it before the app is loaded. */
export function observeRegistrations(): Observed {
  const registrations: Registration[] = []
  const warnings: string[] = []
  const watched = new WeakSet<object>()

  const watch = (log: FastifyInstance['log']) => {
    if (watched.has(log)) return
    watched.add(log)
    const warn = log.warn as (...args: unknown[]) => void
    const watching = (...args: unknown[]) => {
      const text = String(args.find((arg) => typeof arg === 'string') ?? '')
      if (text.startsWith('fastify-crudauth') && !ownChecks.test(text))
        warnings.push(
          text
            .replace(/^fastify-crudauth: (.)/, (_, first: string) => first.toUpperCase())
            .replace(/^fastify-crudauth/, 'The plugin'),
        )
      warn.apply(log, args)
    }
    try {
      log.warn = watching as FastifyInstance['log']['warn']
    } catch {
      // A frozen logger of the app. Its warnings are in the log.
    }
  }

  const doctor: Doctor = (app, options) => {
    const { prefix } = options
    const own = typeof prefix === 'string' ? prefix.replace(/\/$/, '') : ''
    registrations.push({ app, options, mountPath: app.prefix + own })
    watch(app.log)
  }
  ;(globalThis as { [kDoctor]?: Doctor })[kDoctor] = doctor
  return { registrations, warnings }
}
