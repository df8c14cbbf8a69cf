import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Answer, Cases, Question, Ready, Settings } from './settings.js'

interface Served {
  readonly app: FastifyInstance
  readonly cases: Cases
}

let profiling: Session | undefined

async function toggleProfile(folder: string): Promise<number> {
  if (profiling) {
    const { profile } = await profiling.post('Profiler.stop')
    writeFileSync(join(folder, 'server.cpuprofile'), JSON.stringify(profile))
    profiling.disconnect()
    profiling = undefined
    return 0
  }
  profiling = new Session()
  profiling.connect()
  await profiling.post('Profiler.enable')
  await profiling.post('Profiler.start')
  return 0
}

async function measure({ ask }: Question, folder: string): Promise<number> {
  if (ask === 'profile') return toggleProfile(folder)
  if (ask === 'cpu') {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  // Twice, because finalizers release memory that only the next collection frees.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return process.memoryUsage().heapUsed
}

/**
 * Runs one compared server as a child process of the harness.
 * Creates its data, listens, and answers questions. Ends when the harness ends.
 */
export async function serve(start: (settings: Settings) => Promise<Served>): Promise<void> {
  const settings = JSON.parse(process.env.BENCH_SETTINGS ?? '{}') as Settings
  const { app, cases } = await start(settings)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  process.on('message', async (question: Question) => {
    process.send?.({ answer: await measure(question, settings.folder) } satisfies Answer)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.({ port, cases } satisfies Ready)
}
