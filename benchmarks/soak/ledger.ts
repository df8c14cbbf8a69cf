import { setTimeout as delay } from 'node:timers/promises'

/** A part of the run, between two faults or around one. */
export interface Phase {
  readonly name: string
  /** Kinds of request that may be answered with 503. */
  readonly outage: 'none' | 'redis' | 'all'
}

/** Something that must never happen, and its proof. */
export interface Broken {
  readonly invariant: string
  readonly atSeconds: number
  readonly proof: string
}

/** Writes down every answer and every broken invariant of a run. */
export class Ledger {
  readonly broken: Broken[] = []
  readonly phases: Phase[] = []
  /** Answers by route and status. */
  readonly answers = new Map<string, Map<string, number>>()
  /** Milliseconds of the answers other than 503, by phase. */
  readonly latencies = new Map<string, number[]>()
  /** Seconds of the first and last 503, by phase. */
  readonly outages = new Map<string, { first: number; last: number }>()
  /** Events worth telling that break nothing, such as a repeated refresh. */
  readonly counts = new Map<string, number>()
  private readonly startedAtMs = Date.now()

  get seconds(): number {
    return (Date.now() - this.startedAtMs) / 1000
  }

  get phase(): Phase {
    return this.phases.at(-1) as Phase
  }

  /** Ends the phase before. */
  begin(phase: Phase): void {
    this.phases.push(phase)
  }

  async until(seconds: number): Promise<void> {
    await delay(Math.max(0, (seconds - this.seconds) * 1000))
  }

  count(event: string, by = 1): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + by)
  }

  breach(invariant: string, proof: string): void {
    this.broken.push({ invariant, atSeconds: this.seconds, proof })
    console.error(`BROKEN at ${this.seconds.toFixed(1)} s: ${invariant}: ${proof}`)
  }

  /** Writes down an answer to a request that was sent in `sentIn`. */
  answered(route: string, status: number, ms: number, sentIn: Phase, body: string): void {
    const statuses = this.answers.get(route) ?? new Map<string, number>()
    this.answers.set(route, statuses.set(`${status}`, (statuses.get(`${status}`) ?? 0) + 1))
    if (status === 503) {
      this.unavailable(route, sentIn, body)
      return
    }
    const latencies = this.latencies.get(sentIn.name) ?? []
    this.latencies.set(sentIn.name, latencies)
    latencies.push(ms)
    if (status >= 500) this.breach('no answer is a 5xx other than 503', `${route}: ${body}`)
  }

  private unavailable(route: string, sentIn: Phase, body: string): void {
    const { seconds } = this
    // A request that was sent just before a fault fails in it.
    const outage = [sentIn.outage, this.phase.outage].find((kind) => kind !== 'none') ?? 'none'
    if (outage === 'none')
      this.breach('503 is answered only around the two faults', `${route}: ${body}`)
    if (outage === 'redis' && route.includes('by bearer'))
      this.breach('bearer requests work without Redis', `${route}: ${body}`)
    const { name } = outage === sentIn.outage ? sentIn : this.phase
    const before = this.outages.get(name)
    this.outages.set(name, { first: before?.first ?? seconds, last: seconds })
  }
}
