import type { Case } from './settings.js'

/** The response of the compared servers to `GET /me`. */
export interface Me {
  readonly user_id: number
  readonly username: string
  readonly email: string
  readonly is_superuser: boolean
  readonly scopes: readonly string[]
  readonly via: string
}

/** As lean as a hand-written schema for known column types. */
export const meSchema = {
  type: 'object',
  properties: {
    user_id: { type: 'integer' },
    username: { type: 'string' },
    email: { type: 'string' },
    is_superuser: { type: 'boolean' },
    scopes: { type: 'array', items: { type: 'string' } },
    via: { type: 'string' },
  },
  required: ['user_id', 'username', 'email', 'is_superuser', 'scopes', 'via'],
} as const

export const emailOf = (index: number) => `user${index}@example.com`
export const usernameOf = (index: number) => `user${index}`
export const password = 'correct horse battery staple'
export const secret = 'benchmarks-only-Zq8Vt2Lw9Xr4Kd7Bn1Hc5Ym3Pf6Gs0Jk'

/** What every server answers for user `index`. better-auth alone has ids of its own. */
export const expectedMe = (index: number, via = 'session') => ({
  username: usernameOf(index),
  email: emailOf(index),
  is_superuser: false,
  scopes: [],
  via,
})

/** `GET /me` of user `index`, with the header that carries the credential. */
export const meCase = (index: number, headers: Case['headers'], via = 'session'): Case => ({
  method: 'GET',
  path: '/me',
  headers,
  expect: expectedMe(index, via),
})

export const unauthorized = () => Object.assign(new Error('Unauthorized'), { statusCode: 401 })
