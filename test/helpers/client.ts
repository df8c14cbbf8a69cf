import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { password } from './build.js'

/** A minimal browser on top of `inject`: it keeps cookies and sends the CSRF token. */
export class Client {
  readonly cookies = new Map<string, string>()
  csrf: string | null = null

  constructor(
    readonly app: FastifyInstance,
    readonly prefix = '',
    readonly base: Partial<InjectOptions> = {},
  ) {}

  async request(
    method: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH',
    url: string,
    options: InjectOptions = {},
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.app.inject({
      ...this.base,
      ...options,
      method,
      url: this.prefix + url,
      headers: {
        ...(cookie && { cookie }),
        ...(this.csrf !== null && { 'x-csrf-token': this.csrf }),
        ...this.base.headers,
        ...options.headers,
      },
    })
    this.keep(response)
    return response
  }

  get(url: string, options?: InjectOptions) {
    return this.request('GET', url, options)
  }

  post(url: string, payload?: object, options?: InjectOptions) {
    return this.request('POST', url, { ...(payload && { payload }), ...options })
  }

  delete(url: string, options?: InjectOptions) {
    return this.request('DELETE', url, options)
  }

  form(url: string, fields: Record<string, string>, options: InjectOptions = {}) {
    return this.request('POST', url, {
      payload: new URLSearchParams(fields).toString(),
      ...options,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...options.headers },
    })
  }

  register(name: string, secret = password) {
    return this.post('/register', {
      email: `${name}@example.com`,
      username: name,
      password: secret,
    })
  }

  async login(username: string, secret = password, fields: Record<string, string> = {}) {
    const response = await this.form('/login', { username, password: secret, ...fields })
    if (response.statusCode === 200) this.csrf = response.json().csrf_token ?? null
    return response
  }

  private keep(response: LightMyRequestResponse) {
    for (const cookie of response.cookies as { name: string; value: string; maxAge?: number }[]) {
      if (cookie.maxAge === 0) this.cookies.delete(cookie.name)
      else this.cookies.set(cookie.name, cookie.value)
    }
  }
}

/** Registers a user and returns a client that is signed in. */
export async function signedIn(app: FastifyInstance, name: string, prefix = ''): Promise<Client> {
  const client = new Client(app, prefix)
  await client.register(name)
  const response = await client.login(name)
  if (response.statusCode !== 200) throw new Error(`signing in failed: ${response.body}`)
  return client
}
