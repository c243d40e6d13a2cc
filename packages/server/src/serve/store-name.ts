/** A store URL as it may be printed: without password and without parameters, where others hide. */
export function storeName(url: string): string {
  const parsed = /^postgres(?:ql)?:/.test(url) ? URL.parse(url) : null
  if (parsed === null) return url.startsWith('postgres') ? 'postgres' : url
  const user = parsed.username === '' ? '' : `${parsed.username}@`
  return `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}`
}
