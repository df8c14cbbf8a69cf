/** Errors beside the fields that they are about. */

import { byId, el } from './dom.js'

/** Words for fields in the server's messages. The hidden username is never at fault. */
const words = {
  email: 'email',
  new_email: 'email',
  username: 'username',
  password: 'password',
  new_password: 'password',
}

const fieldsOf = (form) =>
  [...form.elements].filter(
    (field) => field.id && field.labels?.length && field.type !== 'checkbox',
  )

/** The field that an error of the server is about. Its messages name the field. */
export function fieldAtFault(form, { code, status, message, isOfPasskey }) {
  if (isOfPasskey || status === 0 || status === 429 || status >= 500) return undefined
  const field = (name) =>
    fieldsOf(form).find((one) => one.name === name && !one.matches(':disabled'))
  if (code === 'CRUDAUTH_BAD_CREDENTIALS') return field('password')
  if (code === 'CRUDAUTH_WRONG_PASSWORD') return field('current_password') ?? field('password')
  if (code === 'CRUDAUTH_MFA_CODE') return field('code')
  const [first] = Object.entries(words)
    .filter(([name, word]) => field(name) && message.includes(word))
    .sort(([, a], [, b]) => message.indexOf(a) - message.indexOf(b))
  return first && field(first[0])
}

const describedBy = (field) => (field.getAttribute('aria-describedby') ?? '').split(' ')

/** Shows an error at its field. A screen reader reads it with the field, which gets the focus. */
export function showFieldError(field, ...parts) {
  clearFieldError(field)
  const error = el('p', { id: `${field.id}-error`, className: 'field-error' }, ...parts)
  field.closest('.field').append(error)
  field.setAttribute('aria-invalid', 'true')
  field.setAttribute('aria-describedby', [...describedBy(field), error.id].join(' ').trim())
}

export function clearFieldError(field) {
  byId(`${field.id}-error`)?.remove()
  field.removeAttribute('aria-invalid')
  const others = describedBy(field).filter((id) => id && id !== `${field.id}-error`)
  if (others.length > 0) field.setAttribute('aria-describedby', others.join(' '))
  else field.removeAttribute('aria-describedby')
}

export const clearFieldErrors = (form) => fieldsOf(form).forEach(clearFieldError)

/** Shows what the browser finds wrong, and focuses the first such field. True without errors. */
export function checkFields(form) {
  const wrong = fieldsOf(form).filter((field) => field.willValidate && !field.validity.valid)
  for (const field of wrong) showFieldError(field, field.validationMessage)
  wrong[0]?.focus()
  return wrong.length === 0
}
