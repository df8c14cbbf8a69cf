import { type Static, type TObject, type TProperties, Type } from '@sinclair/typebox'

/** Response that only contains a message. */
export const Detail = Type.Object({ detail: Type.String() })

/** Fastify's error format. For documentation only: the app's error handler may use another one. */
export const ErrorBody = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String(),
  error: Type.String(),
  message: Type.String(),
})

/** A same-origin path to redirect to. Any other value, including null and '', is ignored. */
export const redirectTo = (description: string) =>
  Type.Optional(Type.Union([Type.String({ maxLength: 2048 }), Type.Null()], { description }))

/** Longest password accepted anywhere, in characters. */
export const maxPasswordLength = 1024

/** Schema of a body. Unknown members are ignored. */
export const body = <P extends TProperties>(properties: P): TObject<P> => Type.Object(properties)

/** A password. The policy checks new ones, so that the error can give the reason. */
export const PasswordInput = Type.String({ minLength: 1, maxLength: maxPasswordLength })

/** Primary key of a user in a response. Integers too large for JSON are text. */
export const UserIdOut = Type.Union([Type.Integer(), Type.String()])

/** Login fields in a body. The service checks their form. */
export const loginFieldSchemas = {
  email: Type.String({ minLength: 3, maxLength: 320 }),
  username: Type.String({ minLength: 1, maxLength: 256 }),
} as const

/**
 * Body of a refresh request. With `refresh: 'cookie'` there is no body: the cookie has the token.
 */
export const RefreshRequest = Type.Union([
  body({
    refresh_token: Type.Optional(Type.String({ maxLength: 512 })),
    grant_type: Type.Optional(Type.Literal('refresh_token')),
  }),
  Type.Null(),
])

const yes = ['true', '1', 'yes', 'y', 'on', 't']
const no = ['false', '0', 'no', 'n', 'off', 'f']
/** JSON Schema patterns have no case-insensitive flag. */
const anyCase = (word: string) =>
  word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

/** A boolean as written in forms and query strings. Any other text is refused. */
export const Flag = Type.String({
  pattern: `^(?:${[...yes, ...no].map(anyCase).join('|')})?$`,
  maxLength: 5,
  description: '`true 1 yes y on t` or `false 0 no n off f`, in any case; empty is false',
})

/** Whether a flag is true. An absent flag is false. */
export const isTruthy = (flag: Static<typeof Flag> | boolean | undefined): boolean =>
  flag === true || (typeof flag === 'string' && yes.includes(flag.toLowerCase()))
