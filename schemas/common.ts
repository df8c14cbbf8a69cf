import type { TObject, TProperties } from '@sinclair/typebox'
import { Type } from './type.js'

/** Body of an answer that has nothing else to say. */
export const Detail = Type.Object({ detail: Type.String() })

/** Fastify's own error shape. Documentation only: an app's error handler may answer in another one. */
export const ErrorBody = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String(),
  error: Type.String(),
  message: Type.String(),
})

/** Longest password accepted anywhere, in characters. */
export const maxPasswordLength = 1024

/** Object schema whose further members are tolerated and ignored. */
export const body = <P extends TProperties>(properties: P): TObject<P> => Type.Object(properties)

/** Any password as input; the policy judges new ones, so that a refusal can say why. */
export const PasswordInput = Type.String({ minLength: 1, maxLength: maxPasswordLength })

/** A user's primary key in an answer; one beyond JSON's exact integers is text. */
export const UserIdOut = Type.Union([Type.Integer(), Type.String()])
