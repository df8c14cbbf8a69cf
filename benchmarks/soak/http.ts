import type { Pool } from 'undici'
import type { Ledger } from './ledger.js'

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: each route has members of its own
  readonly body: any
  /** 0 without the header. */
  readonly retryAfterSeconds: number
  /** Values of the cookies that were set, by name. */
  readonly cookies: ReadonlyMap<string, string>
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** Name of the route in the report. Default: method and path. */
  readonly route?: string
}

/** A visitor with an IP address, who repeats nothing and follows nothing. */
export class Visitor {
  constructor(
    private readonly pool: Pool,
    private readonly ledger: Ledger,
  ) {}

  /** A new address for each visit, so that no rate limit or lockout of an address counts. */
  private address(): string {
    const part = () => Math.floor(Math.random() * 256)
    return `10.${part()}.${part()}.${part()}`
  }

  async ask(path: string, { method = 'POST', headers = {}, body, route }: Ask): Promise<Answer> {
    const { phase } = this.ledger
    const name = route ?? `${method} ${path}`
    const sentAt = performance.now()
    try {
      const response = await this.pool.request({
        method,
        path,
        headers: {
          'x-forwarded-for': this.address(),
          'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
          ...(body && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
      })
      const text = await response.body.text()
      const { statusCode: status } = response
      this.ledger.answered(name, status, performance.now() - sentAt, phase, text.slice(0, 300))
      const set = [response.headers['set-cookie'] ?? []].flat()
      const cookies = set.map((line) => (line.split(';', 1)[0] as string).split('=', 2))
      return {
        status,
        body: text === '' ? {} : JSON.parse(text),
        retryAfterSeconds: Number(response.headers['retry-after'] ?? 0),
        cookies: new Map(cookies as [string, string][]),
      }
    } catch (error) {
      this.ledger.breach('every request is answered', `${name}: ${(error as Error).message}`)
      return { status: 503, body: {}, retryAfterSeconds: 0, cookies: new Map() }
    }
  }
}
