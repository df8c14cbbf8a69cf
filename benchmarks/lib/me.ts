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

/** As long as the cookies of the other servers, so that the requests are comparable. */
export const idleCookie = `session=${'x'.repeat(66)}`

export const unauthorized = () => Object.assign(new Error('Unauthorized'), { statusCode: 401 })
