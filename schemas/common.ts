import { type Static, type TObject, type TProperties, Type } from '@sinclair/typebox'

/** Body of an answer that has nothing else to say. */
export const Detail = Type.Object({ detail: Type.String() })

/** Fastify's own error shape. Documentation only: an app's error handler may answer in another one. */
export const ErrorBody = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String(),
  error: Type.String(),
  message: Type.String(),
})

/** A path of the same origin to go to next. Anything else, null and empty included, is ignored. */
export const redirectTo = (description: string) =>
  Type.Optional(Type.Union([Type.String({ maxLength: 2048 }), Type.Null()], { description }))

/** Longest password accepted anywhere, in characters. */
export const maxPasswordLength = 1024

/** Object schema whose further members are tolerated and ignored. */
export const body = <P extends TProperties>(properties: P): TObject<P> => Type.Object(properties)

/** Any password as input; the policy judges new ones, so that a refusal can say why. */
export const PasswordInput = Type.String({ minLength: 1, maxLength: maxPasswordLength })

/** A user's primary key in an answer; one beyond JSON's exact integers is text. */
export const UserIdOut = Type.Union([Type.Integer(), Type.String()])

/** The login fields a body may carry. The service judges their form. */
export const loginFieldSchemas = {
  email: Type.String({ minLength: 3, maxLength: 320 }),
  username: Type.String({ minLength: 1, maxLength: 256 }),
} as const

/** With `refresh: 'cookie'` the token rides in its cookie and there is no body. */
export const RefreshRequest = Type.Union([
  body({
    refresh_token: Type.Optional(Type.String({ maxLength: 512 })),
    grant_type: Type.Optional(Type.Literal('refresh_token')),
  }),
  Type.Null(),
])

const yes = ['true', '1', 'yes', 'y', 'on', 't']
const no = ['false', '0', 'no', 'n', 'off', 'f']
/** JSON Schema has no flag for it. */
const anyCase = (word: string) =>
  word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

/** A yes or no as forms and query strings write it; anything else is refused. */
export const Flag = Type.String({
  pattern: `^(?:${[...yes, ...no].map(anyCase).join('|')})?$`,
  maxLength: 5,
  description: '`true 1 yes y on t` or `false 0 no n off f`, in any case; empty is false',
})

/** Whether a flag is set; an absent one is not. */
export const isTruthy = (flag: Static<typeof Flag> | boolean | undefined): boolean =>
  flag === true || (typeof flag === 'string' && yes.includes(flag.toLowerCase()))
