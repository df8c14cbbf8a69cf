import { setTimeout as sleep } from 'node:timers/promises'

/** An email in the demo's mailbox. */
export interface ShownMail {
  readonly id: number
  readonly to: string
  readonly kind: string
  readonly subject: string
  readonly text: string
  readonly link: string
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: depends on the route
  readonly body: any
}

export const password = 'correct horse battery'

/** An HTTP client of the demo: keeps cookies and sends the CSRF token from the readable cookie. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  /** Id of the newest message that `mail` has returned. */
  private lastMail = 0

  constructor(public url: string) {}

  async send(method: string, path: string, body?: object): Promise<Answer> {
    const isForm = body instanceof URLSearchParams
    const csrf = [...this.cookies].find(([name]) => name.endsWith('csrf_token'))?.[1]
    const response = await fetch(this.url + path, {
      method,
      headers: {
        cookie: [...this.cookies].map((pair) => pair.join('=')).join('; '),
        ...(csrf !== undefined && { 'x-csrf-token': csrf }),
        ...(body && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
      redirect: 'manual',
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const text = await response.text()
    const isJson =
      response.headers.get('content-type')?.startsWith('application/json') && text !== ''
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    }
  }

  get(path: string) {
    return this.send('GET', path)
  }

  post(path: string, body?: object) {
    return this.send('POST', path, body)
  }

  /** Waits for the next message of a kind to an address. */
  async mail(kind: string, to: string): Promise<ShownMail> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const mails: ShownMail[] = (await this.get('/mailbox/messages')).body
      const found = mails.find(
        (mail) => mail.id > this.lastMail && mail.kind === kind && mail.to === to,
      )
      if (found) {
        this.lastMail = found.id
        return found
      }
      await sleep(50)
    }
    throw new Error(`no ${kind} came for ${to}`)
  }

  register(name: string) {
    return this.post('/auth/register', { email: `${name}@example.com`, username: name, password })
  }

  login(username: string, secret = password) {
    return this.post('/auth/login', new URLSearchParams({ username, password: secret }))
  }
}
