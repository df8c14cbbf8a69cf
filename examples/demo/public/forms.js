/** Forms and buttons: call the API, show the result, and focus the invalid field. */

import { ApiError } from './api.js'
import { byId, quiet, say, sayError } from './view.js'

/** Words for fields in error messages. The hidden username of some forms is never at fault. */
const words = {
  email: 'email',
  new_email: 'email',
  username: 'username',
  password: 'password',
  new_password: 'password',
}

/** The field that caused an error. The server's messages name the field. */
function culprit(form, { code, status, message }) {
  if (status === 0 || status === 429 || status >= 500) return undefined
  const field = (name) =>
    [...form.elements].find((element) => element.name === name && !element.matches(':disabled'))
  if (code === 'CRUDAUTH_BAD_CREDENTIALS') return field('password')
  if (code === 'CRUDAUTH_WRONG_PASSWORD') return field('current_password') ?? field('password')
  if (code === 'CRUDAUTH_MFA_CODE') return field('code')
  const [first] = Object.entries(words)
    .filter(([name, word]) => field(name) && !field(name).readOnly && message.includes(word))
    .sort(([, a], [, b]) => message.indexOf(a) - message.indexOf(b))
  return first && field(first[0])
}

/**
 * Runs the action of a control and shows the result. Ignores further clicks in the meantime.
 * @param onError what to do after a server error, besides showing it
 */
export async function run(control, action, { form, onError } = {}) {
  if (control.getAttribute('aria-disabled') === 'true') return
  control.setAttribute('aria-disabled', 'true')
  quiet()
  for (const field of form?.elements ?? []) field.removeAttribute('aria-invalid')
  try {
    const done = await action()
    if (done) say(...[done].flat())
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sayError(error)
    const field = form && culprit(form, error)
    if (field) {
      field.setAttribute('aria-invalid', 'true')
      field.focus()
    }
    await onError?.(error)
  } finally {
    control.removeAttribute('aria-disabled')
  }
}

export function onSubmit(id, action, onError) {
  const form = byId(id)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const submit = event.submitter ?? form.querySelector('[type=submit]')
    const fields = Object.fromEntries(new FormData(form, submit))
    run(submit, () => action(fields, form), { form, onError })
  })
}

/** Focuses the first field that is shown and can be filled in. */
export const focusField = (form) => form.querySelector('input:not([readonly], :disabled)').focus()

/**
 * Lets a button of a form swap its two groups of fields. The hidden group is not sent.
 * Returns a function that says which groups to offer, by index, the first one to begin with.
 */
export function swapsFields(id) {
  const form = byId(id)
  const groups = [...form.querySelectorAll(':scope > fieldset')]
  const button = form.querySelector('[data-swap]')
  const names = button.dataset.swap.split('|')
  let [offered, chosen] = [[0, 1], 0]
  const choose = (index) => {
    chosen = index
    for (const [at, group] of groups.entries()) group.hidden = group.disabled = at !== chosen
    button.textContent = names[chosen]
    button.hidden = offered.length < 2
  }
  button.addEventListener('click', () => {
    choose(1 - chosen)
    focusField(form)
  })
  form.addEventListener('reset', () => choose(offered[0]))
  return (indexes) => {
    offered = indexes
    choose(offered.includes(chosen) ? chosen : offered[0])
  }
}

export const onClick = (id, action, onError) =>
  byId(id).addEventListener('click', ({ currentTarget }) => run(currentTarget, action, { onError }))
