/** Forms and buttons: run an action, show its result, and put errors beside their fields. */

import { AuthError } from 'fastify-crudauth/client'
import { byId } from './dom.js'
import {
  checkFields,
  clearFieldError,
  clearFieldErrors,
  fieldAtFault,
  showFieldError,
} from './field-errors.js'
import { errorParts, quiet, say, sayError } from './messages.js'

/**
 * Runs the action of a control and shows the result. Ignores further clicks in the meantime.
 * @param action returns what to say: a string, or an array of strings and elements
 */
export async function run(control, action, form) {
  if (control.getAttribute('aria-disabled') === 'true') return
  control.setAttribute('aria-disabled', 'true')
  quiet()
  if (form) clearFieldErrors(form)
  try {
    const done = await action()
    if (done) say(...[done].flat())
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    const field = form && fieldAtFault(form, error)
    if (field) {
      showFieldError(field, ...errorParts(error))
      field.focus()
    } else {
      sayError(error, form?.querySelector('[role=alert]') ?? undefined)
    }
  } finally {
    control.removeAttribute('aria-disabled')
  }
}

/** @param action called with the fields by name */
export function onSubmit(id, action) {
  const form = byId(id)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    clearFieldErrors(form)
    if (!checkFields(form)) return
    const submit = event.submitter ?? form.querySelector('[type=submit]')
    const fields = Object.fromEntries(new FormData(form, submit))
    run(submit, () => action(fields, form), form)
  })
  form.addEventListener('input', ({ target }) => clearFieldError(target))
  form.addEventListener('reset', () => clearFieldErrors(form))
}

export const onClick = (id, action) =>
  byId(id).addEventListener('click', ({ currentTarget }) =>
    run(currentTarget, action, currentTarget.form),
  )

/** Focuses the first field that can be filled in, or the button that takes the place of fields. */
export function focusField(form) {
  const field = form.querySelector('input:not([readonly], [type=checkbox], :disabled)')
  const control = field ?? form.querySelector('.with-passkey')
  control.focus()
}

/**
 * Lets a button of a form swap its two groups of fields. The hidden group is not sent.
 * Returns a function that says which groups to offer, by index, the first one to begin with. With
 * none, there is nothing to send.
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
    form.querySelector('[type=submit]').hidden = offered.length === 0
    choose(offered.includes(chosen) ? chosen : offered[0])
  }
}
